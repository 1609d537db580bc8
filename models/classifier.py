"""Classify spectrogram images with a TFLite runtime into calibrated genre probabilities."""

from __future__ import annotations

import math
import threading
import time
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any, Final, Protocol

import numpy as np
import numpy.typing as npt

from models.common.cli import silence_stderr
from models.errors import ModelError
from models.manifest import ModelManifest

RUNTIMES = ("litert", "tflite-runtime")
"""Names of the runtimes, in order of preference.

``tflite-runtime`` is the old name and an old version of LiteRT, and is over ten times slower.
"""

_PACKAGES = {"litert": "ai_edge_litert", "tflite-runtime": "tflite_runtime"}
"""Python package of each runtime."""


NO_TAGS: Final = np.zeros(0)
NO_EMBEDDING: Final = np.zeros(0, np.float32)


@dataclass(frozen=True, slots=True)
class Prediction:
    """Result of classifying one spectrogram image.

    Attributes
    ----------
    probabilities : (n_labels,) float64, read-only
        Calibrated probabilities of the genres. They sum to 1, even if the audio is not music.
    inference_ms : float
        Duration of the inference.
    music : float
        Probability that the audio is music. 1 if the model does not detect music.
    tags : (n_tags,) float64, read-only
        Probability of each tag of the manifest. Empty if the model has none.
    embedding : (embedding_size,) float32, read-only
        Sounds that are alike have embeddings of a high cosine similarity. Empty if the model has none.
    """

    probabilities: npt.NDArray[np.float64]
    inference_ms: float
    music: float = 1.0
    tags: npt.NDArray[np.float64] = field(default_factory=lambda: NO_TAGS)
    embedding: npt.NDArray[np.float32] = field(default_factory=lambda: NO_EMBEDDING)


class GenreClassifier(Protocol):
    """Interface of the classifiers that the analyzer uses."""

    @property
    def manifest(self) -> ModelManifest:
        """Labels, geometry and calibration of the model."""
        ...

    @property
    def runtime(self) -> str:
        """Name and version of the runtime."""
        ...

    def predict(self, image: npt.NDArray[np.uint8]) -> Prediction:
        """Classify one spectrogram image, (image_size, image_size, 3) uint8."""
        ...


