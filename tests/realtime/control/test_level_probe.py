"""Levels of inactive sources."""

from __future__ import annotations

import asyncio
import threading

import pytest

from realtime.capture.live_source import LiveSource, Stop
from realtime.clock import SystemClock
from realtime.control.level_probe import LevelMeter
from realtime.protocol.requests import RequestError
from realtime.sources.factory import SourceOption


def test_a_canceled_measurement_has_closed_its_device() -> None:
    """An exclusive device was once opened again while the capture of the measurement was still ending."""
    opened, may_end, ended = threading.Event(), threading.Event(), threading.Event()

    def start(source: LiveSource) -> Stop:
        def stop() -> None:
            assert may_end.wait(10)
            ended.set()

        opened.set()
        return stop

    async def main() -> None:
        clock = SystemClock()
        levels = LevelMeter(lambda _option: LiveSource("microphone", 100, start, clock), clock)
        measuring = asyncio.ensure_future(levels.measure([SourceOption("mic", "mic")], lambda: None))
        assert await asyncio.to_thread(opened.wait, 10)
        canceling = asyncio.ensure_future(levels.cancel(10))
        with pytest.raises(RequestError, match="a change of the source canceled"):
            await measuring
        await asyncio.wait([canceling], timeout=0.1)
        assert not canceling.done()
        may_end.set()
        await canceling
        assert ended.is_set()

    asyncio.run(main())
