"""Reading of PyTorch weight files (``.pt``, ``.pth``) without PyTorch.

Such a file is a zip archive with a pickle that describes the tensors and one member of raw values for each
storage. The reader allows only the few names that a state dict needs, so a file cannot run code.
"""

from __future__ import annotations

import io
import pickle
import zipfile
from collections import OrderedDict
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from training.errors import WeightsError

_DTYPES: Final = {"FloatStorage": np.float32, "HalfStorage": np.float16, "LongStorage": np.int64}

_DAMAGED: Final = (
    OSError, ValueError, KeyError, EOFError, TypeError, AttributeError, IndexError, zipfile.BadZipFile,
    pickle.UnpicklingError,
)  # fmt: skip
"""What damaged bytes make the two readers raise."""


def read_state_dict(path: Path) -> dict[str, npt.NDArray[Any]]:
    """Read the arrays of a state dict by name.

    Parameters
    ----------
    path : Path
        File that ``torch.save`` of PyTorch 1.6 or later wrote.

    Raises
    ------
    WeightsError
        If the file is missing, damaged, or holds more than arrays.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            (description,) = (name for name in archive.namelist() if name.endswith("/data.pkl"))
            return dict(_Unpickler(archive, description).load())
    except _DAMAGED as error:
        raise WeightsError(f"cannot read the weights {path}: {error}; get the file again") from error


class _Unpickler(pickle.Unpickler):
    """Unpickler of a state dict that creates nothing but arrays and dictionaries."""

    def __init__(self, archive: zipfile.ZipFile, description: str) -> None:
        super().__init__(io.BytesIO(archive.read(description)))
        self._archive, self._folder = archive, description.removesuffix("data.pkl")

    def find_class(self, module: str, name: str) -> Any:
        """Return the stand-in for one of the allowed names."""
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return _rebuild_tensor
        if (module, name) == ("collections", "OrderedDict"):
            return OrderedDict
        if module == "torch" and name in _DTYPES:
            return _DTYPES[name]
        raise pickle.UnpicklingError(f"it holds {module}.{name}, which is not a tensor")

    def persistent_load(self, identity: Any) -> npt.NDArray[Any]:
        """Return the values of one storage."""
        _, dtype, key, _, _ = identity
        return np.frombuffer(self._archive.read(f"{self._folder}data/{key}"), dtype)


def _rebuild_tensor(
    storage: npt.NDArray[Any], offset: int, shape: tuple[int, ...], strides: tuple[int, ...], *_: object
) -> npt.NDArray[Any]:
    last = offset + sum((n - 1) * step for n, step in zip(shape, strides, strict=True))
    if min((offset, *shape, *strides), default=0) < 0 or (0 not in shape and last >= storage.size):
        raise pickle.UnpicklingError(f"a tensor of shape {shape} lies outside its {storage.size} values")
    size = storage.itemsize
    view = np.lib.stride_tricks.as_strided(storage[offset:], shape, [size * each for each in strides])
    return np.array(view)
