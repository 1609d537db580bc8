"""Messages as the analyzer sends them, and history files that contain them."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

from models.manifest import ModelManifest
from realtime.clock import SystemClock
from realtime.config import Settings
from realtime.history.audio_buffer import RecentAudioBuffer
from realtime.history.recorder import HistoryRecorder
from realtime.history.service import HistoryService
from realtime.history.store import HistoryStore
from realtime.history.writer import HistoryWriter
from realtime.pipeline.worker import AnalysisWorker
from realtime.protocol import builders
from realtime.protocol.estimate import StreamState
from realtime.protocol.health import Percentiles, PipelineHealth, SourceStatus
from realtime.protocol.messages import EstimateMessage, HealthMessage, Message, StateMessage
from realtime.protocol.requests import CorrectLabel, DeleteHistory
from realtime.sources.file import ArraySource, FileSource, played_file
from tests.support.audio import programme
from tests.support.classifier import LoudestRowClassifier, manifest
from tests.support.clock import VirtualClock
from tests.support.paths import ROOT
from tests.support.protocol import estimate_message, validate_definition

WINDOW, HOP = 5.0, 0.5
RATE = 22_050
MODEL = manifest()  # blues, jazz, rock


def estimate(
    at: float,
    genre: str | None = "jazz",
    state: str = "LISTENING",
    confidence: float = 0.8,
    source: str = "radio",
    leading: str | None = None,
    tags: Mapping[str, float] | None = None,
) -> EstimateMessage:
    """Return an estimate at ``at`` seconds of the stream, which started at Unix second 1000."""
    label = leading or genre
    probabilities = {} if genre is None else {genre: confidence}
    if leading:
        probabilities[leading] = 0.9
    return estimate_message(
        label,
        stable=genre,
        state=state,
        probabilities=probabilities,
        confidence=max(probabilities.values(), default=0.0),
        source=source,
        captured_at=1_000 + at,
        start_seconds=at - WINDOW,
        end_seconds=at,
        tags=tags,
    )


def state(at: float, name: str, detail: str = "", source: str = "radio") -> StateMessage:
    return builders.state_message(source, 1_000 + at, StreamState(name), detail)


def health(at: float, gaps: int = 0, lost: int = 0, device: str = "", source: str = "radio") -> HealthMessage:
    pipeline = PipelineHealth(9, lost, gaps, 9, 0, 0, 20.0, Percentiles(1, 2, 3))
    return builders.health_message(source, 1_000 + at, pipeline, SourceStatus(device=device), 0)


def query(path: Path, sql: str) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(path, timeout=10)) as connection:
        return connection.execute(sql).fetchall()


def get_clock(recorder: HistoryRecorder) -> VirtualClock:
    """Return the clock of a recorder that was made with a virtual one."""
    assert isinstance(recorder._clock, VirtualClock)
    return recorder._clock


CHILD_IMPORTS = """
import json, os, sys, threading
from pathlib import Path
from realtime.clock import SystemClock
from realtime.history.writer import HistoryWriter
from tests.support.histories import estimate, state
from tests.support.waiting import wait_until
"""


def start_child(script: str, *arguments: str) -> subprocess.Popen[str]:
    """Run a script in a process of its own, after the imports of ``CHILD_IMPORTS``."""
    return subprocess.Popen(
        [sys.executable, "-c", CHILD_IMPORTS + script, *arguments],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def damage_header(path: Path) -> None:
    path.write_bytes(b"this is no database" * 1_000)


def damage_middle(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[4_096:] = b"\xa5" * (len(content) - 4_096)
    path.write_bytes(content)


VERSION_1 = """
CREATE TABLE sessions (id INTEGER PRIMARY KEY AUTOINCREMENT, key TEXT NOT NULL UNIQUE,
    source TEXT NOT NULL, model TEXT NOT NULL, model_version TEXT NOT NULL,
    started REAL NOT NULL, seen REAL NOT NULL, ended REAL);
CREATE TABLE segments (session INTEGER NOT NULL REFERENCES sessions (id), number INTEGER NOT NULL,
    genre TEXT, state TEXT NOT NULL, started REAL NOT NULL, ended REAL NOT NULL, seconds REAL NOT NULL,
    confidence REAL, estimates INTEGER NOT NULL, PRIMARY KEY (session, number)) WITHOUT ROWID;
