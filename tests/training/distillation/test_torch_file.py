"""Reading of PyTorch weight files without PyTorch."""

from __future__ import annotations

import io
import pickle
import sys
import types
import zipfile
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from training.distillation.torch_file import read_state_dict
from training.errors import WeightsError


class Storage:
    """Values of a tensor, which the file keeps outside of the pickle."""

    def __init__(self, kind: str, key: str, values: Any) -> None:
        self.kind, self.key, self.values = kind, key, values


class Tensor:
    """A tensor as PyTorch pickles it: a function of a storage, an offset, a shape and strides."""

    def __init__(
        self, storage: Storage, offset: int, shape: tuple[int, ...], strides: tuple[int, ...]
    ) -> None:
        hooks: OrderedDict[str, Any] = OrderedDict()
        self.arguments = (storage, offset, shape, strides, False, hooks)

    def __reduce__(self) -> tuple[Any, ...]:
        return sys.modules["torch._utils"]._rebuild_tensor_v2, self.arguments


@pytest.fixture
def torch_names(monkeypatch: pytest.MonkeyPatch) -> None:
    """Modules with the names that a state dict refers to."""
    torch, utils = types.ModuleType("torch"), types.ModuleType("torch._utils")

    def _rebuild_tensor_v2(*_: object) -> None:
        raise AssertionError("only the name counts")

    _rebuild_tensor_v2.__module__ = "torch._utils"
    _rebuild_tensor_v2.__qualname__ = "_rebuild_tensor_v2"
    utils._rebuild_tensor_v2 = _rebuild_tensor_v2  # type: ignore[attr-defined]
    for kind in ("FloatStorage", "LongStorage"):
        setattr(torch, kind, type(kind, (), {"__module__": "torch", "__qualname__": kind}))
    monkeypatch.setitem(sys.modules, "torch", torch)
    monkeypatch.setitem(sys.modules, "torch._utils", utils)


def write(path: Path, state: Any) -> None:
    """Write a file as ``torch.save`` does."""
    storages: list[Storage] = []

    class Pickler(pickle.Pickler):
        def persistent_id(self, value: object) -> Any:
            if not isinstance(value, Storage):
                return None
            storages.append(value)
            return ("storage", getattr(sys.modules["torch"], value.kind), value.key, "cpu", value.values.size)

    description = io.BytesIO()
    Pickler(description, protocol=2).dump(state)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("weights/data.pkl", description.getvalue())
        for each in {each.key: each for each in storages}.values():
            archive.writestr(f"weights/data/{each.key}", each.values.tobytes())


@pytest.mark.usefixtures("torch_names")
def test_tensors_come_with_shape_offset_strides_and_dtype(tmp_path: Path) -> None:
    floats = Storage("FloatStorage", "0", np.arange(10, dtype=np.float32))
    longs = Storage("LongStorage", "1", np.array([7], np.int64))
    state = OrderedDict(
        plain=Tensor(floats, 0, (2, 5), (5, 1)),
        transposed=Tensor(floats, 4, (2, 3), (1, 2)),
        count=Tensor(longs, 0, (), ()),
    )
    write(tmp_path / "w.pt", state)
    read = read_state_dict(tmp_path / "w.pt")
    assert list(read) == ["plain", "transposed", "count"]
    assert np.array_equal(read["plain"], np.arange(10, dtype=np.float32).reshape(2, 5))
    assert read["transposed"].tolist() == [[4, 6, 8], [5, 7, 9]]
    assert read["count"] == 7
    assert read["count"].dtype == np.int64


@pytest.mark.usefixtures("torch_names")
def test_a_file_that_holds_more_than_tensors_is_rejected(tmp_path: Path) -> None:
    marker = tmp_path / "executed"
    write(tmp_path / "w.pt", {"weight": Path(marker)})
    with pytest.raises(WeightsError, match="which is not a tensor; get the file again"):
        read_state_dict(tmp_path / "w.pt")


@pytest.mark.parametrize("content", [b"", b"no zip", b"PK\x05\x06" + bytes(18)])
def test_a_damaged_file_raises_one_sentence(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "w.pt"
    path.write_bytes(content)
    with pytest.raises(WeightsError, match="cannot read the weights") as error:
        read_state_dict(path)
    assert "\n" not in str(error.value)
    with pytest.raises(WeightsError, match="cannot read the weights"):
        read_state_dict(tmp_path / "absent.pt")
