"""What a source says until it is cut, and the names under which sources are offered."""

from __future__ import annotations

import pytest

from realtime.errors import SourceError
from realtime.lines import Line
from realtime.messages import Message
from realtime.opening import Offer, offers


def test_what_is_said_after_the_end_of_a_line_is_not_heard() -> None:
    heard: list[Message] = []
    line = Line("mic", lambda _line, message: heard.append(message), seq=4)
    loud = {"type": "estimate", "level_dbfs": -12.5}
    line(loud)
    line.cut({"type": "state", "state": "PAUSED", "detail": ""})
    line(loud)
    assert [(m["type"], m["seq"]) for m in heard] == [("estimate", 5), ("state", 6)]
    assert (line.level_dbfs, line.over) == (-12.5, False)


def test_a_source_ends_once() -> None:
    """A file may end by itself just when it is left: the history would begin a session for the second end."""
    heard: list[Message] = []
    line = Line("file", lambda _line, message: heard.append(message))
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
    assert offers([description, description]) == (Offer(name, description),)


def test_an_address_that_is_none_is_refused_without_repeating_it() -> None:
    with pytest.raises(SourceError, match="the network address is not valid") as refusal:
        offers(["http://me:secret@[half/x"])
    assert "secret" not in str(refusal.value)