class TFLiteClassifier:
    """Classifier that runs a quantized TFLite model. It is not thread-safe.

    Parameters
    ----------
    manifest : ModelManifest
    runtime : str
        ``litert``, ``tflite-runtime``, or ``auto`` for the first of them that is installed.

    Raises
    ------
    ModelError
        If the file is missing or damaged, does not load, or does not fit the manifest, or if the
        runtime is not installed.
    """

    def __init__(self, manifest: ModelManifest, *, runtime: str = "auto") -> None:
        content = manifest.read_model()
        runtime_name, version, interpreter_class = _find_runtime(runtime)
        try:
            with silence_stderr():
                # An image is too small for a second thread to save time.
                self._interpreter = interpreter_class(model_content=content, num_threads=1)
                self._interpreter.allocate_tensors()
        except (ValueError, RuntimeError) as error:
            raise ModelError(f"{runtime_name} cannot load {manifest.model_path}: {error}") from error
        self.manifest = manifest
        self.runtime = f"{runtime_name} {version}"
        size = manifest.audio.image_size
        self._shape = (size, size, 3)
        self._detects_music = manifest.calibration.music_above is not None
        sizes = {
            "output": len(manifest.labels) + self._detects_music,
            "tags": len(manifest.tags),
            "embedding": manifest.embedding_size,
        }
        sizes = {end: values for end, values in sizes.items() if values}
        inputs, outputs = self._interpreter.get_input_details(), self._interpreter.get_output_details()
        if len(inputs) != 1 or len(outputs) != len(sizes):
            raise ModelError(
                f"{manifest.model_path} has {len(inputs)} inputs and {len(outputs)} outputs, but its "
                f"manifest declares an image and {', '.join(sizes)}; use the manifest that belongs to the "
                "model"
            )
        self._input = self._check("input", inputs[0], (1, *self._shape), "uint8")
        # TensorFlow's converter does not keep the order of the outputs, but numbers their names.
        outputs.sort(key=lambda tensor: str(tensor["name"]))
        self._outputs = {
            end: self._check(end, tensor, (1, values), "float32")
            for (end, values), tensor in zip(sizes.items(), outputs, strict=True)
        }

    def _check(self, end: str, tensor: dict[str, Any], shape: tuple[int, ...], dtype: str) -> int:
        """Compare the input or an output of the model with the manifest, and return its tensor's index."""
        found, found_dtype = tuple(map(int, tensor["shape"])), np.dtype(tensor["dtype"]).name
        if (found, found_dtype) != (shape, dtype):
            raise ModelError(
                f"the {end} of {self.manifest.model_path} is {found} {found_dtype}, but its "
                f"manifest declares {shape} {dtype}; use the manifest that belongs to the model"
            )
        return int(tensor["index"])

    def predict(self, image: npt.NDArray[np.uint8]) -> Prediction:
        """Classify one spectrogram image.

        Parameters
        ----------
        image : (image_size, image_size, 3) uint8
            Image from ``models.spectrogram.image``.

        Raises
        ------
        ValueError
            If the image has another shape or dtype.
        """
        if image.shape != self._shape or image.dtype != np.uint8:
            raise ValueError(
                f"the image is {image.shape} {image.dtype}, but the model takes {self._shape} uint8"
            )
        started = time.perf_counter()
        self._interpreter.set_tensor(self._input, image[np.newaxis])
        self._interpreter.invoke()
        logits = self._read("output").astype(np.float64)
        genres = logits[: len(self.manifest.labels)]
        probabilities = softmax(genres / self.manifest.calibration.temperature)
        probabilities.flags.writeable = False
        music = sigmoid(float(logits[-1])) if self._detects_music else 1.0
        inference_ms = (time.perf_counter() - started) * 1e3
        tags, embedding = NO_TAGS, NO_EMBEDDING
        if "tags" in self._outputs:
            tags = 1 / (1 + np.exp(-self._read("tags").astype(np.float64)))
            tags.flags.writeable = False
        if "embedding" in self._outputs:
            embedding = self._read("embedding")
            embedding.flags.writeable = False
        return Prediction(probabilities, inference_ms, music, tags, embedding)

    def _read(self, end: str) -> npt.NDArray[np.float32]:
        """Return the values of one output of the last inference."""
        values: npt.NDArray[np.float32] = self._interpreter.get_tensor(self._outputs[end])[0]
        return values


class LockedClassifier:
    """Classifier that several threads may share. A thread waits while another thread classifies."""

    def __init__(self, classifier: TFLiteClassifier) -> None:
        self.manifest = classifier.manifest
        self.runtime = classifier.runtime
        self._classifier = classifier
        self._lock = threading.Lock()

    def predict(self, image: npt.NDArray[np.uint8]) -> Prediction:
        """Classify one spectrogram image, (image_size, image_size, 3) uint8."""
        with self._lock:
            return self._classifier.predict(image)


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
    """Compute the softmax over the last axis without overflow for large logits."""
    powers = np.exp(logits - logits.max(axis=-1, keepdims=True))
    result: npt.NDArray[np.float64] = powers / powers.sum(axis=-1, keepdims=True)
    return result


def sigmoid(logit: float) -> float:
    """Compute the logistic function, 0..1, without overflow for large logits."""
    return 0.5 + 0.5 * math.tanh(0.5 * logit)


def _find_runtime(wanted: str) -> tuple[str, str, Any]:
    """Import a runtime, or the first runtime that is installed.

    Returns
    -------
    name, version : str
    interpreter : type
        Class of the interpreter.
    """
    if wanted != "auto" and wanted not in RUNTIMES:
        raise ModelError(f"unknown runtime {wanted!r}; there are auto, {', '.join(RUNTIMES)}")
    for name in RUNTIMES if wanted == "auto" else (wanted,):
        try:
            package = import_module(_PACKAGES[name])  # has the version, and importlib.metadata takes 13 ms
        except ModuleNotFoundError:
            continue
        return name, package.__version__, import_module(f"{_PACKAGES[name]}.interpreter").Interpreter
    missing = _PACKAGES["litert" if wanted == "auto" else wanted].replace("_", "-")
    raise ModelError(f"no runtime for TFLite models is installed; install the package {missing}")
