"""Newest state of the analyzer, reduced from its messages."""

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
"""Estimates that are kept, five minutes. A page that reads less often has been closed."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The last message of each kind.

    Attributes
    ----------
    state : StreamState
        State in the newest message that carries one.
    state_seq : int
        ``seq`` of the message with ``state``. Each kind of message has its own mailbox at the server, so
        that an estimate may arrive after the state that followed it.
    source : str
        The source that is followed.
    title : str
        Title that the source reports, often empty.
    sources : SourcesMessage or None
        The sources that can be selected. Known only while connected with the analyzer's token.
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
        """The genre that has held its place, or None."""
        return None if self.estimate is None else self.estimate.stable_label


@dataclass(frozen=True, slots=True)
class ReceivedEstimate:
    """An estimate as the feed received it.

    Attributes
    ----------
    number : int
        Rises for as long as the feed lives.
    at : float
        Position in the audio in seconds.
    estimate : EstimatePayload
    arrived : float
        Time of arrival by ``time.monotonic()``.
    """

    number: int
    at: float
    estimate: EstimatePayload
    arrived: float = 0.0


def apply_message(snapshot: Snapshot, message: ServerMessage) -> Snapshot:
    """Return the snapshot after one valid message.

    Parameters
    ----------
    snapshot : Snapshot
        State before the message.
    message : ServerMessage
        One message of the server.
    """
    if isinstance(message, SourcesMessage):
        return replace(snapshot, sources=message)
    updated = replace(snapshot, connected=True, source=message.source)
    match message:
        case HelloMessage():
            # A new connection: seq starts again if the server was restarted.
            return replace(
                updated,
                hello=message,
                estimate=message.estimate,
                title=message.title,
                health=snapshot.health if message.source == snapshot.source else None,
                state=message.state,
                state_seq=message.seq,
            )
        case TitleMessage():
            return replace(updated, title=message.title)
        case HealthMessage():
            return replace(updated, health=message)
        case EstimateMessage():
            updated, state = replace(updated, estimate=message.estimate), message.estimate.state
        case StateMessage():
            state = message.state
        case _:
            return updated
    newer = message.seq > snapshot.state_seq
    return replace(updated, state=state, state_seq=message.seq) if newer else updated
