"""``overheard evaluate``: how good a model is on tracks whose genre is known."""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from models.classifier import load_classifier
from models.common.cli import ArgumentParser
from models.manifest import ModelManifest
from realtime import config
from realtime.clock import SystemClock
from realtime.evaluation import live_report
from realtime.evaluation.audio_folder import score_folder
from realtime.evaluation.live import UNMODIFIED, LiveEvaluationConfig, evaluate_live
from realtime.evaluation.playback import CONDITIONS
from realtime.evaluation.programmes import ProgrammeConfig
from realtime.evaluation.scorecard import Advance, scorecard, tables
from realtime.evaluation.spectrograms import geometry_for, load_split, score_spectrograms
from realtime.pipeline.offline import MAX_CLASSIFIERS
from realtime.protocol import messages

if TYPE_CHECKING:
    from rich.console import RenderableType


def command(arguments: Sequence[str]) -> int:
    """Accuracy, calibration and confusion on tracks whose genre is known."""
    options = _parser().parse_args(arguments)
    return int(options.run(options))


def _parser() -> argparse.ArgumentParser:
    parser = ArgumentParser(
        prog="overheard evaluate",
        description="Judge a model on tracks whose genre is known: accuracy, calibration, confusion.",
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    shared = ArgumentParser(add_help=False)
    shared.add_argument(
        "--model",
        dest="manifest",
        metavar="MANIFEST",
        help="manifest of the model (default: the shipped model)",
    )
    shared.add_argument("--json", action="store_true", help="print one JSON object instead of tables")

    pictures = commands.add_parser("pictures", parents=[shared], help="stored spectrograms in an .npz")
    pictures.add_argument(
        "file", type=Path, metavar="FILE", help="track_id (n,), and db_u8 (n, 544, 57) or (n, 129, 496)"
    )
    pictures.add_argument("--part", metavar="NAME", help="only a part of the split: train, valid or test")
    pictures.add_argument(
        "--tracks", type=Path, metavar="FILE", help="CSV with track_id and the split (default: tracks.csv)"
    )
    pictures.set_defaults(run=_pictures)

    folder = commands.add_parser("folder", parents=[shared], help="sound files, one folder a genre")
    folder.add_argument("folder", type=Path, metavar="DIR", help="its folders are named after genres")
    folder.set_defaults(run=_folder)

    live = commands.add_parser("live", parents=[shared], help="the whole pipeline on programmes that change")
    _add_live_options(live)
    live.set_defaults(run=_live)
    return parser


def _add_live_options(live: argparse.ArgumentParser) -> None:
    shape = ProgrammeConfig()
    span = (shape.shortest, shape.longest)
    listed = ", ".join(CONDITIONS)
    for name, kind, metavar, default, text in (
        ("audio", Path, "DIR", None, "sound files, one folder a genre"),
        ("table", Path, "FILE", None, "sound files as a CSV names them: file, genre, artist"),
        ("pictures", Path, "FILE", None, "30 s spectrograms: track_id and db_u8 (n, 129, 496)"),
        ("part", str, "NAME", None, "of these only a part of the split, such as test"),
        ("tracks", Path, "FILE", None, "CSV with the split and the artists (default: tracks.csv)"),
        ("not-music", Path, "FILE", None, "clips of no music as a CSV names them: file, kind, origin"),
        (
            "conditions",
            str,
            "LIST",
            UNMODIFIED,
            f"all, or with commas between: {listed} (default {UNMODIFIED})",
        ),
        ("programmes", int, "N", shape.programmes, f"how many (default {shape.programmes})"),
        ("excerpts", int, "N", shape.excerpts, f"in each (default {shape.excerpts})"),
        ("seed", int, "N", 0, "of all that is drawn (default 0)"),
    ):
        live.add_argument(f"--{name}", type=kind, metavar=metavar, default=default, help=text)
    length = f"length of an excerpt (default {span[0]:g} {span[1]:g})"
    live.add_argument("--seconds", type=float, nargs=2, default=span, metavar=("LEAST", "MOST"), help=length)
    kept_back = "of the table only the third of the artists kept back"
    live.add_argument("--check-artists", action="store_true", help=kept_back)
    tuned = "choose the smoothing on half of the tracks, judge on the others"
    live.add_argument("--tune", action="store_true", help=tuned)
    config.add_options(live, "smoothing", "silence")


def _pictures(options: argparse.Namespace) -> int:
    chosen = config.load(options)
    classifier = load_classifier(chosen.model.manifest, chosen.model.runtime)
    tracks = load_split(options.file, classifier.manifest.labels, options.part, options.tracks)
    geometry_for(tracks.form, classifier.manifest)
    with _progress(options.file.name, wanted=not options.json) as advance:
        answers = score_spectrograms(tracks, classifier, advance)
    card = scorecard(answers, classifier.manifest) | {"part": options.part}
    return _print(card, classifier.manifest, as_json=options.json)


def _folder(options: argparse.Namespace) -> int:
    chosen = config.load(options)
    classifiers = [
        load_classifier(chosen.model.manifest, chosen.model.runtime)
        for _ in range(min(MAX_CLASSIFIERS, os.cpu_count() or 1))
    ]
    with _progress(options.folder.name, wanted=not options.json) as advance:
        answers = score_folder(options.folder, classifiers, chosen, SystemClock(), advance)
    manifest = classifiers[0].manifest
    return _print(scorecard(answers, manifest), manifest, as_json=options.json)


def _live(options: argparse.Namespace) -> int:
    asked = CONDITIONS if options.conditions == "all" else options.conditions.split(",")
    plan = LiveEvaluationConfig(
        audio=options.audio,
        table=options.table,
        check_artists=options.check_artists,
        pictures=options.pictures,
        part=options.part,
        tracks=options.tracks,
        not_music=options.not_music,
        conditions=tuple(dict.fromkeys(asked)),
        shape=ProgrammeConfig(options.programmes, options.excerpts, *options.seconds),
        seed=options.seed,
        tune=options.tune,
    )
    chosen = config.load(options)
    classifier = load_classifier(chosen.model.manifest, chosen.model.runtime)
    with _progress("programmes and clips", wanted=not options.json) as advance:
        card = evaluate_live(plan, classifier, chosen, SystemClock(), advance)
    if options.json:
        print(messages.encode(card))
    else:
        _print_tables(live_report.tables(card))
    return 0


def _print(card: dict[str, Any], manifest: ModelManifest, *, as_json: bool) -> int:
    """Print the scorecard; the exit code is 0, also when files were skipped."""
    if as_json:
        print(messages.encode(card))
        return 0
    _print_tables(tables(card, manifest.calibration.unsure_below))
    return 0


def _print_tables(parts: Sequence[RenderableType]) -> None:
    from rich.console import Console

    console = Console(width=None if sys.stdout.isatty() else 1000)  # a file has no margin to break lines at
    console.print(*parts, sep="\n", highlight=False)


@contextlib.contextmanager
def _progress(name: str, *, wanted: bool) -> Iterator[Advance]:
    """A progress bar over tracks on a terminal; elsewhere nothing."""
    if not (wanted and sys.stderr.isatty()):
        yield lambda done, total: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    name_column = TextColumn("{task.description}", markup=False)
    columns = name_column, BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(name, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)
