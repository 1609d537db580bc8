"""Histories that several test modules write to."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from realtime.history.recorder import HistoryRecorder
from realtime.history.store import HistoryStore
from tests.support.clock import VirtualClock
from tests.support.histories import RunningHistory


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Path of a history that does not exist yet, and neither do two of its folders."""
    return tmp_path / "data" / "overheard" / "history.sqlite"


@pytest.fixture
def recorder(path: Path) -> Iterator[HistoryRecorder]:
    """Recorder without its thread, in virtual time. A lock of the file makes it wait for 0.05 s."""
    made = HistoryRecorder(HistoryStore(path, "net", "1.2", busy_seconds=0.05), VirtualClock())
    yield made
    made.close()


@pytest.fixture
def running(path: Path) -> Iterator[RunningHistory]:
    """History with its writing thread, its service and buffered audio."""
    made = RunningHistory(path)
    yield made
    made.writer.close()
