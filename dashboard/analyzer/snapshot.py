"""The newest state of the analyzer, folded from its messages."""

from __future__ import annotations

from dataclasses import dataclass, replace

from realtime.protocol.estimate import StreamState
from realtime.protocol.messages import Message

MAX_ESTIMATES = 600
"""Five minutes: whoever reads them less often has closed the page."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The last of each message; ``state`` is that of the newest message which carries one.

    ``source`` is the one that is followed, ``title`` what it says that it plays, often nothing; ``sources``
    what may be listened to, known only while connected with the analyzer's token.

    The messages are dictionaries of the published schema. Nobody may write to them.
    ``state_seq`` is the ``seq`` that ``state`` came with: each kind of message has its own mailbox
    at the server, so an estimate may arrive after the state that followed it.
    """

    connected: bool = False
    state: StreamState = StreamState.CONNECTING
    state_seq: int = -1
    source: str = ""
    title: str = ""
    hello: Message | None = None
    estimate: Message | None = None
    health: Message | None = None
    sources: Message | None = None

    @property
    def stable_label(self) -> str | None:
        """The genre that has held its place, if any was heard."""
        if self.estimate is None:
            return None
        label: str | None = self.estimate["stable_label"]
        return label


@dataclass(frozen=True, slots=True)
class ReceivedEstimate:
    """One estimate: its number, rising for as long as the feed lives, seconds of sound, and the payload.

    ``arrived`` is the moment of ``time.monotonic()`` at which it came.
    """

    number: int
    at: float
    estimate: Message
    arrived: float = 0.0


def apply_message(snapshot: Snapshot, message: Message) -> Snapshot:
    """The snapshot after one valid message.

    Parameters
    ----------
    snapshot : Snapshot
        What was known.
    message : Message
        One message of the server, already held against the schema.
    """
    if message["type"] == "sources":
        return replace(snapshot, sources=message)
    seq = int(message["seq"])
    heard = replace(snapshot, connected=True, source=message["source"])
    if message["type"] == "hello":
        # A new conversation: the server may have been restarted, and then seq begins anew.
        state = StreamState(message["state"])
        title = str(message.get("title", ""))
        health = snapshot.health if message["source"] == snapshot.source else None
        heard = replace(heard, hello=message, estimate=message["estimate"], title=title, health=health)
        return replace(heard, state=state, state_seq=seq)
    if message["type"] == "title":
        return replace(heard, title=message["title"])
    if message["type"] == "health":
        return replace(heard, health=message)
    if message["type"] == "estimate":
        heard = replace(heard, estimate=message["estimate"])
        state = StreamState(message["estimate"]["state"])
    elif message["type"] == "state":
        state = StreamState(message["state"])
    else:
        return heard
    return replace(heard, state=state, state_seq=seq) if seq > snapshot.state_seq else heard
