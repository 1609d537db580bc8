"""Hears a group of stations in one process, with one model; whoever asks gets what was heard since.

Here (``python -m realtime.monitoring.group``) it is a child of ``overheard monitor`` that writes a message a
line, and an empty one each second without any; on a cluster it is in an actor. A station that cannot be
opened, ends or fails is opened again for good.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import random
import sys
import threading
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import asdict

from models.classifier import LockedClassifier, load_classifier
from models.common.concurrency import backoff_seconds
from models.errors import OverheardError
from realtime.audio.source import AudioBlock, AudioSource
from realtime.clock import Clock, SystemClock
from realtime.config import AnalysisSettings
from realtime.monitoring.stations import Group, Station
from realtime.pipeline.child import bootstrap_child
from realtime.pipeline.worker import AnalysisWorker, failure_code
from realtime.protocol.builders import state_message
from realtime.protocol.codes import StateCode
from realtime.protocol.estimate import StreamState
from realtime.protocol.health import SourceStatus
from realtime.protocol.messages import Message, SpectrumMessage, StateMessage, encode
from realtime.sources.factory import open_source

logger = logging.getLogger(__name__)

FIRST_WAIT_SECONDS, LONGEST_WAIT_SECONDS = 0.5, 30.0
"""Before a station that could not be opened, or has ended, is opened again; each wait twice the last."""
STEADY_SECONDS = 60.0
"""A station that was heard for so long is opened again as soon as at first."""
MAX_WAITING_MESSAGES = 64
"""Messages a station that wait to be taken; the oldest go first. At the model's hop half a minute's."""
BEAT_SECONDS = 1.0
"""The child says at least an empty line so often: one that says nothing hangs."""
INTERNAL_ERROR = "internal error"
"""What clients are told of a fault that nobody foresaw; its own words may hold anything and go to the log."""


class NamedSource:
    """Another source under a name of its own."""

    def __init__(self, source: AudioSource, name: str) -> None:
        self.name = name
        self.sample_rate = source.sample_rate
        self.is_live = source.is_live
        self._source = source

    def blocks(self) -> Iterator[AudioBlock]:
        """Its blocks."""
        return self._source.blocks()

    def status(self) -> SourceStatus:
        """Its status."""
        return self._source.status()

    def close(self) -> None:
        """End it."""
        self._source.close()


class StationGroup:
    """Hears stations, each on threads of its own, until ``stop``.

    Messages are those of ``listen`` without spectrum. Whoever gathers them numbers them again, so that the
    numbers go on when a group begins anew elsewhere.

    Parameters
    ----------
    stations : Group
    hearing : AnalysisSettings
        Model and settings.

    Attributes
    ----------
    dropped : int
        Messages that nobody took in time.

    Raises
    ------
    ModelError
        The model cannot be loaded.
    RuntimeError
        There are no more threads to be had.
    """

    def __init__(self, stations: Group, hearing: AnalysisSettings, clock: Clock | None = None) -> None:
        self.dropped = 0
        self._chosen = hearing.settings
        self._clock = clock or SystemClock()
        self._classifier = LockedClassifier(load_classifier(hearing.model.manifest, hearing.model.runtime))
        self._waiting: deque[Message] = deque(maxlen=MAX_WAITING_MESSAGES * len(stations))
        self._changed = threading.Condition()
        self._stopped = threading.Event()
        self._workers: dict[str, AnalysisWorker] = {}
        try:
            for station in stations:
                name = f"station {station.name}"
                threading.Thread(target=self._hear, args=(station,), name=name, daemon=True).start()
        except RuntimeError:
            self.stop()  # nobody would take what the first ones hear
            raise

    def take(self, wait_seconds: float) -> list[Message]:
        """What was said since the last time; waits for something at most so long. Called on any thread."""
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._stopped.is_set(), wait_seconds)
            taken = list(self._waiting)
            self._waiting.clear()
        return taken

    def stop(self) -> None:
        """End all stations; their threads end soon."""
        self._stopped.set()
        with self._changed:
            self._changed.notify_all()
        for worker in list(self._workers.values()):
            worker.stop()

    def _hear(self, station: Station) -> None:
        """Runs on the station's thread."""
        failures = 0
        while not self._stopped.is_set():
            began = self._clock.monotonic()
            reason, code = self._hear_once(station)
            if self._clock.monotonic() - began > STEADY_SECONDS:
                failures = 0
            failures += 1
            now = self._clock.unix(self._clock.monotonic())
            self._put(state_message(station.name, now, StreamState.RECOVERING, reason, code))
            self._stopped.wait(
                backoff_seconds(failures, FIRST_WAIT_SECONDS, LONGEST_WAIT_SECONDS, random.random())
            )

    def _hear_once(self, station: Station) -> tuple[str, StateCode]:
        """Analyze the station until its end. Returns why it ended, in words that any client may read."""
        fault: Exception | None
        try:
            with contextlib.closing(
                NamedSource(open_source(station.url, 1.0, self._clock), station.name)
            ) as source:
                worker = AnalysisWorker(source, self._classifier, self._chosen, self._clock, self._put)
                self._workers[station.name] = worker
                if self._stopped.is_set():
                    return "", StateCode.STREAM_ENDED
                worker.start()
                worker.join()
                fault = worker.error
        except Exception as error:  # a thread that ended here would leave the station silent for good
            fault = error
        if fault is None:
            return "the stream has ended", StateCode.STREAM_ENDED
        if isinstance(fault, OverheardError):
            return str(fault), failure_code(fault)
        logger.error("station %s: %s", station.name, INTERNAL_ERROR, exc_info=fault)
        return INTERNAL_ERROR, StateCode.ANALYZER_ERROR

    def _put(self, message: Message) -> None:
        if isinstance(message, SpectrumMessage) or (
            isinstance(message, StateMessage) and message.state.is_final
        ):
            return
        with self._changed:
            self.dropped += len(self._waiting) == self._waiting.maxlen
            self._waiting.append(message)
            self._changed.notify_all()


def child_argv(stations: Group, hearing: AnalysisSettings) -> list[str]:
    """The command of the child that hears a group; the group itself, which may hold passwords, it reads."""
    return [sys.executable, "-m", "realtime.monitoring.group", json.dumps(asdict(hearing))]


def child_stdin(stations: Group) -> bytes:
    """What it reads first."""
    return (json.dumps([asdict(station) for station in stations]) + "\n").encode()


def _child(words: Sequence[str]) -> None:
    """What the child does, until its input ends."""
    told, hearing = bootstrap_child(words[0])
    stations = tuple(Station(**each) for each in json.loads(sys.stdin.readline()))
    group = StationGroup(stations, hearing)
    over = threading.Event()

    def until_the_end() -> None:
        sys.stdin.read()
        over.set()
        group.stop()

    threading.Thread(target=until_the_end, daemon=True).start()
    with contextlib.suppress(BrokenPipeError):
        while not over.is_set():
            lines = [encode(message) for message in group.take(BEAT_SECONDS)]
            told.write("\n".join(lines) + "\n")
            told.flush()
    os._exit(0)  # captures may take seconds to end, and nobody waits for them


if __name__ == "__main__":
    _child(sys.argv[1:])
