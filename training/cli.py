"""``overheard train``: train the model, from recordings to the released files."""

from __future__ import annotations

import argparse
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import TypeAlias

from models.common.cli import ArgumentParser
from models.common.logs import configure_logging
from models.common.ray import ENGINES
from models.errors import OverheardError
from training import commands

CACHE = Path("build/cache")
FEATURES = Path("build/features")
ARTIFACTS = Path("models/artifacts")
BACKBONE = Path("build/music_mobilenet_v2.npz")


def build_parser() -> ArgumentParser:
    """Return the parser of the command line."""
    parser = ArgumentParser(
        prog="overheard train",
        usage="%(prog)s COMMAND [OPTION ...]",
        description="Train the model, from recordings to the released files, and repeat the published study.",
        examples=[
            ("overheard train prepare --folder ~/GTZAN --noises 300", "recordings to windows in a cache"),
            ("overheard train release", "windows to model, manifest, model card and plots"),
            ("overheard train compare models/artifacts/genre.json other.json", "the figures of two models"),
        ],
    )  # fmt: skip
    subparsers = parser.add_subparsers(title="commands", required=True, metavar="COMMAND", prog=parser.prog)
    _add_data_commands(subparsers)
    _add_release_commands(subparsers)
    _add_study_commands(subparsers)
    return parser


def command(argv: Sequence[str]) -> int:
    """Run ``overheard train`` with the arguments after the word ``train``.

    Raises
    ------
    OverheardError
        If data, weights or packages are missing, or an option is wrong.
    """
    arguments = build_parser().parse_args(argv)
    configure_logging(logging.INFO)
    try:
        return int(arguments.run(arguments))
    except ModuleNotFoundError as error:
        raise OverheardError(
            f"training needs the package {error.name}; run pip install overheard[training]"
        ) from error


Subparsers: TypeAlias = "argparse._SubParsersAction[ArgumentParser]"


def _add_data_commands(subparsers: Subparsers) -> None:
    prepare = subparsers.add_parser(
        "prepare",
        help="read recordings and arrays into the cache of windows",
        description="Read recordings and arrays into the cache of windows. Files that cannot be decoded are "
        "listed and left out.",
        examples=[
            ("overheard train prepare --music ~/Music --teacher ~/teachers", "music for a distillation")
        ],
    )
    prepare.add_argument(
        "--gtzan", type=Path, metavar="FOLDER", help="GTZAN: audio by genre, arrays, or both"
    )
    for name, metavar, help_text in (
        ("folder", "FOLDER", "audio files, in a folder for each genre; may be repeated"),
        ("music", "FOLDER", "music of any genre, for distillation; may be repeated"),
        ("table", "FILE", "CSV of audio files and genres, beside the folder of its name; may be repeated"),
        ("spectrograms", "FILE", ".npz file with track_id and db_u8; may be repeated"),
    ):
        prepare.add_argument(
            f"--{name}", type=Path, action="append", default=[], metavar=metavar, help=help_text
        )
    prepare.add_argument(
        "--noises", type=int, default=0, metavar="N", help="synthetic sounds without music (default: 0)"
    )
    prepare.add_argument(
        "--teacher",
        type=Path,
        metavar="FOLDER",
        help="weights of the teacher networks, whose values distillation, soft labels and tags need (slow)",
    )
    _add_cache(prepare)
    prepare.set_defaults(run=commands.prepare)

    imagenet = subparsers.add_parser(
        "imagenet",
        help="convert torchvision's MobileNetV2 weights (needs torch)",
        usage="%(prog)s [OPTION ...] FILE",
        description="Convert torchvision's MobileNetV2 weights to an .npz file. Needs the package torch.",
    )
    imagenet.add_argument("pth", type=Path, metavar="FILE", help="mobilenet_v2-b0353104.pth")
    imagenet.add_argument("--out", type=Path, metavar="FILE", help=".npz to write (default: the shipped one)")
    imagenet.set_defaults(run=commands.imagenet)


