"""Interface of song providers and of their results."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Protocol, TypeAlias

from dashboard.recommendations.domain.tracks import Relaxed, Track, TrackQuery


class Status(StrEnum):
    """Outcome of a request to a song provider."""

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
    """Songs and outcome of one search.

    Attributes
    ----------
    tracks : tuple of Track
        Songs that were found. There may be songs with any status.
    status : Status
    retry_at : datetime or None
        Earliest time for another request, in UTC with a time zone.
    relaxed : frozenset of Relaxed
        Filters that the provider relaxed.
    from_cache : bool
        True if no request was sent.
    detail : str
        Predicate of a sentence about the provider without full stop, such as ``did not answer in time``. It
        holds no secrets.
    """

    tracks: tuple[Track, ...] = ()
    status: Status = Status.OK
    retry_at: datetime | None = None
    relaxed: frozenset[Relaxed] = field(default_factory=frozenset)
    from_cache: bool = False
    detail: str = ""
    calls: int = 0
    """Number of requests that were sent."""


class SongProvider(Protocol):
    """Source of songs."""

    @property
    def name(self) -> str:
        """Name of the provider as the page shows it."""
        ...

    def search(self, query: TrackQuery, deadline: float) -> ProviderResult:
        """Return songs before ``deadline``, in seconds of the provider's clock."""
        ...


Interim: TypeAlias = Callable[[ProviderResult], object]
"""Receiver of interim results. The last one counts if the search is abandoned. Providers call it before each
request."""


def ignore(_result: ProviderResult) -> None:
    """Discard an interim result."""


class RemoteProvider(Protocol):
    """Source of songs on the network.

    The deadline bounds each request, but a service that sends single bytes may exceed it.
    ``BackgroundProvider`` then abandons the search.
    """

    @property
    def name(self) -> str:
        """Name of the provider as the page shows it."""
        ...

    def search(self, query: TrackQuery, deadline: float, interim: Interim = ignore, /) -> ProviderResult:
        """Return songs, if possible before ``deadline``, in seconds of the clock of the provider."""
        ...


class Clock(Protocol):
    """Monotonic clock and wall clock, which tests replace."""

    def monotonic(self) -> float:
        """Return the seconds since an arbitrary fixed moment."""
        ...

    def now(self) -> datetime:
        """Return the current time in UTC, with a time zone."""
        ...
