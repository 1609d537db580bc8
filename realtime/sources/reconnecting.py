"""Reopen an audio source whenever it is lost or stalls."""

from __future__ import annotations

import logging
import math
import random
import threading
from collections import deque
from collections.abc import Callable, Iterator
from concurrent import futures
from dataclasses import replace

from models.audio.decoding import StreamResampler
from models.audio.samples import Samples
from models.common.concurrency import start_daemon_thread
from models.common.text import format_count
from realtime.audio.source import AudioBlock, AudioSource
from realtime.clock import Clock
from realtime.errors import SourceCrashError, SourceError
from realtime.protocol.health import SourceStatus
from realtime.sources.watchdog import Liveness, ReconnectPolicy, Watchdog

logger = logging.getLogger(__name__)

POLL_SECONDS = 0.25
"""Interval of the empty blocks while a source is reopened, and the delay until an open source is noticed."""

MAX_CRASHES = 3
"""Crashes of the decoder after which a source is given up."""

CRASH_MEMORY_SECONDS = 300.0
"""Time after which a crash no longer counts. A source that crashes less often is reopened without limit."""

MIN_WARNING_INTERVAL_SECONDS = 5.0
"""Time after a loss in which another loss is logged at DEBUG, so that the log does not fill up."""


class ReconnectingSource:
    """Source that reopens an inner source whenever the inner source is lost.

    The position jumps by the audio that was missed. An inner source that ends without an error, such as a
    file on a web server, ends this source too. Name and sample rate never change: a device that returns at
    another rate is resampled.

    Parameters
    ----------
    open_source : callable
        Opens the inner source. The constructor calls it once. Later calls run on separate threads, because
        they may hang.
    clock : Clock
    name : str
        Name of this source. By default it is the name of the first inner source.
    policy : ReconnectPolicy, optional
    jitter : callable
        Returns a number in 0..1.
    wait : callable, optional
        Waits for a number of seconds or until ``close``. Tests replace it.

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
        self._earlier = SourceStatus()  # losses of all earlier inner sources
        self._warned_at = -math.inf
        self._timeline = _Timeline(self.sample_rate)
        self._crashes: deque[float] = deque(maxlen=MAX_CRASHES)  # times

    def status(self) -> SourceStatus:
        """Return the status of the inner source, with the losses of all earlier inner sources added."""
        current, earlier = self._inner.status(), self._earlier
        return replace(
            current,
            error=self._watchdog.reason,
            reconnects=earlier.reconnects,
            overflows=earlier.overflows + current.overflows,
            dropped_blocks=earlier.dropped_blocks + current.dropped_blocks,
        )

    def close(self) -> None:
        """Close the inner source and end ``blocks``."""
        self._closed.set()
        self._inner.close()

    def blocks(self) -> Iterator[AudioBlock]:
        """Yield the blocks of the inner sources, and empty blocks while no inner source is open.

        Raises
        ------
        SourceError
            If no inner source delivered audio for ``give_up_seconds``.
        SourceCrashError
            If the inner source crashed its decoder ``MAX_CRASHES`` times within ``CRASH_MEMORY_SECONDS``.
        """
        while not self._closed.is_set():
            yield from self._forward()
            if self._closed.is_set() or self._ended:
                return
            lost_at = self._clock.monotonic()
            steady = lost_at - self._warned_at >= MIN_WARNING_INTERVAL_SECONDS
            level = logging.WARNING if steady else logging.DEBUG
            logger.log(level, "%s was lost: %s; reopening it", self.name, self._watchdog.reason)
            self._warned_at = lost_at
            self._inner.close()
            yield from self._reopen()
            if not self._closed.is_set():
                logger.log(
                    logging.INFO if steady else logging.DEBUG,
                    "%s is open again after %.1f s and %s",
                    self.name,
                    self._clock.monotonic() - lost_at,
                    format_count(self._watchdog.attempts, "attempt"),
                )

    def _forward(self) -> Iterator[AudioBlock]:
        """Yield the blocks of the inner source until this source ends or is lost."""
        watchdog = self._watchdog
        try:
            for block in self._inner.blocks():
                now = self._clock.monotonic()
                if len(block.samples):
                    watchdog.record_audio(now)
                    yield from self._timeline.place(block)
                else:
                    watchdog.record_no_audio(now)
                    yield self._empty_block()
                if self._closed.is_set() or watchdog.state in (Liveness.RECOVERING, Liveness.FAILED):
                    return
            self._ended = True
        except SourceError as error:
            self._record_loss(error)

    def _record_loss(self, error: BaseException) -> None:
        """Record why the inner source, or an attempt to open it, failed."""
        now, reason = self._clock.monotonic(), str(error) or repr(error)
        if isinstance(error, SourceCrashError):
            self._crashes.append(now)
            if len(self._crashes) == MAX_CRASHES and now - self._crashes[0] <= CRASH_MEMORY_SECONDS:
                raise SourceCrashError(f"{reason} {MAX_CRASHES} times and is given up; choose another source")
        self._watchdog.record_loss(now, reason)

    def _reopen(self) -> Iterator[AudioBlock]:
        """Reopen the inner source, and yield empty blocks meanwhile."""
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
                self._record_loss(error)
            else:
                status = self.status()
                self._earlier = replace(status, error="", reconnects=status.reconnects + 1)
                self._inner = attempt.result()
                watchdog.record_reopened(self._clock.monotonic())
                self._timeline.restart(self._inner.sample_rate)
                if self._closed.is_set():  # by another thread since the last check
                    self._inner.close()
                return

    def _empty_block(self) -> AudioBlock:
        return AudioBlock.empty(self._timeline.end, self.sample_rate, self._clock.monotonic())


def _close_unused(attempt: futures.Future[AudioSource]) -> None:
    """Close a source that was opened too late, on the thread that opened it."""
    if attempt.exception() is None:
        attempt.result().close()


class _Timeline:
    """Mapping of the positions of successive inner sources to one timeline at one sample rate."""

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
        """Prepare for the blocks of another inner source."""
        self._converter = StreamResampler(sample_rate, self._rate)
        self._fresh = True

    def place(self, block: AudioBlock) -> Iterator[AudioBlock]:
        """Yield a block with its position on the timeline. The filter may delay some samples."""
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
