"""How loud sources are that are not listened to: each is opened for about a second, one after the other."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable, Sequence

import numpy as np

from models.audio.samples import Samples
from models.common.concurrency import run_in_daemon_thread
from realtime.audio.source import AudioSource, level_dbfs
from realtime.clock import Clock
from realtime.errors import SourceError
from realtime.protocol.codes import ResponseCode
from realtime.protocol.requests import Outcome, RequestError
from realtime.sources.factory import SourceOption

MEASURED_SECONDS = 1.0
PATIENCE_SECONDS = 2.0
"""How long that much sound may take to come."""
PROBE_TIMEOUT_SECONDS = 15.0
"""Time in which one source must be opened and measured."""
PAUSE_SECONDS = 5.0
"""The least time between the beginnings of two measurements."""


class LevelMeter:
    """Measures, and remembers what came of it; on one event loop.

    Parameters
    ----------
    open_source : callable
        Opens an offered source, on a thread.
    clock : Clock

    Attributes
    ----------
    known : dict of str to float
        Decibels of full scale, by the names of the offers.
    troubles : dict of str to str
        Why an offered source could not be opened or measured the last time.
    """

    def __init__(self, open_source: Callable[[SourceOption], AudioSource], clock: Clock) -> None:
        self.known: dict[str, float] = {}
        self.troubles: dict[str, str] = {}
        self._open = open_source
        self._clock = clock
        self._probe: LevelProbe | None = None
        self._idle = asyncio.Event()
        self._idle.set()
        self._began_at = float("-inf")

    async def measure(self, wanted: Sequence[SourceOption], told: Callable[[], None]) -> Outcome:
        """Measure these; ``told`` is called after each. Returns a sentence.

        Raises
        ------
        RequestError
            It was done a moment ago, or is broken off.
        """
        since = self._clock.monotonic() - self._began_at
        if not self._idle.is_set() or since < PAUSE_SECONDS:
            raise RequestError(
                ResponseCode.TOO_FREQUENT,
                f"levels were asked for {since:.1f} s ago; once in {PAUSE_SECONDS:.0f} s is the most",
            )
        self._began_at = self._clock.monotonic()
        self._idle.clear()
        try:
            for offer in wanted:
                self._probe = probe = LevelProbe(lambda offer=offer: self._open(offer), self._clock)  # type: ignore[misc]
                await self._take(offer.name, probe)
                if self._probe is not probe:
                    raise RequestError(ResponseCode.INTERRUPTED, "the measurement was broken off by a change")
                told()
        finally:
            self._probe = None
            self._idle.set()
        return Outcome(ResponseCode.LEVELS_MEASURED, f"levels measured: {len(wanted)}")

    async def break_off(self, patience_seconds: float) -> None:
        """End a measurement that is going on and wait until its source is closed, if not for ever."""
        probe, self._probe = self._probe, None
        if probe is not None:
            # Both: a measurement that finds its source being closed already does not wait for that.
            ended = asyncio.gather(
                run_in_daemon_thread(probe.close), self._idle.wait(), return_exceptions=True
            )
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(ended, patience_seconds)

    async def _take(self, name: str, probe: LevelProbe) -> None:
        try:
            level = await asyncio.wait_for(run_in_daemon_thread(probe), PROBE_TIMEOUT_SECONDS)
        except SourceError as error:
            trouble = str(error)
        except TimeoutError:
            trouble = f"it did not open within {PROBE_TIMEOUT_SECONDS:.0f} s"
            run_in_daemon_thread(probe.close)
        else:
            self.known[name] = round(level, 1)
            self.troubles.pop(name, None)
            return
        if self._probe is probe:
            self.known.pop(name, None)
            self.troubles[name] = trouble


class LevelProbe:
    """One measurement, on whatever thread calls it.

    Parameters
    ----------
    open_source : callable
        Opens what is to be measured.
    clock : Clock
    """

    def __init__(self, open_source: Callable[[], AudioSource], clock: Clock) -> None:
        self._open = open_source
        self._clock = clock
        self._closed = threading.Event()
        self._source: AudioSource | None = None

    def __call__(self) -> float:
        """Decibels of full scale of the first second that comes.

        Raises
        ------
        SourceError
            It cannot be opened, nothing comes, or ``close`` was called before.
        """
        source = self._source = self._open()
        try:
            taken = [] if self._closed.is_set() else self._taken(source)
        finally:
            source.close()
        if not taken:
            raise SourceError(f"{source.name} delivers no sound, not even silence")
        return level_dbfs(np.concatenate(taken))

    def close(self) -> None:
        """End the measurement soon; may be called from any thread, and block as closing a source does."""
        self._closed.set()
        if self._source is not None:
            self._source.close()

    def _taken(self, source: AudioSource) -> list[Samples]:
        began, seconds = self._clock.monotonic(), 0.0
        taken: list[Samples] = []
        for block in source.blocks():
            if len(block.samples):
                taken.append(block.samples)
                seconds += len(block.samples) / block.sample_rate
            late = self._clock.monotonic() - began >= PATIENCE_SECONDS
            if seconds >= MEASURED_SECONDS or late or self._closed.is_set():
                break
        return taken
