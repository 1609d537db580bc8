"""An audio source that opens another source again whenever that one is lost or stalls."""

from __future__ import annotations

import logging
import math
import random
import threading
from collections.abc import Callable, Iterator
from concurrent import futures
from dataclasses import replace

import numpy as np

from models.audio.decoding import StreamResampler
from models.audio.samples import Samples, sanitize_samples
from models.common.concurrency import start_daemon_thread
from realtime.audio.source import AudioBlock, AudioSource
from realtime.clock import Clock
from realtime.errors import SourceError
from realtime.protocol.health import SourceStatus
from realtime.sources.watchdog import Liveness, ReconnectPolicy, Watchdog

logger = logging.getLogger(__name__)

POLL_SECONDS = 0.25
"""Interval of the empty blocks while a source is opened again; a source that opens is noticed that late."""

MIN_WARNING_INTERVAL_SECONDS = 5.0
"""A loss sooner than this after the last one is logged at DEBUG, so that a flapping source fills no log."""


class ReconnectingSource:
    """A source that opens an inner source again whenever that one is lost.

    Audio that was missed meanwhile leaves a jump of position. An inner source that ends without an error, as
    a file on a web server does, ends this source too. Name and sample rate never change: a device that comes
    back at another rate is resampled.

    Parameters
    ----------
    open_source : callable
        Opens the inner source. The constructor calls it once. Later calls have a thread of their own, because
        they may hang.
    clock : Clock
    name : str
        Name whatever the inner source is; empty for the name of the first inner source.
    policy : ReconnectPolicy, optional
    jitter : callable
        Returns a number in 0..1.
    wait : callable, optional
        Waits so many seconds or until ``close``. Tests inject it.

    Raises
    ------
    SourceError
        If the inner source does not open the first time.
    """

    def __init__(
        self,
        open_source: Callable[[], AudioSource],
        clock: Clock,
        *,
        name: str = "",
        policy: ReconnectPolicy | None = None,
        jitter: Callable[[], float] = random.random,
        wait: Callable[[float], object] | None = None,
    ) -> None:
        self._open = open_source
        self._clock = clock
        self._closed = threading.Event()
        self._ended = False
        self._wait = wait or self._closed.wait
        self._inner = open_source()
        self.name = name or self._inner.name
        self.sample_rate = self._inner.sample_rate
        self.is_live = self._inner.is_live
        self._watchdog = Watchdog(policy or ReconnectPolicy(), clock.monotonic(), jitter)
        self._past = SourceStatus()
        self._warned_at = -math.inf
        self._timeline = _Timeline(self.sample_rate)

    def status(self) -> SourceStatus:
        """Return the status of the inner source, with the losses of all inner sources before it."""
        now, past = self._inner.status(), self._past
        return replace(
            now,
            error=self._watchdog.reason,
            reconnects=past.reconnects,
            overflows=past.overflows + now.overflows,
            dropped_blocks=past.dropped_blocks + now.dropped_blocks,
        )

    def close(self) -> None:
        """Close the inner source and end ``blocks``."""
        self._closed.set()
        self._inner.close()

    def blocks(self) -> Iterator[AudioBlock]:
        """Yield the blocks of the inner sources, and empty blocks while there is none.

        Raises
        ------
        SourceError
            If no inner source delivered audio for ``give_up_seconds``.
        """
        while not self._closed.is_set():
            yield from self._forward()
            if self._closed.is_set() or self._ended:
                return
            lost_at = self._clock.monotonic()
            steady = lost_at - self._warned_at >= MIN_WARNING_INTERVAL_SECONDS
            level = logging.WARNING if steady else logging.DEBUG
            logger.log(level, "%s is lost: %s; opening it again", self.name, self._watchdog.reason)
            self._warned_at = lost_at
            self._inner.close()
            yield from self._reopen()
            if not self._closed.is_set():
                logger.log(
                    logging.INFO if steady else logging.DEBUG,
                    "%s is open again after %.1f s and %d attempts",
                    self.name,
                    self._clock.monotonic() - lost_at,
                    self._watchdog.attempts,
                )

    def _forward(self) -> Iterator[AudioBlock]:
        """Yield the blocks of the inner source until it ends or is lost."""
        watchdog = self._watchdog
        try:
            for block in self._inner.blocks():
                now = self._clock.monotonic()
                if len(block.samples):
                    watchdog.audio_received(now)
                    yield from self._timeline.place(block)
                else:
                    watchdog.nothing_received(now)
                    yield self._empty_block()
                if self._closed.is_set() or watchdog.state in (Liveness.RECOVERING, Liveness.FAILED):
                    return
            self._ended = True
        except SourceError as error:
            watchdog.lost(self._clock.monotonic(), str(error))

    def _reopen(self) -> Iterator[AudioBlock]:
        """Open the inner source again, and yield empty blocks meanwhile."""
        watchdog = self._watchdog
        while not self._closed.is_set():
            if watchdog.state is Liveness.FAILED:
                raise SourceError(f"{self.name} did not come back: {watchdog.reason}")
            now = self._clock.monotonic()
            if now < watchdog.next_attempt_at:
                self._wait(min(POLL_SECONDS, watchdog.next_attempt_at - now))
                yield self._empty_block()
                continue
            watchdog.attempts += 1
            attempt = start_daemon_thread(self._open, "reopening")
            while not attempt.done() and not self._closed.is_set():
                futures.wait([attempt], POLL_SECONDS)
                yield self._empty_block()
            if self._closed.is_set():
                attempt.add_done_callback(_close_unused)
            elif error := attempt.exception():
                watchdog.lost(self._clock.monotonic(), str(error) or repr(error))
            else:
                status = self.status()
                self._past = replace(status, error="", reconnects=status.reconnects + 1)
                self._inner = attempt.result()
                watchdog.opened(self._clock.monotonic())
                self._timeline.restart(self._inner.sample_rate)
                if self._closed.is_set():  # by another thread since the last check
                    self._inner.close()
                return

    def _empty_block(self) -> AudioBlock:
        nothing = sanitize_samples(np.empty(0, np.float32))
        return AudioBlock(nothing, self._timeline.end, self.sample_rate, self._clock.monotonic())


