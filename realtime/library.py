"""``overheard library``: the genre of every track of a library, as a table; on one machine or a cluster."""

from __future__ import annotations

import contextlib
import itertools
import logging
import signal
import sys
import time
from collections.abc import Callable, Iterator, Sequence

from models.cluster import ENGINES
from models.common.text import printable
from models.manifest import ModelManifest
from models.options import OptionParser
from realtime import settings
from realtime.errors import SettingsError, SourceError
from realtime.listen import load_classifier
from realtime.track_engines import Engine, LocalEngine, RayEngine, blocks_of
from realtime.track_hearing import Hearing, Row
from realtime.track_table import TrackTable
from realtime.tracks import Track, find_tracks

logger = logging.getLogger(__name__)

EXIT_ALL_FAILED = 1
WAVE = 100_000
"""Tracks that are looked for before they are heard: what is held of a library at a time."""
PART_ROWS, PART_SECONDS = 1000, 30.0
"""A part is written when it has so many rows, or its first has waited so long."""
MOST_NAMED = 50
"""Bad files that are named at the end; all are in the table."""
LOG_SECONDS = 60.0

Advance = Callable[[int, int], None]


def command(arguments: Sequence[str]) -> int:
    """Genre of every track of a library, as a Parquet table; resumable, on one machine or a Ray cluster."""
    parser = OptionParser(
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
    settings.add_options(parser, "model", "smoothing", "silence")
    options = parser.parse_args(arguments)
    if options.workers < 0:
        raise SettingsError(f"--workers is {options.workers}; it must be at least 1, or 0 for one a core")
    hearing = Hearing.of(settings.load(options))
    manifest = load_classifier(hearing.model).manifest  # a fault of the model is told before anything begins
    with open_table(options.out, hearing, manifest) as table:
        with _ended_by_signal(), _engine(options.engine, hearing, options.workers) as engine:
            with _progress() as advance:
                summary = hear_library(options.places, table, engine, advance)
        return _report(summary, table)


def open_table(out: str, hearing: Hearing, manifest: ModelManifest) -> TrackTable:
    """The table for rows that are heard in this way.

    Raises
    ------
    OverheardError
        See ``TrackTable``; or pyarrow is not installed.
    """
    try:
        return TrackTable(out, manifest.labels, hearing.told(manifest))
    except ModuleNotFoundError as error:
        raise SettingsError(
            f"a table needs the package {error.name}; run pip install {error.name}"
        ) from error


class Summary:
    """What a run came to: tracks ``found``, those ``heard`` now, all that are ``faulty``, and how long."""

    def __init__(self) -> None:
        self.found = self.heard = self.faulty = 0
        self.seconds = self.sound_seconds = 0.0


def hear_library(
    places: Sequence[str],
    table: TrackTable,
    engine: Engine,
    advance: Advance = lambda done, total: None,
    clock: Callable[[], float] = time.monotonic,
) -> Summary:
    """Hear what is not in the table yet, and write it there; also what was heard before a fault or Ctrl-C.

    Parameters
    ----------
    advance : callable
        Told how many tracks are done, and of how many that were found so far.
    clock : callable
        Seconds since some fixed moment.

    Raises
    ------
    OverheardError
        A place cannot be read, the table cannot be written, or the cluster is gone.
    """
    summary, started = Summary(), clock()
    listing = find_tracks(places)
    while wave := list(itertools.islice(listing, WAVE)):
        tracks = list({track.uri: track for track in wave}.values())
        summary.found += len(tracks)
        wanted = [track for track in tracks if not table.is_current(track)]
        summary.faulty += sum(table.is_current(track) and table.is_faulty(track) for track in tracks)
        done = summary.found - len(wanted)
        advance(done, summary.found)
        for rows in _parts(engine, wanted, clock):
            table.write(rows)
            done += len(rows)
            summary.heard += len(rows)
            summary.faulty += sum(row["fault"] is not None for row in rows)
            summary.sound_seconds += sum(row["duration_seconds"] or 0.0 for row in rows)
            summary.seconds = clock() - started
            advance(done, summary.found)
    if not summary.found:
        raise SourceError(f"{', '.join(places)} holds no sound files")
    return summary


def _parts(engine: Engine, wanted: Sequence[Track], clock: Callable[[], float]) -> Iterator[list[Row]]:
    """Rows as they are heard, gathered to parts; the last part comes also when the engine breaks off."""
    rows: list[Row] = []
    since = 0.0
    heard = engine.heard(blocks_of(wanted, engine.workers)) if wanted else iter(())
    try:
        for told in heard:
            if not rows:
                since = clock()
            rows += told
            if len(rows) >= PART_ROWS or (rows and clock() - since >= PART_SECONDS):
                part, rows = rows, []
                yield part
    except GeneratorExit:
        raise
    except BaseException:
        if rows:
            yield rows
        raise
    if rows:
        yield rows


@contextlib.contextmanager
def _engine(name: str, hearing: Hearing, workers: int) -> Iterator[Engine]:
    engine: Engine = RayEngine(hearing, workers) if name == "ray" else LocalEngine(hearing, workers)
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


def _report(summary: Summary, table: TrackTable) -> int:
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
