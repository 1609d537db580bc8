"""Analyze a group of stations in one process with one model, and collect their messages.

``python -m realtime.monitoring.group`` is the child process of ``overheard monitor``. The child writes one
message per line, and an empty line after each second without messages. On a cluster the group runs in an
actor. A station that cannot be opened, ends or fails is reopened without limit, unless its content crashes
the decoder again and again.
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

from models.audio.decoder_process import use_server
from models.classifier import LockedClassifier, load_classifier
from models.common.concurrency import backoff_seconds
from models.errors import OverheardError
from realtime.audio.source import AudioBlock, AudioSource
from realtime.clock import SystemClock, unix_now
from realtime.config import AnalysisSettings
from realtime.errors import SourceCrashError
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

FIRST_BACKOFF_SECONDS, MAX_BACKOFF_SECONDS = 0.5, 30.0
"""First and longest pause before a station is reopened. Each pause is twice the last pause."""
STEADY_SECONDS = 60.0
"""Time of analysis after which earlier failures and crashes of a station no longer count."""
MAX_CRASHES = 3
"""Failures of a station because of a crash of its decoder, after which the station is given up."""
MAX_WAITING_MESSAGES = 64
"""Messages of each station that may wait, half a minute at the model's hop. The oldest are dropped."""
HEARTBEAT_SECONDS = 1.0
"""Interval at which the child writes at least an empty line, so that the parent detects a hang."""
INTERNAL_ERROR = "internal error"
"""Reason for clients after an unexpected error. The error itself may contain secrets and is only logged."""


class NamedSource:
    """Source that has the name of its station instead of its address."""

    def __init__(self, source: AudioSource, name: str) -> None:
        self.name = name
        self.sample_rate = source.sample_rate
        self.is_live = source.is_live
        self._source = source

    def blocks(self) -> Iterator[AudioBlock]:
        """Yield the blocks of the source."""
        return self._source.blocks()

    def status(self) -> SourceStatus:
        """Return the status of the source."""
        return self._source.status()

    def close(self) -> None:
        """Close the source."""
        self._source.close()


