"""Library of tracks, its table, and an executor that analyzes nothing."""

from __future__ import annotations

import json
import os
import struct
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from models.audio.file import decode_file
from models.manifest import ModelManifest
from realtime.config import AnalysisSettings, Settings
from realtime.library.analysis import Row
from realtime.library.executors import Block, TrackExecutor
from realtime.library.scan import ScanSummary, scan_library
from realtime.library.table import TrackTable
from realtime.library.track import LibraryTrack
from tests.support.audio import write
from tests.support.paths import DEMONSTRATION
from training.data.windows import SAMPLE_RATE

HEARING = AnalysisSettings.from_settings(Settings())
MANIFEST = ModelManifest.load()


def music(folder: Path, count: int) -> list[Path]:
    """So many different tracks of six seconds."""
    sound = decode_file(str(DEMONSTRATION), SAMPLE_RATE)
    folder.mkdir(exist_ok=True)
    starts = (number * 7 * SAMPLE_RATE for number in range(count))
    return [
        write(folder / f"{number:02}.wav", sound[start : start + 6 * SAMPLE_RATE], SAMPLE_RATE)
        for number, start in enumerate(starts)
    ]


def table_at(path: Path | str, hearing: AnalysisSettings = HEARING) -> TrackTable:
    return TrackTable(str(path), MANIFEST.labels, hearing.describe(MANIFEST))


def run(
    place: Path | str, out: Path | str, engine: TrackExecutor, hearing: AnalysisSettings = HEARING
) -> ScanSummary:
    """One run of the command, whose table another may write afterwards."""
    with table_at(out, hearing) as table:
        return scan_library([str(place)], table, engine)


def rows_of(path: Path) -> list[dict[str, Any]]:
    """As pandas reads them, which everybody does."""
    import pandas

    frame = pandas.read_parquet(path).sort_values("uri")
    return list(json.loads(frame.to_json(orient="records", date_format="iso")))


class Counted:
    """An engine that makes rows up, counts what it is given, and breaks off after so many blocks."""

    workers = 1

    def __init__(self, most: int = 1000, fault: str | None = None, *, retry: bool = False) -> None:
        self.given: list[str] = []
        self._most, self._fault, self._retry = most, fault, retry

    def analyze(self, blocks: Sequence[Block]) -> Iterator[list[Row]]:
        for number, block in enumerate(blocks):
            if number == self._most:
                raise KeyboardInterrupt
            self.given += [track.name for track in block]
            yield [made_up(track, self._fault, retry=self._retry) for track in block]

    def close(self) -> None:
        pass


def made_up(track: LibraryTrack, fault: str | None = None, *, retry: bool = False) -> Row:
    return {
        "uri": track.name, "size": track.size, "modified": track.modified, "duration_seconds": 6.0,
        "label": "jazz", "confidence": 0.5, "unsure": False, "probabilities": [0.1] * 10, "music_share": 1.0,
        "windows": 3, "fault": fault, "retry": retry,
    }  # fmt: skip


def names_in(path: Path) -> list[str]:
    return [str(row["uri"]) for row in rows_of(path)]


def hearing_in(seconds: float) -> AnalysisSettings:
    return AnalysisSettings(HEARING.model, HEARING.smoothing, HEARING.silence, max_track_seconds=seconds)


@pytest.fixture
def endless(tmp_path: Path) -> Path:
    """A file of 37 hours of silence, which takes minutes to hear and no room on the disk."""
    path, size = tmp_path / "endless.wav", (1 << 31) - 100
    form = (b"fmt ", 16, 1, 1, 8000, 16_000, 2, 16)  # PCM, mono, 8 kHz, 16 bits
    header = struct.pack("<4sI4s4sIHHIIHH4sI", b"RIFF", size + 36, b"WAVE", *form, b"data", size)
    path.write_bytes(header)
    os.truncate(path, len(header) + size)
    return path
