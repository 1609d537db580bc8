"""From a picture to calibrated genre probabilities, through a TFLite runtime."""

from __future__ import annotations

import math
import threading
import time
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from models.common.cli import silence_stderr
from models.errors import ModelError
from models.manifest import ModelManifest, TensorQuantization

RUNTIMES = ("litert", "tflite-runtime")
"""LiteRT first; ``tflite-runtime``, the same code under its old name, is over ten times slower."""

_DISTRIBUTIONS = {"litert": "ai-edge-litert", "tflite-runtime": "tflite-runtime"}


@dataclass(frozen=True, slots=True)
class Prediction:
    """One picture's answer.

    ``probabilities`` (n_labels,) float64, read-only, are calibrated and sum to 1, whether it is music
    or not; ``music`` is the probability that it is, 1 from a model that does not say.
    """

    probabilities: npt.NDArray[np.float64]
    inference_ms: float
    music: float = 1.0


class GenreClassifier(Protocol):
    """Anything that turns pictures into predictions; the analyzer needs no more."""

    @property
    def manifest(self) -> ModelManifest:
        """The model's labels, geometry and calibration."""
        ...

    @property
    def runtime(self) -> str:
        """Name and version of what runs the model."""
        ...

    def predict(self, picture: npt.NDArray[np.uint8]) -> Prediction:
        """Classify one picture."""
        ...


class TFLiteClassifier:
    """A quantized TFLite model and the runtime that runs it; its tensors are allocated once.

    Not thread-safe: an interpreter belongs to one thread at a time.

    Parameters
    ----------
    manifest : ModelManifest
    runtime : str
        ``litert``, ``tflite-runtime``, or ``auto`` for the first of them that is installed.
    threads : int
        Threads of one inference. A picture is too small for more than one to pay.

    Raises
    ------
    ModelError
        The file is missing or damaged, does not load, or does not fit the manifest; or the
        runtime is not installed.
    """

    def __init__(self, manifest: ModelManifest, *, runtime: str = "auto", threads: int = 1) -> None:
        content = manifest.read_model()
        chosen, interpreter_class = _find_runtime(runtime)
        try:
            with silence_stderr():
                self._interpreter = interpreter_class(model_content=content, num_threads=threads)
                self._interpreter.allocate_tensors()
        except (ValueError, RuntimeError) as error:
            raise ModelError(f"{chosen} cannot load {manifest.model_path}: {error}") from error
        self.manifest = manifest
        self.runtime = f"{chosen} {version(_DISTRIBUTIONS[chosen])}"
        size = manifest.audio.image_size
        self._says_music = manifest.calibration.music_above is not None
        self._input = self._check("input", self._interpreter.get_input_details(), (1, size, size, 3))
        outputs = len(manifest.labels) + self._says_music
        self._output = self._check("output", self._interpreter.get_output_details(), (1, outputs))
        ends = manifest.quantization
        self._stored_pixels = _quantize_bytes(ends.input)
        # Scale 1 and zero point -128, as pixels nearly always have: flipping the highest bit is enough.
        self._stored_is_shifted = bool(np.array_equal(self._stored_pixels, np.arange(-128, 128)))
        self._stored_picture = np.empty((1, size, size, 3), dtype=ends.input.dtype)

    def _check(self, end: str, details: list[dict[str, Any]], shape: tuple[int, ...]) -> int:
        """Hold one end of the model against the manifest; return its tensor's index."""
        wanted: TensorQuantization = getattr(self.manifest.quantization, end)
        found = details[0]
        scale, zero_point = found["quantization"]
        is_ = (tuple(map(int, found["shape"])), np.dtype(found["dtype"]).name, zero_point)
        should = (shape, wanted.dtype, wanted.zero_point)
        if len(details) != 1 or is_ != should or not np.isclose(scale, wanted.scale, rtol=1e-5):
            raise ModelError(
                f"the {end} of {self.manifest.model_path} is {is_[0]} {is_[1]} with scale {scale:.6g} and "
                f"zero point {is_[2]}, the manifest says {shape} {wanted.dtype} with {wanted.scale:.6g} and "
                f"{wanted.zero_point}: they do not belong together"
            )
        return int(found["index"])

    def predict(self, picture: npt.NDArray[np.uint8]) -> Prediction:
        """Classify one picture.

        Parameters
        ----------
        picture : (image_size, image_size, 3) uint8
            As ``models.spectrogram.image`` draws it.

        Raises
        ------
        ValueError
            Another shape or dtype.
        """
        if picture.shape != self._stored_picture.shape[1:] or picture.dtype != np.uint8:
            raise ValueError(
                f"picture is {picture.shape} {picture.dtype}, "
                f"the model takes {self._stored_picture.shape[1:]} uint8"
            )
        started = time.perf_counter()
        if self._stored_is_shifted:
            np.bitwise_xor(picture, 0x80, out=self._stored_picture[0].view(np.uint8))
        else:
            self._stored_pixels.take(picture, out=self._stored_picture[0], mode="clip")
        self._interpreter.set_tensor(self._input, self._stored_picture)
        self._interpreter.invoke()
        stored = self._interpreter.get_tensor(self._output)[0]
        output = self.manifest.quantization.output
        logits = (stored.astype(np.float64) - output.zero_point) * output.scale
        genres = logits[: len(self.manifest.labels)]
        probabilities = softmax(genres / self.manifest.calibration.temperature)
        probabilities.flags.writeable = False
        music = sigmoid(float(logits[-1])) if self._says_music else 1.0
        return Prediction(probabilities, (time.perf_counter() - started) * 1e3, music)


