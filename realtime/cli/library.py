"""``overheard library``: write the genre of every track of a library to a table."""

from __future__ import annotations

import contextlib
import itertools
import signal
import sys
from collections.abc import Iterator, Sequence

from models.classifier import load_classifier
from models.common.cli import ArgumentParser, UsageError
from models.common.text import escape_unprintable, format_count
from realtime import config
from realtime.cli.common import add_engine_option
from realtime.cli.progress import show_progress
from realtime.config import AnalysisSettings
from realtime.library.executors import ProcessTrackExecutor, RayTrackExecutor, TrackExecutor
from realtime.library.scan import ScanSummary, open_table, scan_library
from realtime.library.table import TrackTable

EXIT_ALL_FAILED = 1
MAX_NAMED_FILES = 50
"""Number of failed files that are listed at the end. The table contains all of them."""


def build_parser() -> ArgumentParser:
    """Return the parser of the command line."""
    parser = ArgumentParser(
        prog="overheard library",
        usage="%(prog)s --out FOLDER [OPTION ...] PLACE ...",
        description="Analyze every track of a music library and write the results to a table. An interrupted "
        "run continues where it stopped. Unchanged tracks that are in the table are not analyzed again.",
        examples=[
            ("overheard library ~/Music --out genres.parquet", "every track of a folder"),
            ("overheard library s3://BUCKET/music --engine ray --out s3://BUCKET/genres.parquet",
             "on a Ray cluster"),
        ],
    )  # fmt: skip
    parser.add_argument(
        "places", nargs="+", metavar="PLACE", help="folder, s3://BUCKET/PREFIX, audio file, or a list of them"
    )
    parser.add_argument(
        "--out", required=True, metavar="FOLDER", help="table to write, a folder of Parquet files"
    )
    add_engine_option(parser)
    parser.add_argument(
        "--workers", type=int, default=0, metavar="N", help="tracks at a time (default: one for each core)"
    )
    config.add_options(parser, "model", "smoothing", "silence")
    return parser


def command(arguments: Sequence[str]) -> int:
    """Analyze the library. The exit code is 1 if no track could be analyzed."""
    options = build_parser().parse_args(arguments)
    if options.workers < 0:
        raise UsageError(f"--workers is {options.workers}; it must be at least 1, or 0 for one per core")
    settings = AnalysisSettings.from_settings(config.load(options))
    # The model is loaded here too, so that its errors are reported before any process starts.
    manifest = load_classifier(settings.model.manifest, settings.model.runtime).manifest
    with open_table(options.out, settings, manifest) as table:
        with _interrupted_by_sigterm(), _open_executor(options.engine, settings, options.workers) as executor:
            with show_progress("tracks", logged=True) as advance:
                summary = scan_library(options.places, table, executor, advance)
        return _report(summary, table)


@contextlib.contextmanager
def _open_executor(name: str, settings: AnalysisSettings, workers: int) -> Iterator[TrackExecutor]:
    executor: TrackExecutor
    if name == "ray":
        executor = RayTrackExecutor(settings, workers)
    else:
        executor = ProcessTrackExecutor(settings, workers)
    try:
        yield executor
    finally:
        executor.close()


@contextlib.contextmanager
def _interrupted_by_sigterm() -> Iterator[None]:
    """Let SIGTERM end the block like Ctrl-C, so that the rows of finished tracks are written."""
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _report(summary: ScanSummary, table: TrackTable) -> int:
    """Print the result on standard error, and return the exit code."""
    faults = list(itertools.islice(table.rows_with_faults(), MAX_NAMED_FILES + 1))
    for name, fault in faults[:MAX_NAMED_FILES]:
        error = escape_unprintable(fault if name in fault else f"{name}: {fault}")
        print(f"overheard library: {error}", file=sys.stderr)
    if len(faults) > MAX_NAMED_FILES:
        print("overheard library: more errors are in the table's column 'fault'", file=sys.stderr)
    if table.retained:
        print(
            f"overheard library: {format_count(table.retained, 'track')} could not be read, so earlier rows "
            "are kept; run the command again",
            file=sys.stderr,
        )
    seconds = max(summary.seconds, 1e-9)
    rate = f" in {seconds:.0f} s, {summary.analyzed / seconds:.2f} a second" if summary.analyzed else ""
    print(
        f"{format_count(summary.found, 'track')} found, {summary.analyzed:,} analyzed now{rate}; "
        f"{summary.faulty:,} cannot be analyzed; {table.out} has {format_count(len(table), 'row')}",
        file=sys.stderr,
    )
    return EXIT_ALL_FAILED if summary.faulty == summary.found else 0
