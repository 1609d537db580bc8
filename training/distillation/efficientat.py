"""EfficientAT's mn04 as a teacher: embeddings and AudioSet classes.

EfficientAT (Schmid, Koutini and Widmer, 2023, MIT license) trained MobileNetV3 on AudioSet by distillation
from transformers. ``mn04_as`` has a width of 0.4 and a mean average precision of 0.432.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt

from training.distillation.torch_file import read_state_dict

Floats = npt.NDArray[np.float32]

SAMPLE_RATE: Final = 32_000
"""Sample rate of the network's input, Hz."""

MEL_BANDS: Final = 128
TOP_HZ: Final = 15_000.0
N_FFT: Final = 1_024
WINDOW: Final = 800
HOP: Final = 320

CLASSES: Final = (*range(27, 38), *range(137, 283))
"""Indices of the classes that are kept: singing (27 to 37) and music (137 to 282)."""

EPSILON: Final = 1e-3
"""Epsilon of the batch normalizations' variances."""


class Block(NamedTuple):
    """Inverted residual block of MobileNetV3: depthwise kernel, stride, and activation."""

    kernel: int
    stride: int
    hard_swish: bool


BLOCKS: Final = (
    Block(3, 1, False), Block(3, 2, False), Block(3, 1, False), Block(5, 2, False), Block(5, 1, False),
    Block(5, 1, False), Block(3, 2, True), Block(3, 1, True), Block(3, 1, True), Block(3, 1, True),
    Block(3, 1, True), Block(3, 1, True), Block(5, 2, True), Block(5, 1, True), Block(5, 1, True),
)  # fmt: skip
"""MobileNetV3 large (Howard et al., 2019, table 1). Channels and squeezing follow from the weights."""


class EfficientAtTeacher:
    """EfficientAT's ``mn04_as``.

    Parameters
    ----------
    path : Path
        ``mn04_as_mAP_432.pt``.

    Raises
    ------
    WeightsError
        If the file is missing or damaged.
    """

    def __init__(self, path: Path) -> None:
        import tensorflow as tf

        weights = {name: np.asarray(value) for name, value in read_state_dict(path).items()}
        self._run: Any = tf.function(lambda mel: _forward(mel, weights), autograph=False)

    def embed(self, windows: Floats) -> Floats:
        """Compute the last features and the class logits of windows.

        Parameters
        ----------
        windows : (n, samples) float32
            At 32 kHz.

        Returns
        -------
        (n, 541) float32
            384 values of the last convolution's mean and 157 logits of ``CLASSES``.
        """
        mel = np.stack([log_mel(window) for window in windows])
        features, logits = self._run(mel[..., np.newaxis])
        embeddings: Floats = np.concatenate([features.numpy(), logits.numpy()[:, list(CLASSES)]], axis=1)
        return embeddings


def log_mel(samples: Floats) -> Floats:
    """Compute the normalized log mel spectrogram as EfficientAT does, (128, frames) float32."""
    emphasized = samples[1:] - np.float32(0.97) * samples[:-1]
    padded = np.pad(emphasized, N_FFT // 2, mode="reflect")
    frames = np.lib.stride_tricks.sliding_window_view(padded, N_FFT)[::HOP]
    power = np.abs(np.fft.rfft(frames * _window(), axis=1)) ** 2  # (frames, 513)
    mel = power.astype(np.float32) @ _mel_filters().T
    result: Floats = ((np.log(mel + 1e-5) + 4.5) / 5).T.astype(np.float32)
    return result


@lru_cache(maxsize=1)
def _window() -> Floats:
    """Return the symmetric Hann window of 800 samples in the middle of 1,024."""
    side = (N_FFT - WINDOW) // 2
    return np.pad(np.hanning(WINDOW), side).astype(np.float32)


@lru_cache(maxsize=1)
def _mel_filters() -> Floats:
    """Return Kaldi's triangular filters, (128, 513) float32. The Nyquist bin takes no part."""
    mel = 1127 * np.log1p(np.arange(N_FFT // 2) * SAMPLE_RATE / N_FFT / 700)
    edges = np.linspace(0, 1127 * np.log1p(TOP_HZ / 700), MEL_BANDS + 2)
    left, center, right = edges[:-2, None], edges[1:-1, None], edges[2:, None]
    filters = np.maximum(0, np.minimum((mel - left) / (center - left), (right - mel) / (right - center)))
    return np.pad(filters, ((0, 0), (0, 1))).astype(np.float32)


def _forward(x: Any, weights: dict[str, npt.NDArray[Any]]) -> tuple[Any, Any]:
    """Run the network on (n, 128, frames, 1) log mel spectrograms: features (n, 384), logits (n, 527)."""
    import tensorflow as tf

    def convolve(x: Any, name: str, stride: int = 1, activation: Any = None) -> Any:
        kernel = weights[f"{name}.0.weight"]  # (out, in, height, width)
        side = kernel.shape[2] // 2
        x = tf.pad(x, ((0, 0), (side, side), (side, side), (0, 0)))
        if kernel.shape[1] == 1 and kernel.shape[0] == x.shape[-1] and x.shape[-1] > 1:
            strides = (1, stride, stride, 1)
            x = tf.nn.depthwise_conv2d(x, kernel.transpose(2, 3, 0, 1), strides, "VALID")
        else:
            x = tf.nn.conv2d(x, kernel.transpose(2, 3, 1, 0), stride, "VALID")
        names = ("running_mean", "running_var", "bias", "weight")
        mean, variance, offset, scale = (weights[f"{name}.1.{each}"] for each in names)
        x = tf.nn.batch_normalization(x, mean, variance, offset, scale, EPSILON)
        return x if activation is None else activation(x)

    def squeeze_and_excite(x: Any, name: str) -> Any:
        share = tf.reduce_mean(x, axis=(1, 2))
        for layer, activation in (("fc1", tf.nn.relu), ("fc2", tf.nn.sigmoid)):
            share = activation(share @ weights[f"{name}.{layer}.weight"].T + weights[f"{name}.{layer}.bias"])
        return x * share[:, tf.newaxis, tf.newaxis]

    x = convolve(x, "features.0", 2, _hard_swish)
    for number, block in enumerate(BLOCKS, 1):
        before, activation = x, _hard_swish if block.hard_swish else tf.nn.relu
        name, part = f"features.{number}.block", 0
        if f"{name}.0.0.weight" in weights and weights[f"{name}.0.0.weight"].shape[2] == 1:
            x, part = convolve(x, f"{name}.0", 1, activation), 1
        x = convolve(x, f"{name}.{part}", block.stride, activation)
        part += 1
        squeezing = f"{name}.{part}.conc_se_layers.0"
        if f"{squeezing}.fc1.weight" in weights:
            x, part = squeeze_and_excite(x, squeezing), part + 1
        x = convolve(x, f"{name}.{part}")
        if block.stride == 1 and before.shape[-1] == x.shape[-1]:
            x += before
    features = tf.reduce_mean(convolve(x, "features.16", 1, _hard_swish), axis=(1, 2))
    hidden = _hard_swish(features @ weights["classifier.2.weight"].T + weights["classifier.2.bias"])
    return features, hidden @ weights["classifier.5.weight"].T + weights["classifier.5.bias"]


def _hard_swish(x: Any) -> Any:
    import tensorflow as tf

    return x * tf.nn.relu6(x + 3) / 6