class StationGroup:
    """Group of stations that are analyzed until ``stop``, each on separate threads.

    The messages are those of ``listen`` without spectrum. Their receiver renumbers the messages, so that the
    numbers continue if a group is restarted elsewhere.

    Parameters
    ----------
    stations : Group
    settings : AnalysisSettings

    Attributes
    ----------
    dropped : int
        Number of messages that were dropped because ``take`` was not called in time.

    Raises
    ------
    ModelError
        If the model cannot be loaded.
    RuntimeError
        If the system cannot start another thread.
    """

    def __init__(self, stations: Group, settings: AnalysisSettings) -> None:
        self.dropped = 0
        self._settings = settings.settings
        self._clock = SystemClock()
        self._classifier = LockedClassifier(load_classifier(settings.model.manifest, settings.model.runtime))
        self._waiting: deque[Message] = deque(maxlen=MAX_WAITING_MESSAGES * len(stations))
        self._changed = threading.Condition()
        self._stopped = threading.Event()
        self._workers: dict[str, AnalysisWorker] = {}
        try:
            for station in stations:
                name = f"station {station.name}"
                threading.Thread(target=self._run_station, args=(station,), name=name, daemon=True).start()
        except RuntimeError:
            self.stop()  # otherwise the first stations would continue to run without a receiver
            raise

    def take(self, wait_seconds: float) -> list[Message]:
        """Wait for a message, and return all messages since the last call. Any thread may call this method.

        Parameters
        ----------
        wait_seconds : float
            Maximum wait. The list is empty if no message arrives in this time.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._stopped.is_set(), wait_seconds)
            taken = list(self._waiting)
            self._waiting.clear()
        return taken

    def stop(self) -> None:
        """Stop all stations. Their threads end soon afterwards."""
        self._stopped.set()
        with self._changed:
            self._changed.notify_all()
        for worker in list(self._workers.values()):
            worker.stop()

    def _run_station(self, station: Station) -> None:
        """Analyze a station on its thread, and reopen it after each end."""
        failures = crashes = 0
        while not self._stopped.is_set():
            began = self._clock.monotonic()
            reason, code, fault = self._analyze_once(station)
            if self._clock.monotonic() - began > STEADY_SECONDS:
                failures = crashes = 0
            crashes += isinstance(fault, SourceCrashError)
            if crashes >= MAX_CRASHES:
                logger.error("station %s is given up: %s", station.name, reason)
                now = unix_now(self._clock)
                self._enqueue(state_message(station.name, now, StreamState.FAILED, reason, code))
                return
            failures += 1
            now = unix_now(self._clock)
            self._put(state_message(station.name, now, StreamState.RECOVERING, reason, code))
            self._stopped.wait(
                backoff_seconds(failures, FIRST_BACKOFF_SECONDS, MAX_BACKOFF_SECONDS, random.random())
            )

    def _analyze_once(self, station: Station) -> tuple[str, StateCode, Exception | None]:
        """Analyze a station until its end. Return the reason for clients, its code and the error."""
        fault: Exception | None
        try:
            with contextlib.closing(
                NamedSource(open_source(station.url, 1.0, self._clock), station.name)
            ) as source:
                worker = AnalysisWorker(source, self._classifier, self._settings, self._clock, self._put)
                self._workers[station.name] = worker
                if self._stopped.is_set():
                    return "", StateCode.STREAM_ENDED, None
                worker.start()
                worker.join()
                fault = worker.error
        except Exception as error:  # otherwise the thread would end and never reopen the station
            fault = error
        if fault is None:
            return "the stream has ended", StateCode.STREAM_ENDED, None
        if isinstance(fault, OverheardError):
            return str(fault), failure_code(fault), fault
        logger.error("station %s: %s", station.name, INTERNAL_ERROR, exc_info=fault)
        return INTERNAL_ERROR, StateCode.ANALYZER_ERROR, fault

    def _put(self, message: Message) -> None:
        if isinstance(message, SpectrumMessage) or (
            isinstance(message, StateMessage) and message.state.is_final
        ):
            return
        self._enqueue(message)

    def _enqueue(self, message: Message) -> None:
        with self._changed:
            self.dropped += len(self._waiting) == self._waiting.maxlen
            self._waiting.append(message)
            self._changed.notify_all()


def child_argv(settings: AnalysisSettings, decoder_server: int | None = None) -> list[str]:
    """Return the command line of a child, without stations, because their addresses may contain passwords.

    The child inherits the descriptor ``decoder_server``, see ``models.audio.decoder_process.share_server``.
    """
    shared = [] if decoder_server is None else [str(decoder_server)]
    return [sys.executable, "-m", "realtime.monitoring.group", json.dumps(asdict(settings)), *shared]


def child_stdin(stations: Group) -> bytes:
    """Return the first line for the child's standard input, which contains the stations."""
    return (json.dumps([asdict(station) for station in stations]) + "\n").encode()


def _run_child(argv: Sequence[str]) -> None:
    """Analyze a group and write its messages until the standard input ends."""
    output, settings = bootstrap_child(argv[0])
    if argv[1:]:
        use_server(int(argv[1]))
    stations = tuple(Station(**each) for each in json.loads(sys.stdin.readline()))
    group = StationGroup(stations, settings)
    ended = threading.Event()

    def wait_for_end() -> None:
        sys.stdin.read()
        ended.set()
        group.stop()

    threading.Thread(target=wait_for_end, daemon=True).start()
    with contextlib.suppress(BrokenPipeError):
        while not ended.is_set():
            lines = [encode(message) for message in group.take(HEARTBEAT_SECONDS)]
            output.write("\n".join(lines) + "\n")
            output.flush()
    os._exit(0)  # without waiting for sources, which may take seconds to close


if __name__ == "__main__":
    _run_child(sys.argv[1:])