def _add_release_commands(subparsers: Subparsers) -> None:
    distill = subparsers.add_parser(
        "distill",
        help="train the backbone to predict the values of the teacher networks",
        description="Train the backbone to predict the teachers' values of the cached windows. A stopped "
        "distillation continues.",
    )
    distill.add_argument(
        "--out", type=Path, default=BACKBONE, metavar="FILE", help=f".npz to write (default: {BACKBONE})"
    )
    distill.add_argument(
        "--start",
        type=Path,
        metavar="FILE",
        help="distilled weights to start from (default: ImageNet's weights)",
    )
    _add_steps(distill, 2800)
    _add_cache(distill)
    distill.set_defaults(run=commands.distill)

    release = subparsers.add_parser(
        "release",
        help="train the shipped model and write its files",
        description="Train the shipped model, and write its manifest, model card and plots.",
        examples=[("overheard train release --out build/model --seed 1", "a model for comparison")],
    )
    _add_out_folder(release)
    release.add_argument(
        "--backbone", type=Path, metavar="FILE", help="weights to start from (default: the shipped ones)"
    )
    release.add_argument(
        "--logs",
        type=Path,
        default=Path("build/logs"),
        metavar="FOLDER",
        help="logs for TensorBoard (default: build/logs)",
    )
    release.add_argument(
        "--seed", type=int, default=0, metavar="N", help="seed of all random choices (default: 0)"
    )
    _add_protocol_scores(release)
    _add_steps(release, 100)
    _add_cache(release)
    release.set_defaults(run=commands.release)

    card = subparsers.add_parser(
        "model-card",
        help="measure a released model again and rewrite its card",
        description="Measure a released model again, and rewrite its manifest, model card and plots.",
    )
    _add_out_folder(card)
    card.add_argument(
        "--float32",
        type=Path,
        default=Path("build/genre_float32.tflite"),
        metavar="FILE",
        help="the model before quantization (default: build/genre_float32.tflite)",
    )
    _add_protocol_scores(card)
    _add_cache(card)
    card.set_defaults(run=commands.model_card)

    compare = subparsers.add_parser(
        "compare",
        help="show the figures of two models side by side",
        usage="%(prog)s [OPTION ...] FILE FILE",
        description="Show the figures of two models side by side.",
    )
    compare.add_argument("one", type=Path, metavar="FILE", help="manifest of a model")
    compare.add_argument("other", type=Path, metavar="FILE", help="manifest of another model")
    compare.set_defaults(run=commands.compare)


def _add_study_commands(subparsers: Subparsers) -> None:
    protocols = subparsers.add_parser(
        "protocols",
        help="measure accuracy under three protocols",
        description="Measure the accuracy of several networks under three protocols of splitting GTZAN.",
    )
    _add_gtzan(protocols)
    protocols.add_argument(
        "--features", type=Path, default=FEATURES, metavar="FOLDER", help=f"features (default: {FEATURES})"
    )
    _add_work(protocols, Path("build/protocols"))
    protocols.add_argument(
        "--seeds", type=int, default=1, metavar="N", help="runs on the fault-filtered split (default: 1)"
    )
    protocols.add_argument("--json", action="store_true", help="print JSON, not a table")
    _add_steps(protocols, 100)
    _add_cache(protocols)
    _add_engine(protocols)
    protocols.set_defaults(run=commands.protocols)

    ablation = subparsers.add_parser(
        "ablation",
        help="train without each part of the recipe",
        description="Train without each part of the recipe, and show what each part contributes.",
    )
    _add_work(ablation, Path("build/ablation"))
    _add_steps(ablation, 150)
    _add_cache(ablation)
    _add_engine(ablation)
    ablation.set_defaults(run=commands.ablation)

    study = subparsers.add_parser(
        "study",
        help="repeat the table of the published study and test its claim",
        description="Repeat the table of the published study, and test its claim.",
    )
    _add_gtzan(study)
    study.add_argument(
        "--cache", type=Path, default=FEATURES, metavar="FOLDER", help=f"features (default: {FEATURES})"
    )
    study.add_argument("--json", type=Path, metavar="FILE", help="write all measurements to this file")
    study.add_argument("--quick", action="store_true", help="few epochs and folds, to see that it runs")
    _add_engine(study)
    study.set_defaults(run=commands.study)


def _add_cache(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--cache", type=Path, default=CACHE, metavar="FOLDER", help=f"cache of windows (default: {CACHE})"
    )


def _add_steps(parser: ArgumentParser, steps: int) -> None:
    parser.add_argument(
        "--steps", type=int, metavar="N", help=f"batches of 32 windows in each run (default: {steps})"
    )


def _add_out_folder(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--out",
        type=Path,
        default=ARTIFACTS,
        metavar="FOLDER",
        help=f"folder of the model's files (default: {ARTIFACTS})",
    )


def _add_protocol_scores(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--protocols", type=Path, metavar="FILE", help="output of `overheard train protocols --json`"
    )


def _add_gtzan(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--gtzan", type=Path, required=True, metavar="FOLDER", help="GTZAN's table and arrays (required)"
    )


def _add_work(parser: ArgumentParser, folder: Path) -> None:
    parser.add_argument(
        "--work", type=Path, default=folder, metavar="FOLDER", help=f"checkpoints (default: {folder})"
    )


def _add_engine(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--engine",
        choices=ENGINES,
        default="local",
        metavar="NAME",
        help="local for one run after the other, or ray for tasks of a cluster (default: local)",
    )
