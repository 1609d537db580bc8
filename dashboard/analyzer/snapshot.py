"""The newest state of the analyzer, folded from its messages."""

from __future__ import annotations

from dataclasses import dataclass, replace

from realtime.protocol.estimate import StreamState
from realtime.protocol.messages import (
    EstimateMessage,
    EstimatePayload,
    HealthMessage,
    HelloMessage,
    ServerMessage,
    SourcesMessage,
    StateMessage,
    TitleMessage,
)

MAX_ESTIMATES = 600
"""Five minutes: whoever reads them less often has closed the page."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The last of each message; ``state`` is that of the newest message which carries one.

    ``source`` is the one that is followed, ``title`` what it says that it plays, often nothing; ``sources``
    what may be listened to, known only while connected with the analyzer's token.

    ``state_seq`` is the ``seq`` that ``state`` came with: each kind of message has its own mailbox
    at the server, so an estimate may arrive after the state that followed it.
    """

    connected: bool = False
    state: StreamState = StreamState.CONNECTING
    state_seq: int = -1
    source: str = ""
    title: str = ""
    hello: HelloMessage | None = None
    estimate: EstimatePayload | None = None
    health: HealthMessage | None = None
    sources: SourcesMessage | None = None

    @property
    def stable_label(self) -> str | None:
        """The genre that has held its place, if any was heard."""
        return None if self.estimate is None else self.estimate.stable_label


@dataclass(frozen=True, slots=True)
class ReceivedEstimate:
    """One estimate: its number, rising for as long as the feed lives, seconds of sound, and the payload.

    ``arrived`` is the moment of ``time.monotonic()`` at which it came.
    """

    number: int
    at: float
    estimate: EstimatePayload
    arrived: float = 0.0


def apply_message(snapshot: Snapshot, message: ServerMessage) -> Snapshot:
    """The snapshot after one valid message.

    Parameters
    ----------
    snapshot : Snapshot
        What was known.
    message : ServerMessage
        One message of the server.
    """
    if isinstance(message, SourcesMessage):
        return replace(snapshot, sources=message)
    heard = replace(snapshot, connected=True, source=message.source)
    match message:
        case HelloMessage():
            # A new conversation: the server may have been restarted, and then seq begins anew.
            return replace(
                heard,
                hello=message,
                estimate=message.estimate,
                title=message.title,
                health=snapshot.health if message.source == snapshot.source else None,
                state=message.state,
                state_seq=message.seq,
            )
        case TitleMessage():
            return replace(heard, title=message.title)
        case HealthMessage():
            return replace(heard, health=message)
        case EstimateMessage():
            heard, state = replace(heard, estimate=message.estimate), message.estimate.state
        case StateMessage():
            state = message.state
        case _:
            return heard
    newer = message.seq > snapshot.state_seq
    return replace(heard, state=state, state_seq=message.seq) if newer else heard
