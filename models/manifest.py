"""What a model says of itself: labels, input geometry, quantization, calibration, provenance.

One JSON file beside each ``.tflite``. Labels and audio parameters are defined here and nowhere
else; the classifier holds the model file against it when it loads.
"""

from __future__ import annotations

import hashlib
import json
import math
from dataclasses import asdict, dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any, Self

from models.common.validation import convert
from models.errors import ModelError
from models.spectrogram.spec import AudioSpec

FORMAT = 1
SHIPPED = "genre.json"


@dataclass(frozen=True, slots=True)
class TensorQuantization:
    """Affine quantization of one tensor: real = scale * (stored - zero_point)."""

    dtype: str
    scale: float
    zero_point: int


@dataclass(frozen=True, slots=True)
class Quantization:
    """How the model's ends are stored; the classifier does the conversion."""

    scheme: str
    input: TensorQuantization
    output: TensorQuantization


@dataclass(frozen=True, slots=True)
class Calibration:
    """From logits to honest probabilities: softmax(logits / temperature).

    ``unsure_below`` is the confidence under which the smoothed estimate abstains.

    ``music_above`` is the probability of music under which a sound is called no music; None: the
    model does not say. Where it is a number, the model's output is (1, n_labels + 1): the genres'
    logits, then that of music, whose probability is its sigmoid. The temperature was fitted on
    genres and does not divide it.
    """

    temperature: float
    unsure_below: float
    fitted_on: str
    music_above: float | None = None

    def __post_init__(self) -> None:
        """Refuse numbers outside their range.

        Raises
        ------
        ValueError
            A temperature that is not positive, or a threshold outside 0..1.
        """
        if not (math.isfinite(self.temperature) and self.temperature > 0):
            raise ValueError(f"temperature is {self.temperature}; it must be above 0")
        if not 0 <= self.unsure_below <= 1:
            raise ValueError(f"unsure_below is {self.unsure_below}; it must lie in 0..1")
        if self.music_above is not None and not 0 <= self.music_above <= 1:
            raise ValueError(f"music_above is {self.music_above}; it must lie in 0..1, or be left out")


@dataclass(frozen=True, slots=True)
class ModelManifest:
    """A model's description; ``model_path`` is where its file lies.

    ``audio`` is the geometry of the live path; ``also_reads`` are further ones that the same network was
    trained on, whose pictures are as large.
    """

    name: str
    version: str
    file: str
    sha256: str
    labels: tuple[str, ...]
    audio: AudioSpec
    quantization: Quantization
    calibration: Calibration
    metrics: dict[str, Any]
    training_data: tuple[str, ...]
    licence: str
    model_path: Path
    also_reads: tuple[AudioSpec, ...] = ()

    def __post_init__(self) -> None:
        """Refuse labels and geometries that one network cannot have.

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
                    f"also_reads has pictures of {spec.image_size} pixels, audio of "
                    f"{self.audio.image_size}; one network takes one size"
                )

    @classmethod
    def load(cls, path: Path | None = None) -> Self:
        """Read a manifest; without a path, the shipped model's.

        Raises
        ------
        ModelError
            The file is missing, is no JSON, or lacks, misspells or mistypes a field.
        """
        path = path or Path(str(files("models") / "artifacts" / SHIPPED))
        try:
            fields = json.loads(path.read_text(encoding="utf-8"))
        except OSError as error:
            raise ModelError(f"cannot read the model manifest {path}: {error.strerror}") from error
        except ValueError as error:
            raise ModelError(f"the model manifest {path} is not valid JSON: {error}") from error
        if not isinstance(fields, dict) or fields.pop("format", None) != FORMAT:
            raise ModelError(f"{path} is not a model manifest of format {FORMAT}, which this version reads")
        try:
            return convert(fields | {"model_path": path.with_name(str(fields.get("file")))}, cls)
        except ValueError as error:
            raise ModelError(f"the model manifest {path} is wrong: {error}") from error

    def to_json(self) -> str:
        """Return the text of the manifest's file, one field a line."""
        fields: dict[str, Any] = {"format": FORMAT, **asdict(self)}
        del fields["model_path"]
        return json.dumps(fields, indent=1, ensure_ascii=False) + "\n"

    def save(self, path: Path) -> None:
        """Write the manifest as JSON."""
        path.write_text(self.to_json(), encoding="utf-8")

    def read_model(self) -> bytes:
        """Read the model file and hold it against its hash.

        Returns
        -------
        bytes
            The TFLite flatbuffer.

        Raises
        ------
        ModelError
            The file is missing or its SHA-256 is not the manifest's.
        """
        try:
            content = self.model_path.read_bytes()
        except OSError as error:
            raise ModelError(f"cannot read the model file {self.model_path}: {error.strerror}") from error
        digest = hashlib.sha256(content).hexdigest()
        if digest != self.sha256:
            raise ModelError(
                f"the model file {self.model_path} has SHA-256 {digest[:12]}..., its manifest says "
                f"{self.sha256[:12]}...; the file is damaged or was replaced: restore it or export it again"
            )
        return content
