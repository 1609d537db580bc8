"""Levels measured of sources that are not playing."""

from __future__ import annotations

import asyncio
import threading

import pytest

from realtime.capture.live_source import LiveSource, Stop
from realtime.clock import SystemClock
from realtime.control.level_probe import LevelMeter
from realtime.protocol.requests import RequestError
from realtime.sources.factory import SourceOption


def test_a_measurement_that_is_broken_off_has_let_its_device_go() -> None:
    """A device of one user only was opened again while the measurement's capture was still ending."""
    opened, may_end, ended = threading.Event(), threading.Event(), threading.Event()

    def start(source: LiveSource) -> Stop:
        def stop() -> None:
            assert may_end.wait(10)
            ended.set()

        opened.set()
        return stop

    async def main() -> None:
        clock = SystemClock()
        levels = LevelMeter(lambda _offer: LiveSource("microphone", 100, start, clock), clock)
        measuring = asyncio.ensure_future(levels.measure([SourceOption("mic", "mic")], lambda: None))
        assert await asyncio.to_thread(opened.wait, 10)
        breaking = asyncio.ensure_future(levels.break_off(10))
        with pytest.raises(RequestError, match="broken off by a change"):
            await measuring
        await asyncio.wait([breaking], timeout=0.1)
        assert not breaking.done()
        may_end.set()
        await breaking
        assert ended.is_set()

    asyncio.run(main())
