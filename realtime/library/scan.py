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
"""Tracks that are found before they are analyzed. The batch bounds the memory for a library."""
PART_ROWS, PART_SECONDS = 1000, 30.0
"""Rows and age in seconds of a part of the table before it is written."""

Advance = Callable[[int, int], None]
"""Reports progress: tracks done, and tracks found so far."""


def open_table(out: str, settings: AnalysisSettings, manifest: ModelManifest) -> TrackTable:
    """Open the table for tracks that are analyzed with these settings.

    Raises
    ------
    OverheardError
        If pyarrow is not installed, or ``TrackTable`` cannot open the table.
    """
    try:
        return TrackTable(out, manifest.labels, settings.describe(manifest))
    except ModuleNotFoundError as error:
        raise SettingsError(
            f"a table needs the package {error.name}; run pip install {error.name}"
        ) from error


class ScanSummary:
    """Result of a scan.

    Attributes
    ----------
    found, analyzed, faulty : int
        Tracks found, tracks analyzed by this run, and tracks whose row has an error.
    seconds, audio_seconds : float
        Duration of the run, and of the audio that it analyzed.
    """

    def __init__(self) -> None:
        self.found = self.analyzed = self.faulty = 0
        self.seconds = self.audio_seconds = 0.0


def scan_library(
    places: Sequence[str],
    table: TrackTable,
    executor: TrackExecutor,
    advance: Advance = lambda done, total: None,
    clock: Callable[[], float] = time.monotonic,
) -> ScanSummary:
    """Analyze the tracks that the table does not have yet, and write their rows.

    Rows that exist when the run fails or is interrupted are written as well.

    Parameters
    ----------
    places : sequence of str
        See ``find_tracks``.
    table : TrackTable
    executor : TrackExecutor
    advance : callable
        Receives the progress.
    clock : callable
        Returns monotonic seconds.

    Raises
    ------
    OverheardError
        If a place cannot be read, the table cannot be written, or the cluster is lost.
    """
    summary, started = ScanSummary(), clock()
    listing = find_tracks(places)
    while batch := list(itertools.islice(listing, BATCH_TRACKS)):
        tracks = list({track.uri: track for track in batch}.values())
        summary.found += len(tracks)
        wanted = [track for track in tracks if not table.is_current(track)]
        summary.faulty += sum(table.is_current(track) and table.is_faulty(track) for track in tracks)
        done = summary.found - len(wanted)
        advance(done, summary.found)
        for rows in _gather_parts(executor, wanted, clock):
            table.write(rows)
            done += len(rows)
            summary.analyzed += len(rows)
            summary.faulty += sum(row["fault"] is not None for row in rows)
            summary.audio_seconds += sum(row["duration_seconds"] or 0.0 for row in rows)
            summary.seconds = clock() - started
            advance(done, summary.found)
    if not summary.found:
        raise SourceError(f"{', '.join(places)} has no audio files")
    return summary


def _gather_parts(
    executor: TrackExecutor, wanted: Sequence[LibraryTrack], clock: Callable[[], float]
) -> Iterator[list[Row]]:
    """Yield rows gathered into parts. The last part is yielded even if the executor fails."""
    rows: list[Row] = []
    since = 0.0
    results = executor.analyze(split_blocks(wanted, executor.workers)) if wanted else iter(())
    try:
        for new_rows in results:
            if not rows:
                since = clock()
            rows += new_rows
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
