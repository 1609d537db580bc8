"""What one source says, numbered, on its way from the worker's thread to everybody who is told."""

from __future__ import annotations

import threading
from collections.abc import Callable

from msgspec.structs import replace

from realtime.protocol.estimate import StreamState
from realtime.protocol.messages import EstimateMessage, Message, StateMessage


class MessageSequencer:
    """Numbers and hands on the messages of one source until it is cut; may be called on any thread.

    A worker whose source has been left still says a thing or two; nobody is to hear it after the end.

    Parameters
    ----------
    name : str
        Of the source.
    tell : callable
        Takes the line and each message; must not block.
    seq : int
        Number of the last message of that source, where it was heard before.

    Attributes
    ----------
    over : bool
        Whether the source has ended or failed; ``failure`` says why in the latter case.
    level_dbfs : float or None
        Of the last estimate.
    """

    def __init__(self, name: str, tell: Callable[[MessageSequencer, Message], None], seq: int = 0) -> None:
        self.name, self.seq = name, seq
        self.over, self.failure = False, ""
        self.level_dbfs: float | None = None
        self._tell = tell
        self._cut = False
        self._lock = threading.Lock()

    def __call__(self, message: Message) -> None:
        """Hand a message of the worker's on, unless the line is cut."""
        with self._lock:
            if not self._cut:
                self._hand_on(message)

    def cut(self, last: Message) -> None:
        """End with this message, or with the one by which the source has ended before."""
        with self._lock:
            self._cut = True
            if not self.over:
                self._hand_on(last)

    def _hand_on(self, message: Message) -> None:
        self.seq += 1
        if isinstance(message, EstimateMessage):
            self.level_dbfs = message.level_dbfs
        elif isinstance(message, StateMessage) and message.state.is_final:
            self.over = True
            self.failure = message.detail if message.state is StreamState.FAILED else ""
        self._tell(self, replace(message, seq=self.seq))
