"""Messages of one source are numbered and end once."""

from __future__ import annotations

from realtime.control.sequencer import MessageSequencer
from realtime.protocol.builders import state_message
from realtime.protocol.estimate import StreamState
from realtime.protocol.messages import Message
from tests.support.protocol import as_json, estimate_message


def test_what_is_said_after_the_end_of_a_line_is_not_heard() -> None:
    heard: list[Message] = []
    line = MessageSequencer("mic", lambda _line, message: heard.append(message), seq=4)
    loud = estimate_message("jazz", level_dbfs=-12.5)
    line(loud)
    line.cut(state_message("mic", 1.0, StreamState.PAUSED))
    line(loud)
    assert [(m.kind, m.seq) for m in heard] == [("estimate", 5), ("state", 6)]
    assert (line.level_dbfs, line.over) == (-12.5, False)


def test_a_source_ends_once() -> None:
    """A file may end by itself just when it is left: the history would begin a session for the second end."""
    heard: list[Message] = []
    line = MessageSequencer("file", lambda _line, message: heard.append(message))
    line(state_message("file", 1.0, StreamState.FAILED, "the plug was pulled"))
    line.cut(state_message("file", 1.0, StreamState.ENDED, "changed to mic"))
    assert [as_json(m)["state"] for m in heard] == ["FAILED"]
    assert (line.over, line.failure) == (True, "the plug was pulled")
