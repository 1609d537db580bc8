"""Manifest of a model: labels, input geometry, quantization, calibration and provenance.

A manifest is a JSON file beside the ``.tflite`` file. It is the only definition of labels and audio
parameters. The classifier compares the model file with the manifest when it loads the model.
"""

from __future__ import annotations

import hashlib
import json
import math
from dataclasses import asdict, dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any, Self

from models.common.documents import parse_json
from models.common.validation import convert
from models.errors import ModelError
from models.spectrogram.spec import AudioSpec

FORMAT = 1
"""Version of the file format."""
SHIPPED = "genre.json"
"""File name of the shipped model's manifest."""


@dataclass(frozen=True, slots=True)
class Tag:
    """Word that describes music beside its genre.

    Attributes
    ----------
    name : str
    kind : str
        "style", "mood", "voice", "instrument" or "era".
    threshold : float
        Probability from which the tag is shown, chosen on validation tracks.
    """

    name: str
    kind: str
    threshold: float

    def __post_init__(self) -> None:
        """Check the threshold.

        Raises
        ------
        ValueError
            If the threshold lies outside 0..1.
        """
        if not 0 <= self.threshold <= 1:
            raise ValueError(f"the threshold of {self.name} is {self.threshold}; it must lie in 0..1")


@dataclass(frozen=True, slots=True)
class Calibration:
    """Calibration of logits to probabilities, softmax(logits / temperature), and decision thresholds.

    If ``music_above`` is a number, the model's output is (1, n_labels + 1): the logits of the genres and the
    logit of music. The probability of music is the sigmoid of its logit. The temperature was fitted on genres
    and does not apply to the logit of music.

    Attributes
    ----------
    temperature : float
    unsure_below : float
        Confidence below which the smoothed estimate is unsure.
    fitted_on : str
        Data on which the calibration was fitted.
    music_above : float or None
        Probability of music below which the state is not music. None if the model does not detect music.
    """

    temperature: float
    unsure_below: float
    fitted_on: str
    music_above: float | None = None

    def __post_init__(self) -> None:
        """Check the numbers.

        Raises
        ------
        ValueError
            If the temperature is not positive, or if a threshold lies outside 0..1.
        """
        if not (math.isfinite(self.temperature) and self.temperature > 0):
            raise ValueError(f"temperature is {self.temperature}; it must be above 0")
        if not 0 <= self.unsure_below <= 1:
            raise ValueError(f"unsure_below is {self.unsure_below}; it must lie in 0..1")
        if self.music_above is not None and not 0 <= self.music_above <= 1:
            raise ValueError(f"music_above is {self.music_above}; it must lie in 0..1, or be left out")


@dataclass(frozen=True, slots=True)
class ModelManifest:
    """Description of the model in the file ``model_path``.

    ``audio`` is the geometry of the live path. ``also_reads`` are further geometries that the same network
    was trained on, with images of the same size. ``tags`` are the words of the model's second output, in its
    order. ``embedding_size`` is the number of values of its third output, by whose cosine similarity tracks
    sound alike. A model may lack both outputs.
    """

    name: str
    version: str
    file: str
    sha256: str
    labels: tuple[str, ...]
    audio: AudioSpec
    quantization: str
    calibration: Calibration
    metrics: dict[str, Any]
    training_data: tuple[str, ...]
    licence: str
    model_path: Path
    also_reads: tuple[AudioSpec, ...] = ()
    tags: tuple[Tag, ...] = ()
    embedding_size: int = 0

    def __post_init__(self) -> None:
        """Check labels and geometries.

        Raises
        ------
        ValueError
            If labels repeat or are fewer than two, or if geometries differ in their image size.
        """
        if len(self.labels) < 2 or len(set(self.labels)) != len(self.labels):
            raise ValueError(f"labels {self.labels} must be two or more different names")
        for spec in self.also_reads:
            if spec.image_size != self.audio.image_size:
                raise ValueError(
                    f"also_reads has images of {spec.image_size} pixels, audio of "
                    f"{self.audio.image_size}; one network takes one size"
                )

    @property
    def identity(self) -> str:
        """Name, version and hash of the model. Embeddings of models with other identities differ."""
        return f"{self.name} {self.version} {self.sha256[:12]}"

    @classmethod
    def load(cls, path: Path | None = None) -> Self:
        """Read a manifest. By default it is the manifest of the shipped model.

        Raises
        ------
        ModelError
            If the file is missing or is not JSON, or if a field is missing, unknown or has the wrong type.
        """
        path = path or Path(str(files("models") / "artifacts" / SHIPPED))
        try:
            fields = parse_json(path.read_text(encoding="utf-8-sig"))
        except OSError as error:
            raise ModelError(f"cannot read the model manifest {path}: {error.strerror}") from error
        except ValueError as error:
            raise ModelError(f"the model manifest {path} is not valid JSON: {error}") from error
        if not isinstance(fields, dict) or fields.pop("format", None) != FORMAT:
            raise ModelError(f"{path} is not a model manifest of format {FORMAT}, the format of this version")
        try:
            return convert(fields | {"model_path": path.with_name(str(fields.get("file")))}, cls)
        except ValueError as error:
            raise ModelError(f"the model manifest {path} is invalid: {error}") from error

    def to_json(self) -> str:
        """Encode the manifest as the text of its file, with one field per line."""
        fields: dict[str, Any] = {"format": FORMAT, **asdict(self)}
        del fields["model_path"]
        return json.dumps(fields, indent=1, ensure_ascii=False) + "\n"

    def save(self, path: Path) -> None:
        """Write the manifest as JSON."""
        path.write_text(self.to_json(), encoding="utf-8")

    def read_model(self) -> bytes:
        """Read the model file and check its hash.

        Returns
        -------
        bytes
            The TFLite flatbuffer.

        Raises
        ------
        ModelError
            If the file is missing, or if its SHA-256 differs from that of the manifest.
        """
        try:
            content = self.model_path.read_bytes()
        except (OSError, ValueError) as error:  # ValueError: the name contains NUL
            reason = getattr(error, "strerror", None) or error
            raise ModelError(f"cannot read the model file {str(self.model_path)!r}: {reason}") from error
        digest = hashlib.sha256(content).hexdigest()
        if digest != self.sha256:
            raise ModelError(
                f"the model file {self.model_path} has SHA-256 {digest[:12]}..., but its manifest declares "
                f"{self.sha256[:12]}...; the file is damaged or was replaced: restore it or export it again"
            )
        return content
