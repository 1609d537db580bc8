"""Captured sound: a bounded queue between whoever delivers samples and whoever analyses them.

The delivering side is a PortAudio callback or a reading thread; it copies, counts and returns.
When the queue is full the oldest block goes, and its positions are missed on the other side.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator

import numpy as np
import numpy.typing as npt

from models.audio.samples import sanitize_samples
from realtime.audio.source import AudioBlock
from realtime.capture.timing import ClockDriftEstimator, DropoutDetector
from realtime.clock import Clock
from realtime.errors import SourceError
from realtime.protocol.health import SourceStatus

QUEUE_BLOCKS = 1024
"""Blocks that may wait: 1.4 s of the shortest that devices deliver (64 samples at 48 kHz)."""

STALL_SECONDS = 0.5
"""After this long without sound an empty block says so."""

Stop = Callable[[], None]
Start = Callable[["LiveSource"], Stop]


class LiveSource:
    """A captured stream.

    Parameters
    ----------
    name : str
    sample_rate : int
        Hz.
    start : callable
        Begins the capture, which calls ``deliver`` from its own thread, and returns what ends it.
        Called at once, so that a device that does not open is known before anything else starts.
    clock : Clock
    device : str
        What is captured from; otherwise the name.

    Raises
    ------
    SourceError
        The capture does not start.
    """

    def __init__(self, name: str, sample_rate: int, start: Start, clock: Clock, device: str = "") -> None:
        self.name = name
        self._device = device or name
        self._overflows = self._dropped_blocks = 0
        self._drift, self._shortfall = ClockDriftEstimator(sample_rate), DropoutDetector(sample_rate)
        self.sample_rate = sample_rate
        self.is_live = True
        self._clock = clock
        self._queue: deque[tuple[int, AudioBlock]] = deque(maxlen=QUEUE_BLOCKS)  # its append is atomic
        self._arrived = threading.Event()
        self._position = self._delivered = 0
        self._failure = ""
        self._closed = False
        self._stop = start(self)

    def deliver(
        self, samples: npt.NDArray[np.floating], *, overflowed: bool = False, missed: int = 0
    ) -> None:
        """Take captured samples in; called on the capture's thread.

        Sound that comes late is only late; what is still missing once the backlog has come was lost.

        Parameters
        ----------
        samples : (n,) or (n, channels) floating, full scale 1
            Copied.
        overflowed : bool
            The device lost an unknown amount of sound just before these.
        missed : int
            Samples that are known to have been lost before these.
        """
        now = self._clock.monotonic()
        mono = sanitize_samples(samples)
        self._overflows += overflowed
        self._position += missed
        suspect = self._shortfall.is_late(now, len(mono))
        if missing := self._shortfall.add(self._position + len(mono), now, len(mono)):
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
        """The capture is over and this is why; called on the capture's thread."""
        self._failure = reason
        self._arrived.set()

    def blocks(self) -> Iterator[AudioBlock]:
        """Blocks as they come.

        Raises
        ------
        SourceError
            The capture failed; what was queued before came first.
        """
        taken = 0
        while not self._closed:
            self._arrived.clear()
            failure = self._failure  # before the queue is emptied: the last block is queued before it is set
            while self._queue and not self._closed:
                number, block = self._queue.popleft()
                self._dropped_blocks += number - taken - 1
                taken = number
                yield block
            if failure and not self._closed:
                raise SourceError(failure)
            if not self._closed and not self._arrived.wait(STALL_SECONDS):
                nothing = sanitize_samples(np.empty(0, dtype=np.float32))
                yield AudioBlock(nothing, self._position, self.sample_rate, self._clock.monotonic())

    def status(self) -> SourceStatus:
        """Losses and drift up to now."""
        return SourceStatus(
            self._device,
            overflows=self._overflows,
            dropped_blocks=self._dropped_blocks,
            drift_ppm=self._drift.ppm(),
        )

    def close(self) -> None:
        """End the capture and ``blocks``."""
        if not self._closed:
            self._closed = True
            self._stop()
            self._arrived.set()
