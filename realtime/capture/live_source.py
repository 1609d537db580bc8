"""Source for captured audio: a bounded queue between the capture thread and the analysis.

The capture thread copies the samples, counts them and returns. A full queue drops its oldest block, so that
the position of the next block jumps for the consumer.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator

import numpy as np
import numpy.typing as npt

from models.audio.samples import sanitize_samples
from realtime.audio.source import EMPTY_BLOCK_SECONDS, AudioBlock
from realtime.capture.timing import ClockDriftEstimator, DropoutDetector
from realtime.clock import Clock
from realtime.errors import SourceError
from realtime.protocol.health import SourceStatus

MAX_QUEUED_BLOCKS = 1024
"""Blocks that may wait, which are 1.4 s of the shortest blocks of devices (64 samples at 48 kHz)."""

Stop = Callable[[], None]
Start = Callable[["LiveSource"], Stop]


class LiveSource:
    """Source that captures audio from a device or an application.

    Parameters
    ----------
    name : str
    sample_rate : int
        Hz.
    start : callable
        Starts the capture, which calls ``deliver`` on its own thread, and returns a function that stops the
        capture. The constructor calls ``start``, so that a device that does not open raises at once.
    clock : Clock
    device : str
        Name of the captured device. If empty, ``name`` is the name of the device.

    Attributes
    ----------
    muted : str
        Sentence with the remedy if the device is muted. Empty otherwise. Set on the thread that watches the
        device.

    Raises
    ------
    SourceError
        If the capture does not start.
    """

    def __init__(self, name: str, sample_rate: int, start: Start, clock: Clock, device: str = "") -> None:
        self.name = name
        self._device = device or name
        self._overflows = self._dropped_blocks = 0
        self._drift, self._dropouts = ClockDriftEstimator(sample_rate), DropoutDetector(sample_rate)
        self.sample_rate = sample_rate
        self.is_live = True
        self.muted = ""
        self._clock = clock
        # With the number of each block. The append and popleft of a deque are atomic.
        self._queue: deque[tuple[int, AudioBlock]] = deque(maxlen=MAX_QUEUED_BLOCKS)
        self._arrived = threading.Event()
        self._position = self._delivered = 0
        self._failure = ""
        self._closed = False
        self._stop = start(self)

    def deliver(
        self, samples: npt.NDArray[np.floating], *, overflowed: bool = False, missed: int = 0
    ) -> None:
        """Add a copy of captured samples to the queue. This method is called on the capture thread.

        Late audio is not lost. Audio that is still missing after the backlog has arrived was lost.

        Parameters
        ----------
        samples : (n,) or (n, channels) floating, full scale 1
        overflowed : bool
            True if the device lost an unknown amount of audio just before ``samples``.
        missed : int
            Number of samples that are known to be lost before ``samples``.
        """
        now = self._clock.monotonic()
        mono = sanitize_samples(samples)
        self._overflows += overflowed
        self._position += missed
        suspect = self._dropouts.is_late(now, len(mono))
        if missing := self._dropouts.add(self._position + len(mono), now, len(mono)):
            self._position += missing
            self._drift = ClockDriftEstimator(self.sample_rate)
        flagged = overflowed or suspect or missing > 0
        self._delivered += 1
        block = AudioBlock(mono, self._position, self.sample_rate, now, flagged)
        self._queue.append((self._delivered, block))
        self._position += len(mono)
        self._drift.add(self._position, now)
        self._arrived.set()

    def fail(self, reason: str) -> None:
        """End the stream with an error. This method is called on the capture thread."""
        self._failure = reason
        self._arrived.set()

    def blocks(self) -> Iterator[AudioBlock]:
        """Yield the captured blocks.

        Raises
        ------
        SourceError
            If the capture failed. Blocks that were queued before are yielded first.
        """
        taken = 0
        while not self._closed:
            self._arrived.clear()
            failure = self._failure  # read before the queue, because it is set after the last block is queued
            while self._queue and not self._closed:
                number, block = self._queue.popleft()
                self._dropped_blocks += number - taken - 1
                taken = number
                yield block
            if failure and not self._closed:
                raise SourceError(failure)
            if not self._closed and not self._arrived.wait(EMPTY_BLOCK_SECONDS):
                yield AudioBlock.empty(self._position, self.sample_rate, self._clock.monotonic())

    def status(self) -> SourceStatus:
        """Return the name, the losses and the clock drift of the device."""
        return SourceStatus(
            self._device,
            overflows=self._overflows,
            dropped_blocks=self._dropped_blocks,
            drift_ppm=self._drift.ppm(),
            muted=self.muted,
        )

    def close(self) -> None:
        """Stop the capture and end ``blocks``."""
        if not self._closed:
            self._closed = True
            self._stop()
            self._arrived.set()
