"""Numbers and end of the messages of one source."""

from __future__ import annotations

from realtime.control.sequencer import MessageSequencer
from realtime.protocol.builders import state_message
from realtime.protocol.estimate import StreamState
from realtime.protocol.messages import Message
from tests.support.protocol import as_json, estimate_message


def test_messages_after_the_close_are_discarded() -> None:
    sent: list[Message] = []
    sequencer = MessageSequencer("mic", lambda _sequencer, message: sent.append(message), seq=4)
    loud = estimate_message("jazz", level_dbfs=-12.5)
    sequencer.publish(loud)
    sequencer.close(state_message("mic", 1.0, StreamState.PAUSED))
    sequencer.publish(loud)
    assert [(m.kind, m.seq) for m in sent] == [("estimate", 5), ("state", 6)]
    assert (sequencer.level_dbfs, sequencer.ended) == (-12.5, False)


def test_a_source_ends_once() -> None:
    """A file may end just when it is replaced. A second end would begin another session in the history."""
    sent: list[Message] = []
    sequencer = MessageSequencer("file", lambda _sequencer, message: sent.append(message))
    sequencer.publish(state_message("file", 1.0, StreamState.FAILED, "the plug was pulled"))
    sequencer.close(state_message("file", 1.0, StreamState.ENDED, "changed to mic"))
    assert [as_json(m)["state"] for m in sent] == ["FAILED"]
    assert (sequencer.ended, sequencer.failure) == (True, "the plug was pulled")
