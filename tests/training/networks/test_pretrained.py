"""Conversion of the published weights."""

from pathlib import Path

import numpy as np
import pytest

from training.errors import WeightsError
from training.networks.pretrained import convert_imagenet_weights, keras_arrays


def test_another_file_is_rejected(tmp_path: Path) -> None:
    other = tmp_path / "other.pth"
    with pytest.raises(WeightsError, match="cannot read"):
        convert_imagenet_weights(other, tmp_path / "out.npz")
    other.write_bytes(b"other")
    with pytest.raises(WeightsError, match="SHA-256"):
        convert_imagenet_weights(other, tmp_path / "out.npz")


def test_kernels_are_rearranged_and_epsilons_compensated() -> None:
    kernel = np.arange(2 * 3 * 3 * 3).reshape(2, 3, 3, 3)
    depthwise = np.arange(2 * 3 * 3).reshape(2, 1, 3, 3)
    arrays = keras_arrays(
        {
            "a.weight": kernel, "bn.weight": np.array([2.0]), "bn.running_var": np.array([0.5]),
            "bn.num_batches_tracked": np.array(7), "b.weight": depthwise, "classifier.1.weight": kernel,
        }
    )  # fmt: skip
    assert list(arrays) == ["a.weight", "bn.weight", "bn.running_var", "b.weight"]
    assert arrays["a.weight"][1, 2, 0, 1] == kernel[1, 0, 1, 2]
    assert arrays["b.weight"][1, 2, 1, 0] == depthwise[1, 0, 1, 2]
    assert arrays["bn.weight"] / np.sqrt(0.5 + 1e-3) == pytest.approx(2 / np.sqrt(0.5 + 1e-5))
