"""Messages of one source are numbered and end once."""

from __future__ import annotations

from realtime.control.sequencer import MessageSequencer
from realtime.protocol.messages import Message


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
