"""What was heard, as a mix of genres: of the last seconds, of the session, and whether it changed.

Time is that of the caller's clock; only music moves it on, so a pause ages nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import isfinite

from dashboard.recommendations.mix import blended, normalised, total_variation, without_rare
from realtime.estimates import StreamState

FIRST_STEP_SECONDS = 0.5
"""What an estimate counts that has none before it: the analyzer's own step between estimates."""


@dataclass(frozen=True, slots=True)
class EvidenceSettings:
    """How slowly the mix follows the music; ``tests/simulated_session.py`` says what the defaults do."""

    fast_half_life_seconds: float = 15.0
    session_half_life_seconds: float = 600.0
    fast_share: float = 0.6
    """Of the mix that is aimed at; the rest is the session's."""
    smallest_share: float = 0.10
    """Genres below it get no songs."""
    first_music_seconds: float = 30.0
    """Nothing is offered before as much music was heard."""
    least_confidence: float = 0.35
    """Of the most probable genre, for an estimate to count that the analyzer is unsure of."""
    change_distance: float = 0.35
    """Total variation between now and the last refresh. Simulated with 75 % of the windows right, 0.18
    refreshes ten times an hour without need, 0.35 never, and sooner after a true change."""
    change_estimates: int = 3
    """As many in a row must be that far away."""
    change_pause_seconds: float = 45.0
    """No change is told sooner after a refresh."""
    longest_step_seconds: float = 5.0
    """What one estimate counts at most; longer gaps were not heard."""

    def __post_init__(self) -> None:
        """Refuse what means nothing.

        Raises
        ------
        ValueError
            With the setting's name, its value and what is allowed.
        """
        for name in ("fast_half_life_seconds", "session_half_life_seconds", "longest_step_seconds"):
            if not 0 < getattr(self, name) < float("inf"):
                raise ValueError(f"{name} is {getattr(self, name)}; it must be above 0")
        for name in ("first_music_seconds", "change_pause_seconds"):
            if not 0 <= getattr(self, name) < float("inf"):
                raise ValueError(f"{name} is {getattr(self, name)}; it must be at least 0")
        for name in ("fast_share", "smallest_share", "least_confidence", "change_distance"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name} is {getattr(self, name)}; it must lie in 0..1")
        if self.change_estimates < 1:
            raise ValueError(f"change_estimates is {self.change_estimates}; it must be at least 1")


class _Decaying:
    """A mean of mixes in which older ones weigh less; unlike a plain EMA the first has no extra weight."""

    def __init__(self, half_life_seconds: float) -> None:
        self._half_life_seconds = half_life_seconds
        self._sums: dict[str, float] = {}

    def add(self, mix: Mapping[str, float], step_seconds: float) -> None:
        left = 0.5 ** (step_seconds / self._half_life_seconds)
        self._sums = blended(self._sums, mix, left)

    @property
    def mix(self) -> dict[str, float]:
        return normalised(self._sums)


class Evidence:
    """Collects estimates; knows the mix to aim at and whether the music has changed since a refresh."""

    def __init__(self, settings: EvidenceSettings | None = None) -> None:
        self.settings = settings or EvidenceSettings()
        self.music_seconds = 0.0
        """Music heard so far."""
        self._fast = _Decaying(self.settings.fast_half_life_seconds)
        self._session = _Decaying(self.settings.session_half_life_seconds)
        self._heard_at: float | None = None
        self._refreshed_at: float | None = None
        self._mix_then: dict[str, float] = {}
        self._far_in_row = 0

    def hear(self, at_seconds: float, probabilities: Mapping[str, float], state: str) -> bool:
        """Take one estimate.

        Parameters
        ----------
        at_seconds : float
            When it was heard. A clock that went back counts as a first estimate.
        probabilities : Mapping
            By genre, 0..1.
        state : str
            Of the estimate. In NOT_MUSIC and SILENT the probabilities are those of earlier music.

        Returns
        -------
        bool
            Whether it counted as music.
        """
        before, self._heard_at = self._heard_at, at_seconds
        if not self._is_music(probabilities, state):
            return False
        step = FIRST_STEP_SECONDS if before is None or at_seconds < before else at_seconds - before
        step = min(step, self.settings.longest_step_seconds)
        mix = normalised(probabilities)
        self._fast.add(mix, step)
        self._session.add(mix, step)
        self.music_seconds += step
        if self._refreshed_at is not None:
            far = total_variation(self.fast, self._mix_then) > self.settings.change_distance
            self._far_in_row = self._far_in_row + 1 if far else 0
        return True

    def _is_music(self, probabilities: Mapping[str, float], state: str) -> bool:
        values = probabilities.values()
        if not all(isfinite(value) and value >= 0 for value in values):
            return False
        highest = max(values, default=0.0)
        if state == StreamState.UNSURE:
            return highest >= max(self.settings.least_confidence, 1e-9)
        return state == StreamState.LISTENING and highest > 0

    @property
    def ready(self) -> bool:
        """Whether enough music was heard to offer anything."""
        return self.music_seconds > 0 and self.music_seconds >= self.settings.first_music_seconds

    @property
    def fast(self) -> dict[str, float]:
        """The mix of the last seconds."""
        return self._fast.mix

    @property
    def session(self) -> dict[str, float]:
        """The mix of the session, recent minutes weighing more."""
        return self._session.mix

    @property
    def target(self) -> dict[str, float]:
        """The mix to offer songs in; empty when no music was heard."""
        mix = blended(self.fast, self.session, self.settings.fast_share)
        return without_rare(mix, self.settings.smallest_share)

    def changed(self, now: float) -> bool:
        """Whether the music is another than at the last refresh, and has been for some estimates."""
        if self._refreshed_at is None or self._far_in_row < self.settings.change_estimates:
            return False
        return now - self._refreshed_at >= self.settings.change_pause_seconds

    def refreshed(self, now: float) -> None:
        """Songs were chosen for the mix of this moment."""
        self._refreshed_at = now
        self._mix_then = self.fast
        self._far_in_row = 0
