"""The numbers by which a list of songs rolls."""

from __future__ import annotations

from dataclasses import dataclass, field

from dashboard.recommendations.engine.listening_profile import ProfileSettings
from dashboard.recommendations.engine.ranking import RankingSettings

MAX_ITEMS = 10
"""So many songs have no artist twice."""


@dataclass(frozen=True, slots=True)
class PlaylistSettings:
    """How the list rolls.

    ``timer_seconds`` was held against real music (``tests/benchmarks/rolling_playlist.py``): with 120 or
    300 s lists fit what plays no better. The other defaults are first choices, held against a simulation.
    """

    rows: int = MAX_ITEMS
    timer_seconds: float = 180.0
    swap_share: float = 0.6
    """Of the rows, that a refresh by the timer takes away at most."""
    unseen_low: int = 5
    """With fewer songs not opened, others come; with fewer left in a pool, more are asked for."""
    pool_depth: int = 50
    """Songs to ask for at once: a page of YouTube, and one of its 100 searches a day."""
    retry_seconds: float = 60.0
    """After it a query without an answer is asked again; after twice as long the next time."""
    patience_seconds: float = 10.0
    """Places are kept as long for songs on their way; providers have a deadline of 4 s."""
    evidence: ProfileSettings = field(default_factory=ProfileSettings)
    ranking: RankingSettings = field(default_factory=RankingSettings)

    def __post_init__(self) -> None:
        """Refuse what means nothing.

        Raises
        ------
        ValueError
            With the setting's name, its value and what is allowed.
        """
        if not 1 <= self.rows <= MAX_ITEMS:
            raise ValueError(f"rows is {self.rows}; it must lie in 1..{MAX_ITEMS}")
        if not 0 <= self.swap_share <= 1:
            raise ValueError(f"swap_share is {self.swap_share}; it must lie in 0..1")
        if self.pool_depth < 1:
            raise ValueError(f"pool_depth is {self.pool_depth}; it must be at least 1")
        for name in ("timer_seconds", "retry_seconds"):
            if not 0 < getattr(self, name) < float("inf"):
                raise ValueError(f"{name} is {getattr(self, name)}; it must be above 0")
        for name in ("unseen_low", "patience_seconds"):
            if not 0 <= getattr(self, name) < float("inf"):
                raise ValueError(f"{name} is {getattr(self, name)}; it must be at least 0")
