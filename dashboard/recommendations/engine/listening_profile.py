"""What was heard, as a mix of genres: of the last seconds, of the session, and whether it changed.

Time is that of the caller's clock; only music moves it on, so a pause ages nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import isfinite

from dashboard.recommendations.domain.genre_mix import (
    blended,
    heaviest_first,
    normalize,
    total_variation,
    without_rare,
)
from realtime.protocol.estimate import StreamState

LEAD_MARGIN = 0.05
"""By so much of the mix a genre must be ahead to take the lead, so that two alike do not take turns."""

FIRST_STEP_SECONDS = 0.5
"""What an estimate counts that has none before it: the analyzer's own step between estimates."""


@dataclass(frozen=True, slots=True)
class ProfileSettings:
    """How slowly the mix follows the music.

    ``fast_share``, ``change_distance`` and ``change_hold_seconds`` were chosen on the shipped model's
    estimates of five hours of joined GTZAN spectrograms, of the part that chooses
    (``tests/benchmarks/rolling_playlist.py --tune``; 38 true changes); its test part judges them. Of
    half-lives and pauses tried there none was clearly better than these; the rest are first choices.
    """

    fast_half_life_seconds: float = 15.0
    session_half_life_seconds: float = 600.0
    fast_share: float = 0.8
    """Of the mix that is aimed at; the rest is the session's. With 0.6 a list has 6 points fewer songs of
    the genre that plays; with 1 it would have 3 more and forget the session."""
    smallest_share: float = 0.15
    """Genres below it get no songs. With 0.10 a doubt that no label ever showed brought songs of its own."""
    first_music_seconds: float = 30.0
    """Nothing is offered before as much music was heard."""
    least_confidence: float = 0.35
    """Of the most probable genre, for an estimate to count that the analyzer is unsure of."""
    change_distance: float = 0.45
    """Total variation between now and the last refresh."""
    change_hold_seconds: float = 30.0
    """So much music in a row must be that far away: the length of a track in doubt, not of a window. With
    0.35 for three estimates, which an estimate every 3 s had suggested and live come every half second,
    the list was refreshed 12 times an hour without need; now once, and a true change is followed sooner,
    for the mix has settled by then and needs no second refresh."""
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
        for name in ("first_music_seconds", "change_hold_seconds", "change_pause_seconds"):
            if not 0 <= getattr(self, name) < float("inf"):
                raise ValueError(f"{name} is {getattr(self, name)}; it must be at least 0")
        for name in ("fast_share", "smallest_share", "least_confidence", "change_distance"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name} is {getattr(self, name)}; it must lie in 0..1")


@dataclass(frozen=True, slots=True)
class LeadingGenre:
    """The genre that most was heard of lately, and for how much music it has been that."""

    genre: str
    seconds: float


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
        return normalize(self._sums)


class ListeningProfile:
    """Collects estimates; knows the mix to aim at and whether the music has changed since a refresh."""

    def __init__(self, settings: ProfileSettings | None = None) -> None:
        self.settings = settings or ProfileSettings()
        self.music_seconds = 0.0
        """Music heard so far."""
        self._fast = _Decaying(self.settings.fast_half_life_seconds)
        self._session = _Decaying(self.settings.session_half_life_seconds)
        self._heard_at: float | None = None
        self._refreshed_at: float | None = None
        self._mix_then: dict[str, float] = {}
        self._far_seconds = 0.0
        self._leader = ""
        self._led_from = 0.0
        self._first_at: dict[str, float] = {}

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
        mix = normalize(probabilities)
        self._fast.add(mix, step)
        self._session.add(mix, step)
        self._follow_lead()
        self.music_seconds += step
        fast = self.fast
        for genre in heaviest_first(fast)[:1]:
            self._first_at[genre] = self.music_seconds
        if self._refreshed_at is not None:
            far = total_variation(fast, self._mix_then) > self.settings.change_distance
            self._far_seconds = self._far_seconds + step if far else 0.0
        return True

    def _follow_lead(self) -> None:
        """Called before the step counts: a genre leads from where the sound of its estimate began."""
        target = self.target
        if not target:
            return  # an estimate of no length
        first = heaviest_first(target)[0]
        if target[first] > target.get(self._leader, 0.0) + LEAD_MARGIN or not self._leader:
            self._leader, self._led_from = first, self.music_seconds

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

    @property
    def lead(self) -> LeadingGenre | None:
        """The genre of most weight in ``target``, and for how much music it has led; None before any."""
        return LeadingGenre(self._leader, self.music_seconds - self._led_from) if self._leader else None

    def since_first(self, genre: str) -> float | None:
        """Seconds of music since a genre was the most likely of the last ones; None where it never was."""
        at = self._first_at.get(genre)
        return None if at is None else self.music_seconds - at

    def changed(self, now: float) -> bool:
        """Whether the music is another than at the last refresh, and has been for a while."""
        if self._refreshed_at is None or not self._far_seconds:
            return False
        if self._far_seconds < self.settings.change_hold_seconds:
            return False
        return now - self._refreshed_at >= self.settings.change_pause_seconds

    def refreshed(self, now: float) -> None:
        """Songs were chosen for the mix of this moment."""
        self._refreshed_at = now
        self._mix_then = self.fast
        self._far_seconds = 0.0