CREATE TABLE events (session INTEGER NOT NULL REFERENCES sessions (id), number INTEGER NOT NULL,
    at REAL NOT NULL, kind TEXT NOT NULL, detail TEXT NOT NULL,
    PRIMARY KEY (session, number)) WITHOUT ROWID;
PRAGMA application_id = 1333160050;
PRAGMA user_version = 1;
PRAGMA journal_mode = WAL;
INSERT INTO sessions VALUES (1, 'k1', 'radio', 'net', '1.0', 1000, 1020, 1020);
INSERT INTO segments VALUES (1, 1, 'jazz', 'LISTENING', 1000, 1010, 10, 0.8, 11);
INSERT INTO segments VALUES (1, 2, 'rock', 'LISTENING', 1010, 1020, 10, 0.7, 20);
INSERT INTO events VALUES (1, 1, 1000, 'warming_up', '');
"""
"""SQL of a file of version 1. Do not change the text, because users have such files."""


def write_version_1(path: Path) -> Path:
    """Write a history of version 1 with one session of two segments."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(VERSION_1)
    return path


def write_version_2(path: Path) -> Path:
    """Write a history of version 2 with three sessions and two corrections."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(Path(__file__).with_name("history_version_2.sql").read_text())
    return path


def write_version_3(path: Path) -> Path:
    """Write a history of version 3 with the rows of the one of version 2."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(Path(__file__).with_name("history_version_3.sql").read_text())
    return path


def write_history(path: Path, *messages: Message) -> Path:
    """Write a history of these messages. Its sessions have ended."""
    recorder = HistoryRecorder(HistoryStore(path, "net", "1.2"), VirtualClock())
    for message in messages:
        recorder.add(message)
    recorder.close()
    return path


class RunningHistory:
    """History with its writing thread, its service and the buffered audio."""

    def __init__(
        self,
        path: Path,
        minutes: float = 3.0,
        model: ModelManifest = MODEL,
        flush_seconds: float = 0.05,
    ) -> None:
        self.path = path
        self.clock = SystemClock()
        self.audio = RecentAudioBuffer(minutes, self.clock)
        self.writer = HistoryWriter(
            path, self.clock, "net", "1", flush_seconds=flush_seconds, played_file=self.audio.played_file
        )
        self.service = HistoryService(path, self.writer, self.clock, model, self.audio)

    def play(self, source: ArraySource | FileSource) -> None:
        """Analyze a source to its end, as the program does."""
        classifier = LoudestRowClassifier()
        append = self.audio.start(source.name, classifier.manifest.audio, played_file(source))
        worker = AnalysisWorker(source, classifier, Settings(), self.clock, self.writer.consume, keep=append)
        worker.run()
        assert worker.error is None

    def play_programme(self) -> None:
        """Analyze twelve seconds each of blues, jazz and rock."""
        self.play(ArraySource(programme(), RATE, self.clock, "three tones"))

    def correct(self, segment: int, genre: str | None, session: int = 1) -> str:
        return self.service.handle_control(
            CorrectLabel(id="1", session=session, segment=segment, genre=genre)
        ).detail

    def delete_all(self) -> str:
        return self.service.handle_control(DeleteHistory(id="1")).detail

    def document(self, rest: str = "", status: int = 200) -> Any:
        """Return the document at ``/history/rest``, which must have this status and match the schema."""
        found, text = self.service.read_document(rest)
        assert found == status, text
        document = json.loads(text)
        if status == 200:
            validate_definition("history_session" if rest else "history_overview", document)
        return document

    def longest_segment(self, genre: str) -> dict[str, Any]:
        """Return the longest segment of session 1 with that genre."""
        segments = [each for each in self.document("1")["segments"] if each["genre"] == genre]
        found: dict[str, Any] = max(segments, key=lambda each: each["seconds"])
        return found

    def clips(self) -> list[str]:
        """Return the saved clips, relative to the folder of corrections."""
        folder = self.path.parent / "corrections"
        return sorted(str(each.relative_to(folder)) for each in folder.glob("*/*"))
