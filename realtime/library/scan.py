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
"""Tracks that are found before they are analyzed. Batches limit the memory for a library."""
PART_ROWS, PART_SECONDS = 1000, 30.0
"""Number of rows, or age of the first row in seconds, at which a part of the table is written."""

Advance = Callable[[int, int], None]
"""Function that shows the progress, called with the numbers of tracks done and of tracks found so far."""


def open_table(out: str, settings: AnalysisSettings, manifest: ModelManifest) -> TrackTable:
    """Open the table for tracks that are analyzed with the given settings and model.

    Raises
    ------
    OverheardError
        If pyarrow is not installed, or ``TrackTable`` cannot open the table.
    """
    try:
        return TrackTable(out, manifest.labels, settings.describe(manifest), manifest.embedding_size)
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
        Duration of the run, and of the audio that the run analyzed.
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
    """Analyze the tracks that need a new row in the table, and write their rows.

    If the run fails or is interrupted, the rows of all analyzed tracks are still written.

    Parameters
    ----------
    places : sequence of str
        See ``find_tracks``.
    table : TrackTable
    executor : TrackExecutor
    advance : callable
        Called with the progress.
    clock : callable
        Returns monotonic seconds.

    Raises
    ------
    OverheardError
        If a place cannot be read, the table cannot be written, or the cluster is lost.
    """
    summary, started = ScanSummary(), clock()
    all_tracks = find_tracks(places)
    while batch := list(itertools.islice(all_tracks, BATCH_TRACKS)):
        tracks = list({track.uri: track for track in batch}.values())
        summary.found += len(tracks)
        outdated = [track for track in tracks if not table.is_current(track)]
        summary.faulty += sum(table.is_current(track) and table.is_faulty(track) for track in tracks)
        done = summary.found - len(outdated)
        advance(done, summary.found)
        for rows in _gather_parts(executor, outdated, clock):
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
    executor: TrackExecutor, tracks: Sequence[LibraryTrack], clock: Callable[[], float]
) -> Iterator[list[Row]]:
    """Analyze tracks, and yield their rows in parts. The last part is yielded even if the executor fails."""
    rows: list[Row] = []
    began_at = 0.0
    results = executor.analyze(split_blocks(tracks, executor.workers)) if tracks else iter(())
    try:
        for new_rows in results:
            if not rows:
                began_at = clock()
            rows += new_rows
            if len(rows) >= PART_ROWS or (rows and clock() - began_at >= PART_SECONDS):
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
