"""Analyze every track of a library into a table, on one machine or a cluster."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterator, Sequence

from models.manifest import ModelManifest
from realtime.config import AnalysisSettings
from realtime.errors import SettingsError, SourceError
from realtime.library.analysis import Row
from realtime.library.discovery import find_tracks
from realtime.library.executors import TrackExecutor, split_blocks
from realtime.library.table import TrackTable
from realtime.library.track import LibraryTrack

BATCH_TRACKS = 100_000
"""Tracks that are looked for before they are heard: what is held of a library at a time."""
PART_ROWS, PART_SECONDS = 1000, 30.0
"""A part is written when it has so many rows, or its first has waited so long."""

Advance = Callable[[int, int], None]


def open_table(out: str, hearing: AnalysisSettings, manifest: ModelManifest) -> TrackTable:
    """The table for rows that are heard in this way.

    Raises
    ------
    OverheardError
        See ``TrackTable``; or pyarrow is not installed.
    """
    try:
        return TrackTable(out, manifest.labels, hearing.describe(manifest))
    except ModuleNotFoundError as error:
        raise SettingsError(
            f"a table needs the package {error.name}; run pip install {error.name}"
        ) from error


class ScanSummary:
    """What a run came to: tracks ``found``, those ``heard`` now, all that are ``faulty``, and how long."""

    def __init__(self) -> None:
        self.found = self.heard = self.faulty = 0
        self.seconds = self.sound_seconds = 0.0


def scan_library(
    places: Sequence[str],
    table: TrackTable,
    engine: TrackExecutor,
    advance: Advance = lambda done, total: None,
    clock: Callable[[], float] = time.monotonic,
) -> ScanSummary:
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
    summary, started = ScanSummary(), clock()
    listing = find_tracks(places)
    while wave := list(itertools.islice(listing, BATCH_TRACKS)):
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


def _parts(
    engine: TrackExecutor, wanted: Sequence[LibraryTrack], clock: Callable[[], float]
) -> Iterator[list[Row]]:
    """Rows as they are heard, gathered to parts; the last part comes also when the engine breaks off."""
    rows: list[Row] = []
    since = 0.0
    heard = engine.heard(split_blocks(wanted, engine.workers)) if wanted else iter(())
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