class LockedClassifier:
    """A classifier that several threads share. One thread waits while another one is served, some ms."""

    def __init__(self, classifier: TFLiteClassifier) -> None:
        self.manifest = classifier.manifest
        self.runtime = classifier.runtime
        self._classifier = classifier
        self._lock = threading.Lock()

    def predict(self, picture: npt.NDArray[np.uint8]) -> Prediction:
        """Classify one picture, (image_size, image_size, 3) uint8."""
        with self._lock:
            return self._classifier.predict(picture)


def load_classifier(manifest_path: str | Path = "", runtime: str = "auto") -> TFLiteClassifier:
    """Load a model.

    Parameters
    ----------
    manifest_path : str or Path
        File of the model's manifest. If empty, the shipped model is loaded.
    runtime : str
        ``litert``, ``tflite-runtime``, or ``auto`` for the first of them that is installed.

    Raises
    ------
    ModelError
        If manifest, model or runtime cannot be loaded.
    """
    manifest = ModelManifest.load(Path(manifest_path) if manifest_path else None)
    return TFLiteClassifier(manifest, runtime=runtime)


def softmax(logits: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Softmax over the last axis, safe for large logits."""
    powers = np.exp(logits - logits.max(axis=-1, keepdims=True))
    result: npt.NDArray[np.float64] = powers / powers.sum(axis=-1, keepdims=True)
    return result


def sigmoid(logit: float) -> float:
    """Logistic function, 0..1, safe for large logits."""
    return 0.5 + 0.5 * math.tanh(0.5 * logit)


def _quantize_bytes(tensor: TensorQuantization) -> npt.NDArray[Any]:
    """Stored value of each pixel value 0..255, (256,) of the tensor's dtype."""
    limits = np.iinfo(tensor.dtype)
    stored = np.round(np.arange(256) / tensor.scale) + tensor.zero_point
    return np.clip(stored, limits.min, limits.max).astype(tensor.dtype)


def _find_runtime(wanted: str) -> tuple[str, Any]:
    """Import the interpreter class of the runtime asked for, or of the first one installed."""
    if wanted != "auto" and wanted not in RUNTIMES:
        raise ModelError(f"unknown runtime {wanted!r}; there are auto, {', '.join(RUNTIMES)}")
    for name in RUNTIMES if wanted == "auto" else (wanted,):
        try:
            version(_DISTRIBUTIONS[name])
        except PackageNotFoundError:
            continue
        if name == "litert":
            from ai_edge_litert.interpreter import Interpreter
        else:
            from tflite_runtime.interpreter import Interpreter
        return name, Interpreter
    missing = "ai-edge-litert" if wanted == "auto" else _DISTRIBUTIONS[wanted]
    raise ModelError(f"no runtime for TFLite models is installed; install the package {missing}")
