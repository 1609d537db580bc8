"""``overheard evaluate``: measure the model on tracks of known genre."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from models.classifier import load_classifier
from models.common.cli import ArgumentParser
from models.manifest import ModelManifest
from realtime import config
from realtime.cli.progress import show_progress
from realtime.clock import SystemClock
from realtime.evaluation import live_report
from realtime.evaluation.audio_folder import score_folder
from realtime.evaluation.live import UNMODIFIED, LiveEvaluationConfig, evaluate_live
from realtime.evaluation.playback import CONDITIONS
from realtime.evaluation.programmes import ProgrammeConfig
from realtime.evaluation.scorecard import build_scorecard, render_scorecard
from realtime.evaluation.similarity import SimilarityConfig, evaluate_similarity, render_similarity
from realtime.evaluation.spectrograms import find_spec, load_split, score_spectrograms
from realtime.pipeline.offline import load_classifiers
from realtime.protocol.messages import encode

if TYPE_CHECKING:
    from rich.console import RenderableType


def build_parser() -> ArgumentParser:
    """Return the parser of the command line."""
    parser = ArgumentParser(
        prog="overheard evaluate",
        usage="%(prog)s COMMAND [OPTION ...]",
        description="Measure the model on tracks of known genre: accuracy, calibration and confusion.",
        examples=[
            ("overheard evaluate folder ~/GTZAN", "audio files, in a folder for each genre"),
            ("overheard evaluate live --audio ~/GTZAN", "the live path on programmes that change"),
        ],
    )
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND", prog=parser.prog)

    spectrograms = commands.add_parser(
        "spectrograms",
        help="stored spectrograms in an .npz file",
        usage="%(prog)s [OPTION ...] FILE",
        description="Measure the model on stored spectrograms.",
        examples=[("overheard evaluate spectrograms stft_first5s.npz --split test", "only the test tracks")],
    )
    spectrograms.add_argument(
        "file",
        type=Path,
        metavar="FILE",
        help=".npz file with track_id (n,), and db_u8 (n, 544, 57) or (n, 129, 496)",
    )
    _add_split_options(spectrograms, "only these tracks: train, valid or test")
    spectrograms.set_defaults(run=_spectrograms)

    folder = commands.add_parser(
        "folder",
        help="audio files, in a folder for each genre",
        usage="%(prog)s [OPTION ...] FOLDER",
        description="Measure the model on audio files, through the same pipeline as live audio.",
        examples=[("overheard evaluate folder ~/GTZAN --json", "the scorecard as JSON")],
    )
    folder.add_argument(
        "folder", type=Path, metavar="FOLDER", help="folder whose subfolders are named after genres"
    )
    folder.set_defaults(run=_folder)

    live = commands.add_parser(
        "live",
        help="the live path on programmes that change",
        description="Measure how fast and how steadily the live path follows programmes of several genres.",
        examples=[
            ("overheard evaluate live --audio ~/GTZAN --conditions all", "also with noise and in a room"),
            ("overheard evaluate live --table own.csv --held-out-artists", "artists not used for training"),
        ],
    )
    _add_live_options(live)
    live.set_defaults(run=_live)

    similarity = commands.add_parser(
        "similarity",
        help="tracks that sound alike by the embedding",
        usage="%(prog)s (--spectrograms FILE | --table FILE) [OPTION ...]",
        description="Measure how often the most similar tracks have the same genre or artist.",
        examples=[
            ("overheard evaluate similarity --spectrograms stft_first5s.npz", "the test tracks of GTZAN"),
            ("overheard evaluate similarity --table own.csv", "audio files with genre and artist"),
        ],
    )
    _add_similarity_options(similarity)
    similarity.set_defaults(run=_similarity)

    for command in (spectrograms, folder, live, similarity):
        command.add_argument("--json", action="store_true", help="print one JSON object, not tables")
    config.add_options(spectrograms, "manifest")
    config.add_options(folder, "manifest")
    config.add_options(similarity, "manifest")
    config.add_options(live, "manifest", "smoothing", "silence")
    return parser


def command(arguments: Sequence[str]) -> int:
    """Run the selected evaluation."""
    options = build_parser().parse_args(arguments)
    return int(options.run(options))


def _add_split_options(parser: ArgumentParser, help_text: str) -> None:
    parser.add_argument("--split", metavar="NAME", help=help_text)
    parser.add_argument(
        "--split-table",
        type=Path,
        metavar="FILE",
        help="CSV with track_id, split and artist (default: tracks.csv beside the spectrograms)",
    )


def _add_live_options(live: ArgumentParser) -> None:
    defaults = ProgrammeConfig()
    material = live.add_argument_group("material")
    for name, metavar, text in (
        ("audio", "FOLDER", "audio files, in a folder for each genre"),
        ("table", "FILE", "CSV that lists audio files, with the columns file, genre and artist"),
        ("spectrograms", "FILE", "30 s spectrograms: .npz with track_id and db_u8 (n, 129, 496)"),
        ("not-music", "FILE", "CSV that lists clips without music, with the columns file, kind and origin"),
    ):
        material.add_argument(f"--{name}", type=Path, metavar=metavar, help=text)
    material.add_argument(
        "--held-out-artists",
        action="store_true",
        help="of --table, use only the artists that are never used for training",
    )
    _add_split_options(live, "of --spectrograms, use only these tracks, such as test")
    programmes = live.add_argument_group("programmes")
    for name, default, text in (
        ("programmes", defaults.programmes, "number of programmes"),
        ("excerpts", defaults.excerpts, "excerpts in each programme"),
        ("seed", 0, "seed of all random choices"),
    ):
        programmes.add_argument(
            f"--{name}", type=int, metavar="N", default=default, help=f"{text} (default: {default})"
        )
    span = (defaults.min_seconds, defaults.max_seconds)
    programmes.add_argument(
        "--seconds",
        type=float,
        nargs=2,
        default=span,
        metavar=("MIN", "MAX"),
        help=f"length of an excerpt (default: {span[0]:g} {span[1]:g})",
    )
    programmes.add_argument(
        "--conditions",
        metavar="LIST",
        default=UNMODIFIED,
        help=f"all, or a list with commas of {', '.join(CONDITIONS)} (default: {UNMODIFIED})",
    )
    live.add_argument(
        "--tune",
        action="store_true",
        help="choose the smoothing on half of the tracks, and measure it on the other half",
    )


def _add_similarity_options(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--spectrograms", type=Path, metavar="FILE", help=".npz file with track_id (n,) and db_u8"
    )
    parser.add_argument(
        "--table", type=Path, metavar="FILE", help="CSV with the columns file, genre and artist"
    )
    parser.add_argument(
        "--held-out-artists",
        action="store_true",
        help="of --table, use only the artists that are never used for training",
    )
    _add_split_options(parser, "of --spectrograms, the tracks whose neighbors are searched (default: test)")
    parser.add_argument(
        "--among",
        metavar="LIST",
        default="valid",
        help="further splits among which neighbors are searched (default: valid)",
    )


def _similarity(options: argparse.Namespace) -> int:
    evaluation = SimilarityConfig(
        spectrograms=options.spectrograms,
        split=options.split or "test",
        among=tuple(filter(None, options.among.split(","))),
        split_table=options.split_table,
        table=options.table,
        held_out_artists=options.held_out_artists,
    )
    settings = config.load(options)
    classifiers = load_classifiers(settings.model)
    with show_progress("tracks", enabled=not options.json) as advance:
        card = evaluate_similarity(evaluation, classifiers, settings, SystemClock(), advance)
    if options.json:
        print(encode(card))
    else:
        _print_tables(render_similarity(card))
    return 0


def _spectrograms(options: argparse.Namespace) -> int:
    settings = config.load(options)
    classifier = load_classifier(settings.model.manifest, settings.model.runtime)
    tracks = load_split(options.file, classifier.manifest.labels, options.split, options.split_table)
    find_spec(tracks.geometry, classifier.manifest)
    with show_progress(options.file.name, enabled=not options.json) as advance:
        predictions = score_spectrograms(tracks, classifier, advance)
    card = build_scorecard(predictions, classifier.manifest) | {"split": options.split}
    return _print(card, classifier.manifest, as_json=options.json)


def _folder(options: argparse.Namespace) -> int:
    settings = config.load(options)
    classifiers = load_classifiers(settings.model)
    with show_progress(options.folder.name, enabled=not options.json) as advance:
        predictions = score_folder(options.folder, classifiers, settings, SystemClock(), advance)
    manifest = classifiers[0].manifest
    return _print(build_scorecard(predictions, manifest), manifest, as_json=options.json)


def _live(options: argparse.Namespace) -> int:
    conditions = CONDITIONS if options.conditions == "all" else options.conditions.split(",")
    evaluation = LiveEvaluationConfig(
        audio=options.audio,
        table=options.table,
        held_out_artists=options.held_out_artists,
        spectrograms=options.spectrograms,
        split=options.split,
        split_table=options.split_table,
        non_music=options.not_music,
        conditions=tuple(dict.fromkeys(conditions)),
        programme=ProgrammeConfig(options.programmes, options.excerpts, *options.seconds),
        seed=options.seed,
        tune=options.tune,
    )
    settings = config.load(options)
    classifier = load_classifier(settings.model.manifest, settings.model.runtime)
    with show_progress("programmes and clips", enabled=not options.json) as advance:
        card = evaluate_live(evaluation, classifier, settings, SystemClock(), advance)
    if options.json:
        print(encode(card))
    else:
        _print_tables(live_report.render_report(card))
    return 0


def _print(card: dict[str, Any], manifest: ModelManifest, *, as_json: bool) -> int:
    """Print the scorecard. Return the exit code, which is 0 even if files were skipped."""
    if as_json:
        print(encode(card))
        return 0
    _print_tables(render_scorecard(card, manifest.calibration.unsure_below))
    return 0


def _print_tables(parts: Sequence[RenderableType]) -> None:
    from rich.console import Console

    console = Console(width=None if sys.stdout.isatty() else 1000)  # lines in a file must not be wrapped
    console.print(*parts, sep="\n", highlight=False)
