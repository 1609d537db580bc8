"""Settings of the rolling playlist."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import ceil, floor
from typing import Final

from dashboard.recommendations.engine.listening_profile import ProfileSettings
from dashboard.recommendations.engine.ranking import RankingSettings

ROUNDING: Final = 1e-9
"""Added before a product is rounded down, so that 0.6 * 10 gives 6."""
MAX_ITEMS = 10
"""Songs in a playlist. No artist is repeated within as many songs."""


@dataclass(frozen=True, slots=True)
class PlaylistSettings:
    """Settings of the rolling playlist.

    ``timer_seconds`` was compared on real music (``tests/benchmarks/rolling_playlist.py``): with 120 or
    300 s, playlists do not fit the music better. The other defaults are first choices that were checked in
    a simulation.
    """

    size: int = MAX_ITEMS
    """Songs in the playlist."""
    heard_rows: int = 3
    """First rows of the playlist, which the genre that plays now owns. The mix owns the rest."""
    timer_seconds: float = 180.0
    """Seconds after which the timer refreshes the playlist."""
    swap_share: float = 0.6
    """Largest share of the songs that a refresh by the timer replaces."""
    rest_seconds: float = 2700.0
    """Seconds after which a song that has left the playlist may return, which is 45 minutes."""
    reorder_seconds: float = 360.0
    """Seconds without another song after which the timer changes the order of the songs."""
    unseen_low: int = 5
    """Songs. The playlist is refreshed if fewer songs are unopened, and a search starts if fewer are left in
    a pool."""
    pool_depth: int = 50
    """Songs requested by one search: a page of YouTube, which costs one of its 100 searches a day."""
    retry_seconds: float = 60.0
    """Seconds after which a query without results is repeated. They double with every attempt."""
    patience_seconds: float = 10.0
    """Seconds for which slots are kept free during a search. Providers have a deadline of 4 s."""
    profile: ProfileSettings = field(default_factory=ProfileSettings)
    ranking: RankingSettings = field(default_factory=RankingSettings)

    def __post_init__(self) -> None:
        """Check the ranges.

        Raises
        ------
        ValueError
            If a value is out of range. The message names the setting, the value and the range.
        """
        if not 1 <= self.size <= MAX_ITEMS:
            raise ValueError(f"size is {self.size}; it must lie in 1..{MAX_ITEMS}")
        if not 0 <= self.swap_share <= 1:
            raise ValueError(f"swap_share is {self.swap_share}; it must lie in 0..1")
        if self.pool_depth < 1:
            raise ValueError(f"pool_depth is {self.pool_depth}; it must be at least 1")
        for name in ("timer_seconds", "retry_seconds", "rest_seconds", "reorder_seconds"):
            if not 0 < getattr(self, name) < float("inf"):
                raise ValueError(f"{name} is {getattr(self, name)}; it must be above 0")
        for name in ("unseen_low", "patience_seconds"):
            if not 0 <= getattr(self, name) < float("inf"):
                raise ValueError(f"{name} is {getattr(self, name)}; it must be at least 0")

    def max_swaps(self, rows: int, left: int | None = None) -> int:
        """Return the number of songs that a refresh by the timer may replace.

        Parameters
        ----------
        rows : int
            Songs in the playlist.
        left : int or None
            Songs that may still be shown, if no others are found. They are spread over the time until the
            first one may return.
        """
        most = floor(self.swap_share * rows + ROUNDING)
        return most if left is None else min(most, ceil(left * self.timer_seconds / self.rest_seconds))
