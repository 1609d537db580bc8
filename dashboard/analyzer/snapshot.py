"""Snapshot of the analyzer's newest state, which each message updates."""

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
"""Estimates that are kept, those of five minutes. Pages read more often than that."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Newest state of the analyzer.

    Attributes
    ----------
    state : StreamState
        State in the newest message that carries a state.
    state_seq : int
        ``seq`` of the message with ``state``. The server has a mailbox for each type of message, so that
        an estimate may arrive after a newer state.
    source : str
        Name of the followed source.
    title : str
        Title that the source reports. It is often empty.
    artist, song : str
        Parts of the title, both empty if they are unknown.
    sources : SourcesMessage or None
        Sources that can be selected. None unless connected with the analyzer's token.
    """

    connected: bool = False
    state: StreamState = StreamState.CONNECTING
    state_seq: int = -1
    source: str = ""
    title: str = ""
    artist: str = ""
    song: str = ""
    hello: HelloMessage | None = None
    estimate: EstimatePayload | None = None
    health: HealthMessage | None = None
    sources: SourcesMessage | None = None


@dataclass(frozen=True, slots=True)
class ReceivedEstimate:
    """Estimate with its number and times.

    Attributes
    ----------
    number : int
        Number of the estimate since the feed was created, from 1.
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
    """Return the snapshot after a message of the server."""
    if isinstance(message, SourcesMessage):
        return replace(snapshot, sources=message)
    updated = replace(snapshot, connected=True, source=message.source)
    match message:
        case HelloMessage():
            # A hello starts a connection. After a restart of the server, seq starts again.
            return replace(
                updated,
                hello=message,
                estimate=message.estimate,
                title=message.title,
                artist=message.artist,
                song=message.song,
                health=snapshot.health if message.source == snapshot.source else None,
                state=message.state,
                state_seq=message.seq,
            )
        case TitleMessage():
            return replace(updated, title=message.title, artist=message.artist, song=message.song)
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
