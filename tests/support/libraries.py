"""Library of tracks, its table, and an executor that returns made-up rows."""

from __future__ import annotations

import json
import os
import struct
from collections.abc import Iterator, Sequence
from dataclasses import replace
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

ANALYSIS_SETTINGS = AnalysisSettings.from_settings(Settings())
MANIFEST = ModelManifest.load()


def write_tracks(folder: Path, count: int) -> list[Path]:
    """Write ``count`` different tracks of six seconds."""
    sound = decode_file(str(DEMONSTRATION), SAMPLE_RATE)
    folder.mkdir(exist_ok=True)
    starts = (number * 7 * SAMPLE_RATE for number in range(count))
    return [
        write(folder / f"{number:02}.wav", sound[start : start + 6 * SAMPLE_RATE], SAMPLE_RATE)
        for number, start in enumerate(starts)
    ]


def open_table(path: Path | str, settings: AnalysisSettings = ANALYSIS_SETTINGS) -> TrackTable:
    return TrackTable(str(path), MANIFEST.labels, settings.describe(MANIFEST))


def scan(
    library: Path | str,
    out: Path | str,
    executor: TrackExecutor,
    settings: AnalysisSettings = ANALYSIS_SETTINGS,
) -> ScanSummary:
    """Scan ``library`` once, and close its table, so that another scan may write it afterwards."""
    with open_table(out, settings) as table:
        return scan_library([str(library)], table, executor)


def read_rows(path: Path) -> list[dict[str, Any]]:
    """Read the rows with pandas, as most users do."""
    import pandas

    frame = pandas.read_parquet(path).sort_values("uri")
    return list(json.loads(frame.to_json(orient="records", date_format="iso")))


class CountingExecutor:
    """Executor that makes rows up, lists its tracks, and is interrupted after ``max_blocks`` blocks."""

    workers = 1

    def __init__(self, max_blocks: int = 1000, fault: str | None = None, *, retry: bool = False) -> None:
        self.analyzed: list[str] = []
        self._max_blocks, self._fault, self._retry = max_blocks, fault, retry

    def analyze(self, blocks: Sequence[Block]) -> Iterator[list[Row]]:
        for number, block in enumerate(blocks):
            if number == self._max_blocks:
                raise KeyboardInterrupt
            self.analyzed += [track.name for track in block]
            yield [made_up_row(track, self._fault, retry=self._retry) for track in block]

    def close(self) -> None:
        pass


def made_up_row(track: LibraryTrack, fault: str | None = None, *, retry: bool = False) -> Row:
    return {
        "uri": track.name, "size": track.size, "modified": track.modified, "duration_seconds": 6.0,
        "label": "jazz", "confidence": 0.5, "unsure": False, "probabilities": [0.1] * 10, "music_share": 1.0,
        "windows": 3, "fault": fault, "retry": retry,
    }  # fmt: skip


def read_uris(path: Path) -> list[str]:
    return [str(row["uri"]) for row in read_rows(path)]


def settings_with_limit(seconds: float) -> AnalysisSettings:
    return replace(ANALYSIS_SETTINGS, max_track_seconds=seconds)


@pytest.fixture
def endless_file(tmp_path: Path) -> Path:
    """A file of 37 hours of silence, which takes minutes to analyze and no space on the disk."""
    path, size = tmp_path / "endless.wav", (1 << 31) - 100
    form = (b"fmt ", 16, 1, 1, 8000, 16_000, 2, 16)  # PCM, mono, 8 kHz, 16 bits
    header = struct.pack("<4sI4s4sIHHIIHH4sI", b"RIFF", size + 36, b"WAVE", *form, b"data", size)
    path.write_bytes(header)
    os.truncate(path, len(header) + size)
    return path
