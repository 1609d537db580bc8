"""What a source says until it is cut, the names under which sources are offered, levels broken off."""

from __future__ import annotations

import asyncio
import threading

import pytest

from realtime.capture.live_source import LiveSource, Stop
from realtime.clock import SystemClock
from realtime.control.level_probe import LevelMeter
from realtime.control.sequencer import MessageSequencer
from realtime.errors import ControlError, SourceError
from realtime.protocol.messages import Message
from realtime.sources.factory import SourceOption, available_sources


def test_what_is_said_after_the_end_of_a_line_is_not_heard() -> None:
    heard: list[Message] = []
    line = MessageSequencer("mic", lambda _line, message: heard.append(message), seq=4)
    loud = {"type": "estimate", "level_dbfs": -12.5}
    line(loud)
    line.cut({"type": "state", "state": "PAUSED", "detail": ""})
    line(loud)
    assert [(m["type"], m["seq"]) for m in heard] == [("estimate", 5), ("state", 6)]
    assert (line.level_dbfs, line.over) == (-12.5, False)


def test_a_source_ends_once() -> None:
    """A file may end by itself just when it is left: the history would begin a session for the second end."""
    heard: list[Message] = []
    line = MessageSequencer("file", lambda _line, message: heard.append(message))
    line({"type": "state", "state": "FAILED", "detail": "the plug was pulled"})
    line.cut({"type": "state", "state": "ENDED", "detail": "changed to mic"})
    assert [m["state"] for m in heard] == ["FAILED"]
    assert (line.over, line.failure) == (True, "the plug was pulled")


@pytest.mark.parametrize(
    ("description", "name"),
    [
        ("system", "system"), ("mic:USB, front", "mic:USB, front"), ("demo", "demo"), ("auto", "auto"),
        ("/home/someone/music/song.flac", "song.flac"), ("../song.flac", "song.flac"), ("mic:", "mic:"),
        ("https://me:secret@radio.example/live.mp3?key=secret", "https://radio.example/live.mp3"),
        ("a\udcff.mp3", "a?.mp3"), ("x" * 300, "x" * 119 + "…"),
    ],
)  # fmt: skip
def test_offers_tell_no_folders_and_no_secrets(description: str, name: str) -> None:
    assert available_sources([description, description]) == (SourceOption(name, description),)


def test_an_address_that_is_none_is_refused_without_repeating_it() -> None:
    with pytest.raises(SourceError, match="the network address is not valid") as refusal:
        available_sources(["http://me:secret@[half/x"])
    assert "secret" not in str(refusal.value)


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
        with pytest.raises(ControlError, match="broken off by a change"):
            await measuring
        await asyncio.wait([breaking], timeout=0.1)
        assert not breaking.done()
        may_end.set()
        await breaking
        assert ended.is_set()

    asyncio.run(main())
