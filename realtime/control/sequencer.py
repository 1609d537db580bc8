"""Assign sequence numbers to the messages of one source and publish them."""

from __future__ import annotations

import threading
from collections.abc import Callable

from msgspec.structs import replace

from realtime.protocol.estimate import StreamState
from realtime.protocol.messages import EstimateMessage, Message, StateMessage


class MessageSequencer:
    """Sequencer that numbers and sends the messages of one source. Any thread may use it.

    A worker may still produce messages after its source was replaced. A closed sequencer discards these
    messages.

    Parameters
    ----------
    name : str
        Name of the source.
    send : callable
        Called with the sequencer and each numbered message. It must not block.
    seq : int
        Number of the last message of the same source, if the source was analyzed before.

    Attributes
    ----------
    name : str
    seq : int
        Number of the last message.
    ended : bool
        True if the source has ended or failed.
    failure : str
        Reason of a failure. Empty if the source has not failed.
    level_dbfs : float or None
        Level of the last estimate. None before the first estimate.
    """

    def __init__(self, name: str, send: Callable[[MessageSequencer, Message], None], seq: int = 0) -> None:
        self.name, self.seq = name, seq
        self.ended, self.failure = False, ""
        self.level_dbfs: float | None = None
        self._send = send
        self._closed = False
        self._lock = threading.Lock()

    def publish(self, message: Message) -> None:
        """Send a message with the next number, unless the sequencer is closed."""
        with self._lock:
            if not self._closed:
                self._send_numbered(message)

    def close(self, last: Message) -> None:
        """Send a last message unless the source has ended already, and discard all later messages."""
        with self._lock:
            self._closed = True
            if not self.ended:
                self._send_numbered(last)

    def _send_numbered(self, message: Message) -> None:
        self.seq += 1
        if isinstance(message, EstimateMessage):
            self.level_dbfs = message.level_dbfs
        elif isinstance(message, StateMessage) and message.state.is_final:
            self.ended = True
            self.failure = message.detail if message.state is StreamState.FAILED else ""
        self._send(self, replace(message, seq=self.seq))
