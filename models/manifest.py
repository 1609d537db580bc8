"""What a model says of itself: labels, input geometry, quantization, calibration, provenance.

One JSON file beside each ``.tflite``. Labels and audio parameters are defined here and nowhere
else; the classifier holds the model file against it when it loads.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
from dataclasses import asdict, dataclass
from importlib.resources import files
from pathlib import Path
from types import NoneType
from typing import Any, Self, TypeVar

from models.errors import ModelError
from models.spectrogram.spec import AudioSpec, Scaling

T = TypeVar("T")

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
            return cls._from_fields(fields, path)
        except (TypeError, ValueError, KeyError) as error:
            raise ModelError(f"the model manifest {path} is wrong: {error}") from error

    @classmethod
    def _from_fields(cls, fields: dict[str, Any], path: Path) -> Self:
        quantization = dict(fields.pop("quantization"))
        fields |= {
            "labels": _texts("labels", fields["labels"]),
            "training_data": _texts("training_data", fields["training_data"]),
            "audio": _geometry(fields.pop("audio")),
            "also_reads": _geometries(fields.pop("also_reads", [])),
            "quantization": _make(
                Quantization,
                quantization
                | {end: _make(TensorQuantization, quantization[end]) for end in ("input", "output")},
            ),
            "calibration": _make(Calibration, fields["calibration"]),
            "model_path": path.with_name(str(fields["file"])),
        }
        manifest = _make(cls, fields)
        if len(manifest.labels) < 2 or len(set(manifest.labels)) != len(manifest.labels):
            raise ValueError(f"labels {manifest.labels} must be two or more different names")
        for spec in manifest.also_reads:
            if spec.image_size != manifest.audio.image_size:
                raise ValueError(
                    f"also_reads has pictures of {spec.image_size} pixels, audio of "
                    f"{manifest.audio.image_size}; one network takes one size"
                )
        return manifest

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


_TYPES: dict[str, type | tuple[type, ...]] = {
    "str": str, "int": int, "float": (int, float), "float | None": (int, float, NoneType),
    "dict[str, Any]": dict,
}  # fmt: skip


def _make(kind: type[T], values: dict[str, Any]) -> T:
    """Build one of the dataclasses above from JSON, holding plain fields against their types."""
    for each in dataclasses.fields(kind):  # type: ignore[arg-type]  # all callers pass dataclasses
        wanted, value = _TYPES.get(str(each.type)), values.get(each.name)
        if wanted and each.name in values and (isinstance(value, bool) or not isinstance(value, wanted)):
            raise ValueError(f"{each.name} is {value!r}; it must be of type {each.type}")
    return kind(**values)


def _geometry(values: Any) -> AudioSpec:
    values = dict(values)
    return _make(AudioSpec, values | {"scaling": _make(Scaling, values["scaling"])})


def _geometries(values: object) -> tuple[AudioSpec, ...]:
    if not isinstance(values, list) or not all(isinstance(value, dict) for value in values):
        raise ValueError(f"also_reads is {values!r}; it must be a list of geometries")
    return tuple(map(_geometry, values))


def _texts(name: str, values: object) -> tuple[str, ...]:
    if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
        raise ValueError(f"{name} is {values!r}; it must be a list of texts")
    return tuple(values)
