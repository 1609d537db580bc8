"""The interface of song services, and their results."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Protocol, TypeAlias

from dashboard.recommendations.domain.tracks import Relaxed, Track, TrackQuery


class Status(StrEnum):
    """How a request ended."""

    OK = "ok"
    EMPTY = "empty"
    RATE_LIMITED = "rate_limited"
    QUOTA = "quota"
    AUTH = "auth"
    FORBIDDEN = "forbidden"
    PREMIUM = "premium"
    BAD_REQUEST = "bad_request"
    TIMEOUT = "timeout"
    UNREACHABLE = "unreachable"
    BAD_ANSWER = "bad_answer"
    OFF = "off"


@dataclass(frozen=True, slots=True)
class ProviderResult:
    """An answer: ``tracks`` may be there whatever the status; ``retry_at`` (aware, UTC) is when it makes
    sense to ask again; ``relaxed`` names filters that were widened; ``detail`` is one plain sentence for
    the page, without secrets.
    """

    tracks: tuple[Track, ...] = ()
    status: Status = Status.OK
    retry_at: datetime | None = None
    relaxed: frozenset[Relaxed] = field(default_factory=frozenset)
    from_cache: bool = False
    detail: str = ""
    calls: int = 0
    """Requests that were sent for it."""


class SongProvider(Protocol):
    """Knows songs."""

    @property
    def name(self) -> str:
        """What a person calls it."""
        ...

    def search(self, query: TrackQuery, deadline: float) -> ProviderResult:
        """Answer before ``deadline``, in seconds of the clock that the provider was given."""
        ...


Interim: TypeAlias = Callable[[ProviderResult], object]
"""Takes the result that a search has if it is given up from now on; called before each request."""


def ignore(_result: ProviderResult) -> None:
    """Take no notice of interim results."""


class RemoteProvider(Protocol):
    """Knows songs from a service on the network.

    The deadline bounds each of its requests. A service that sends a byte now and then may hold it longer:
    ``BackgroundProvider`` ends the search in time.
    """

    @property
    def name(self) -> str:
        """What a person calls it."""
        ...

    def search(self, query: TrackQuery, deadline: float, interim: Interim = ignore, /) -> ProviderResult:
        """Answer, if possible before ``deadline``, in seconds of the clock that the provider was given."""
        ...


class Clock(Protocol):
    """Time from outside."""

    def monotonic(self) -> float:
        """Seconds since some fixed moment."""
        ...

    def now(self) -> datetime:
        """The wall clock, aware, UTC."""
        ...
