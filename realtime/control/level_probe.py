"""Measure the levels of inactive sources, which are opened for about a second, one after another."""

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
"""Length of the audio whose level is measured."""
AUDIO_TIMEOUT_SECONDS = 2.0
"""Time in which this audio must arrive. After that, the level of the received audio is computed."""
PROBE_TIMEOUT_SECONDS = 15.0
"""Time in which one source must be opened and measured."""
MIN_INTERVAL_SECONDS = 5.0
"""Minimum time between the beginnings of two measurements. An earlier request is rejected."""


class LevelMeter:
    """Meter for the levels of sources, with the last results. It must be used on one event loop.

    Parameters
    ----------
    open_source : callable
        Opens a source. Called on another thread.
    clock : Clock

    Attributes
    ----------
    levels_dbfs : dict of str to float
        Last level of each source, by the name of its option.
    errors : dict of str to str
        Reason why a source could not be opened or measured the last time, by the name of its option.
    """

    def __init__(self, open_source: Callable[[SourceOption], AudioSource], clock: Clock) -> None:
        self.levels_dbfs: dict[str, float] = {}
        self.errors: dict[str, str] = {}
        self._open = open_source
        self._clock = clock
        self._probe: LevelProbe | None = None
        self._idle = asyncio.Event()
        self._idle.set()
        self._began_at = float("-inf")

    async def measure(self, options: Sequence[SourceOption], progress: Callable[[], None]) -> Outcome:
        """Measure the levels of sources.

        Parameters
        ----------
        options : sequence of SourceOption
        progress : callable
            Called after each source.

        Raises
        ------
        RequestError
            If the last measurement is too recent, or if ``cancel`` is called meanwhile.
        """
        since = self._clock.monotonic() - self._began_at
        if not self._idle.is_set() or since < MIN_INTERVAL_SECONDS:
            raise RequestError(
                ResponseCode.TOO_FREQUENT,
                f"the last measurement began {since:.1f} s ago; the shortest interval is "
                f"{MIN_INTERVAL_SECONDS:.0f} s",
            )
        self._began_at = self._clock.monotonic()
        self._idle.clear()
        try:
            for option in options:
                self._probe = probe = LevelProbe(lambda option=option: self._open(option), self._clock)  # type: ignore[misc]
                await self._measure(option.name, probe)
                if self._probe is not probe:
                    raise RequestError(
                        ResponseCode.INTERRUPTED, "a change of the source canceled the measurement"
                    )
                progress()
        finally:
            self._probe = None
            self._idle.set()
        return Outcome(ResponseCode.LEVELS_MEASURED, f"levels measured: {len(options)}")

    async def cancel(self, timeout_seconds: float) -> None:
        """Cancel a running measurement. Wait until its source is closed, but at most ``timeout_seconds``."""
        probe, self._probe = self._probe, None
        if probe is not None:
            # ``probe.close`` is awaited, too, because a measurement may end before its source is closed.
            ended = asyncio.gather(
                run_in_daemon_thread(probe.close), self._idle.wait(), return_exceptions=True
            )
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(ended, timeout_seconds)

    async def _measure(self, name: str, probe: LevelProbe) -> None:
        try:
            level = await asyncio.wait_for(run_in_daemon_thread(probe.measure), PROBE_TIMEOUT_SECONDS)
        except SourceError as error:
            reason = str(error)
        except TimeoutError:
            reason = f"it did not open within {PROBE_TIMEOUT_SECONDS:.0f} s"
            run_in_daemon_thread(probe.close)
        else:
            self.levels_dbfs[name] = round(level, 1)
            self.errors.pop(name, None)
            return
        if self._probe is probe:
            self.levels_dbfs.pop(name, None)
            self.errors[name] = reason


class LevelProbe:
    """Probe that measures one source once, on the calling thread.

    Parameters
    ----------
    open_source : callable
        Opens the source.
    clock : Clock
    """

    def __init__(self, open_source: Callable[[], AudioSource], clock: Clock) -> None:
        self._open = open_source
        self._clock = clock
        self._closed = threading.Event()
        self._source: AudioSource | None = None

    def measure(self) -> float:
        """Return the level of the first second of audio, in decibels of full scale.

        Raises
        ------
        SourceError
            If the source cannot be opened or delivers nothing, or if ``close`` was called before.
        """
        source = self._source = self._open()
        try:
            samples = [] if self._closed.is_set() else self._read(source)
        finally:
            source.close()
        if not samples:
            raise SourceError(f"{source.name} delivers no audio, not even silence")
        return level_dbfs(np.concatenate(samples))

    def close(self) -> None:
        """Cancel the measurement, and wait until the source is closed. Any thread may call this method."""
        self._closed.set()
        if self._source is not None:
            self._source.close()

    def _read(self, source: AudioSource) -> list[Samples]:
        began, seconds = self._clock.monotonic(), 0.0
        parts: list[Samples] = []
        for block in source.blocks():
            if len(block.samples):
                parts.append(block.samples)
                seconds += len(block.samples) / block.sample_rate
            timed_out = self._clock.monotonic() - began >= AUDIO_TIMEOUT_SECONDS
            if seconds >= MEASURED_SECONDS or timed_out or self._closed.is_set():
                break
        return parts
