"""``overheard library``: write the genre of every track of a library to a table."""

from __future__ import annotations

import contextlib
import itertools
import logging
import signal
import sys
import time
from collections.abc import Iterator, Sequence

from models.classifier import load_classifier
from models.common.cli import ArgumentParser
from models.common.ray import ENGINES
from models.common.text import printable
from realtime import config
from realtime.config import AnalysisSettings
from realtime.errors import SettingsError
from realtime.library.executors import ProcessTrackExecutor, RayTrackExecutor, TrackExecutor
from realtime.library.scan import Advance, ScanSummary, open_table, scan_library
from realtime.library.table import TrackTable

logger = logging.getLogger(__name__)

EXIT_ALL_FAILED = 1
MOST_NAMED = 50
"""Bad files that are named at the end; all are in the table."""
LOG_SECONDS = 60.0


def command(arguments: Sequence[str]) -> int:
    """Genre of every track of a library, as a Parquet table; resumable, on one machine or a Ray cluster."""
    parser = ArgumentParser(
        prog="overheard library",
        description="Hear every track of a library and write a table of them. A run that was broken off goes "
        "on where it was; a track that is in the table and unchanged is not heard again.",
    )
    parser.add_argument(
        "places",
        nargs="+",
        metavar="PLACE",
        help="a folder, s3://BUCKET/PREFIX, a sound file, or a list of them",
    )
    parser.add_argument(
        "--out",
        required=True,
        metavar="FOLDER",
        help="the table, a folder of Parquet parts, such as tracks.parquet",
    )
    parser.add_argument(
        "--engine",
        choices=ENGINES,
        default="local",
        help="processes of this machine (default), or a Ray cluster",
    )
    parser.add_argument(
        "--workers", type=int, default=0, metavar="N", help="tracks at a time (default: one a core)"
    )
    config.add_options(parser, "model", "smoothing", "silence")
    options = parser.parse_args(arguments)
    if options.workers < 0:
        raise SettingsError(f"--workers is {options.workers}; it must be at least 1, or 0 for one a core")
    hearing = AnalysisSettings.from_settings(config.load(options))
    manifest = load_classifier(
        hearing.model.manifest, hearing.model.runtime
    ).manifest  # a fault of the model is told before anything begins
    with open_table(options.out, hearing, manifest) as table:
        with _ended_by_signal(), _engine(options.engine, hearing, options.workers) as engine:
            with _progress() as advance:
                summary = scan_library(options.places, table, engine, advance)
        return _report(summary, table)


@contextlib.contextmanager
def _engine(name: str, hearing: AnalysisSettings, workers: int) -> Iterator[TrackExecutor]:
    engine: TrackExecutor = (
        RayTrackExecutor(hearing, workers) if name == "ray" else ProcessTrackExecutor(hearing, workers)
    )
    try:
        yield engine
    finally:
        engine.close()


@contextlib.contextmanager
def _ended_by_signal() -> Iterator[None]:
    """SIGTERM ends as Ctrl-C does: what was heard is written."""
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _report(summary: ScanSummary, table: TrackTable) -> int:
    """Tell the end on standard error; the exit code."""
    faults = list(itertools.islice(table.rows_with_faults(), MOST_NAMED + 1))
    for name, fault in faults[:MOST_NAMED]:
        said = printable(fault if name in fault else f"{name}: {fault}")
        print(f"overheard library: {said}", file=sys.stderr)
    if len(faults) > MOST_NAMED:
        print("overheard library: and more, in the table's column 'fault'", file=sys.stderr)
    if table.kept:
        print(
            f"overheard library: {table.kept:,} tracks were away and keep their rows of before; run it again",
            file=sys.stderr,
        )
    seconds = max(summary.seconds, 1e-9)
    rate = f" in {seconds:.0f} s, {summary.heard / seconds:.2f} a second" if summary.heard else ""
    print(
        f"{summary.found:,} tracks found, {summary.heard:,} heard now{rate}; {summary.faulty:,} cannot be "
        f"heard; {table.out} has {len(table):,} rows",
        file=sys.stderr,
    )
    return EXIT_ALL_FAILED if summary.faulty == summary.found else 0


@contextlib.contextmanager
def _progress() -> Iterator[Advance]:
    """A progress bar on a terminal; elsewhere a line of the log each minute."""
    if not sys.stderr.isatty():
        told = time.monotonic()

        def log(done: int, total: int) -> None:
            nonlocal told
            if time.monotonic() - told >= LOG_SECONDS:
                told = time.monotonic()
                logger.info("%d of %d tracks", done, total)

        yield log
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn

    columns = BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("tracks", total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)
