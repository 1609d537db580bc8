"""A source that comes back: it watches another one, and opens it again when it is lost or falls still."""

from __future__ import annotations

import logging
import math
import random
import threading
from collections.abc import Callable, Iterator
from concurrent import futures
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from models.audio.decoding import StreamResampler
from models.audio.samples import Samples, sanitize_samples
from models.common.concurrency import start_daemon_thread
from realtime.audio.source import AudioBlock
from realtime.clock import Clock
from realtime.errors import SourceError
from realtime.protocol.health import SourceStatus
from realtime.sources.watchdog import Liveness, ReconnectPolicy, Watchdog

if TYPE_CHECKING:
    from realtime.audio.source import AudioSource

logger = logging.getLogger(__name__)

POLL_SECONDS = 0.25
"""How often whoever iterates hears that nothing came, and how soon a new opening is noticed."""


LOG_SECONDS = 5.0
"""A source that is lost again sooner than this after the last time is told of at a lower level."""


class ReconnectingSource:
    """Another source, opened again whenever it is lost; what was missed leaves a jump of position.

    A source that comes to its natural end, as a file on a web server does, has ended.

    It keeps name and sample rate for as long as it lives: a device that comes back at another rate is
    resampled.

    Parameters
    ----------
    open_source : callable
        Opens it; called here once, and later on a thread of its own, for it may hang.
    clock : Clock
    name : str
        What to call it, whatever it is that comes back; otherwise the name that it has first.
    wait : callable, optional
        Waits so many seconds or until ``close``; injected by tests.

    Raises
    ------
    SourceError
        It cannot be opened the first time.
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
        self._dog = Watchdog(policy or ReconnectPolicy(), clock.monotonic(), jitter)
        self._past = SourceStatus()
        self._told_at = -math.inf
        self._timeline = _Timeline(self.sample_rate)

    def status(self) -> SourceStatus:
        """That of the present source, with what was counted before."""
        now, past = self._inner.status(), self._past
        return replace(
            now,
            trouble=self._dog.reason,
            reopened=past.reopened,
            overflows=past.overflows + now.overflows,
            dropped_blocks=past.dropped_blocks + now.dropped_blocks,
        )

    def close(self) -> None:
        """End ``blocks``."""
        self._closed.set()
        self._inner.close()

    def blocks(self) -> Iterator[AudioBlock]:
        """Its blocks; empty ones while nothing comes.

        Raises
        ------
        SourceError
            It stayed away for ``give_up_seconds``.
        """
        while not self._closed.is_set():
            yield from self._listen()
            if self._closed.is_set() or self._ended:
                return
            lost_at = self._clock.monotonic()
            level = logging.WARNING if lost_at - self._told_at >= LOG_SECONDS else logging.DEBUG
            logger.log(level, "%s is lost: %s; opening it again", self.name, self._dog.reason)
            self._told_at = lost_at
            self._inner.close()
            yield from self._reopen()
            if not self._closed.is_set():
                away, attempts = self._clock.monotonic() - lost_at, self._dog.attempts
                logger.log(
                    logging.INFO if level == logging.WARNING else level,
                    "%s is open again after %.1f s, %d attempts",
                    self.name,
                    away,
                    attempts,
                )

    def _listen(self) -> Iterator[AudioBlock]:
        """Hand on what the present source gives, until it is lost."""
        dog = self._dog
        try:
            for block in self._inner.blocks():
                now = self._clock.monotonic()
                if len(block.samples):
                    dog.heard(now)
                    yield from self._timeline.place(block)
                else:
                    dog.silent(now)
                    yield self._nothing()
                if self._closed.is_set() or dog.state in (Liveness.RECOVERING, Liveness.FAILED):
                    return
            self._ended = True
        except SourceError as error:
            dog.lost(self._clock.monotonic(), str(error))

    def _reopen(self) -> Iterator[AudioBlock]:
        dog = self._dog
        while not self._closed.is_set():
            if dog.state is Liveness.FAILED:
                raise SourceError(f"{self.name} did not come back: {dog.reason}")
            now = self._clock.monotonic()
            if now < dog.next_attempt_at:
                self._wait(min(POLL_SECONDS, dog.next_attempt_at - now))
                yield self._nothing()
                continue
            dog.attempts += 1
            attempt = start_daemon_thread(self._open, "reopening")
            while not attempt.done() and not self._closed.is_set():
                futures.wait([attempt], POLL_SECONDS)
                yield self._nothing()
            if self._closed.is_set():
                attempt.add_done_callback(_close_unused)
            elif error := attempt.exception():
                dog.lost(self._clock.monotonic(), str(error) or repr(error))
            else:
                told = self.status()
                self._past = replace(told, trouble="", reopened=told.reopened + 1)
                self._inner = attempt.result()
                dog.opened(self._clock.monotonic())
                self._timeline.reopened(self._inner.sample_rate)
                if self._closed.is_set():  # it was closed between the question and the answer
                    self._inner.close()
                return

    def _nothing(self) -> AudioBlock:
        nothing = sanitize_samples(np.empty(0, np.float32))
        return AudioBlock(nothing, self._timeline.end, self.sample_rate, self._clock.monotonic())


def _close_unused(attempt: futures.Future[AudioSource]) -> None:
    """Close a source that nobody waits for any more; runs on the thread that opened it."""
    if attempt.exception() is None:
        attempt.result().close()


class _Timeline:
    """One line of positions for all openings, at one rate."""

    def __init__(self, sample_rate: int) -> None:
        self.end = 0
        """Position after the last sample handed on."""
        self._rate = sample_rate
        self._converter = StreamResampler(sample_rate, sample_rate)
        self._captured_at: float | None = None
        self._base = 0
        self._fresh, self._flagged = True, False
        self._run_start = self._run_length = self._expected = 0

    def reopened(self, sample_rate: int) -> None:
        """The next block is of another opening."""
        self._converter = StreamResampler(sample_rate, self._rate)
        self._fresh = True

    def place(self, block: AudioBlock) -> Iterator[AudioBlock]:
        """The block on our line, with what was missed before it; a filter may keep some of it back."""
        self._flagged |= block.overflowed
        if self._fresh:
            away = 0.0
            if self._captured_at is not None:
                self._flagged = True
                away = block.captured_at - len(block.samples) / block.sample_rate - self._captured_at
            self._base = self.end + round(max(0.0, away) * self._rate) - self._at_our_rate(block.position)
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
        position = max(self.end, self._base + self._at_our_rate(self._run_start) + self._run_length)
        self._run_length += len(samples)
        self.end = position + len(samples)
        if len(samples):
            yield AudioBlock(samples, position, self._rate, captured_at, flagged)

    def _begin_run(self, position: int) -> None:
        self._run_start, self._run_length = position, 0

    def _at_our_rate(self, position: int) -> int:
        return self._converter.target_position(position)
