"""``overheard model``: verify the model and describe it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict

from models.classifier import load_classifier
from models.common.cli import ArgumentParser
from models.manifest import Calibration, ModelManifest
from models.spectrogram.spec import AudioSpec
from realtime import config


def build_parser() -> ArgumentParser:
    """Return the parser of the command line."""
    parser = ArgumentParser(
        prog="overheard model",
        description="Load the model, verify its checksum, and print its properties and figures.",
        examples=[
            ("overheard model", "the shipped model"),
            ("overheard model --json --manifest my/genre.json", "the whole manifest of another model"),
        ],
    )
    parser.add_argument("--json", action="store_true", help="print the whole manifest as JSON")
    config.add_options(parser, "manifest", "runtime")
    return parser


def command(arguments: Sequence[str]) -> int:
    """Describe the model."""
    options = build_parser().parse_args(arguments)
    settings = config.load(options).model
    classifier = load_classifier(settings.manifest, settings.runtime)
    manifest = classifier.manifest
    if options.json:
        fields = asdict(manifest) | {"runtime": classifier.runtime, "model_path": str(manifest.model_path)}
        print(json.dumps(fields, ensure_ascii=False))
        return 0
    size_mb = manifest.model_path.stat().st_size / 1e6
    print(f"model         {manifest.name} {manifest.version} ({size_mb:.1f} MB, {manifest.quantization})")
    print(f"runtime       {classifier.runtime}")
    print(f"file          {manifest.model_path} (SHA-256 verified)")
    print(f"genres        {', '.join(manifest.labels)}")
    for line in _format_tags(manifest):
        print(line)
    print(f"window        {_format_geometry(manifest.audio)}")
    for spec in manifest.also_reads:
        print(f"also reads    {_format_geometry(spec)}")
    print(f"calibration   {_format_calibration(manifest.calibration)}")
    print(f"trained on    {'; '.join(manifest.training_data)}")
    print(f"licence       {manifest.licence}")
    for name, value in manifest.metrics.items():
        print(f"metric        {name}: {json.dumps(value, ensure_ascii=False)}")
    return 0


def _format_tags(manifest: ModelManifest) -> list[str]:
    """Return lines with the tags by kind, and with the size of the embedding. A model may lack both."""
    by_kind: dict[str, list[str]] = {}
    for tag in manifest.tags:
        by_kind.setdefault(tag.kind, []).append(tag.name)
    total = len(manifest.tags)
    lines = [f"tags          {total} of {len(by_kind)} kinds"] if total else []
    lines += [f"  {kind:<12}{len(names)}: {', '.join(names)}" for kind, names in by_kind.items()]
    if manifest.embedding_size:
        lines.append(f"embedding     {manifest.embedding_size} values")
    return lines


def _format_geometry(audio: AudioSpec) -> str:
    rows = (
        f"; rows nearly even below {audio.row_break_hz:g} Hz, in octaves above" if audio.row_break_hz else ""
    )
    return (
        f"{audio.window_seconds:.2f} s at {audio.sample_rate} Hz: {audio.columns} columns, each of "
        f"{audio.n_fft} samples, every {audio.column_step}{rows}"
    )


def _format_calibration(calibration: Calibration) -> str:
    music = calibration.music_above
    return (
        f"temperature {calibration.temperature:.3f}, unsure below {calibration.unsure_below:.2f}"
        f"{'' if music is None else f', no music below {music:.2f}'}"
    )