def _close_unused(attempt: futures.Future[AudioSource]) -> None:
    """Close a source that was opened too late; runs on the thread that opened it."""
    if attempt.exception() is None:
        attempt.result().close()


class _Timeline:
    """Maps the positions of successive inner sources to one timeline at one sample rate."""

    def __init__(self, sample_rate: int) -> None:
        self.end = 0
        """Position after the last sample of the timeline."""
        self._rate = sample_rate
        self._converter = StreamResampler(sample_rate, sample_rate)
        self._captured_at: float | None = None
        self._base = 0
        self._fresh, self._flagged = True, False
        self._run_start = self._run_length = self._expected = 0

    def restart(self, sample_rate: int) -> None:
        """Expect the blocks of another inner source from now on."""
        self._converter = StreamResampler(sample_rate, self._rate)
        self._fresh = True

    def place(self, block: AudioBlock) -> Iterator[AudioBlock]:
        """Yield a block with its position on the timeline; the filter may hold some samples back."""
        self._flagged |= block.overflowed
        if self._fresh:
            missed_seconds = 0.0
            if self._captured_at is not None:
                self._flagged = True
                started_at = block.captured_at - len(block.samples) / block.sample_rate
                missed_seconds = started_at - self._captured_at
            missed = round(max(0.0, missed_seconds) * self._rate)
            self._base = self.end + missed - self._convert_position(block.position)
            self._fresh = False
            self._begin_run(block.position)
        elif block.position != self._expected:
            yield from self._emit(self._converter.flush(), self._captured_at or block.captured_at, False)
            self._begin_run(block.position)
        self._expected = block.position + len(block.samples)
        self._captured_at = block.captured_at
        samples = self._converter.push(block.samples)
        if len(samples):
            yield from self._emit(samples, block.captured_at, self._flagged)
            self._flagged = False

    def _emit(self, samples: Samples, captured_at: float, flagged: bool) -> Iterator[AudioBlock]:
        position = max(self.end, self._base + self._convert_position(self._run_start) + self._run_length)
        self._run_length += len(samples)
        self.end = position + len(samples)
        if len(samples):
            yield AudioBlock(samples, position, self._rate, captured_at, flagged)

    def _begin_run(self, position: int) -> None:
        self._run_start, self._run_length = position, 0

    def _convert_position(self, position: int) -> int:
        return self._converter.target_position(position)
