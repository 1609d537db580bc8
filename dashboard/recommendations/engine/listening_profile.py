"""Listening profile: the genre mix of the last seconds and of the session, and the detection of changes.

Times are seconds of the caller's clock. Only music ages the mixes, so a pause changes nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import isfinite

from dashboard.recommendations.domain.genre_mix import (
    blend,
    drop_rare,
    heaviest_first,
    normalize,
    total_variation,
)
from realtime.protocol.estimate import StreamState

LEAD_MARGIN = 0.05
"""Share of the mix by which a genre must be ahead to take the lead. Two similar genres do not alternate."""

FIRST_STEP_SECONDS = 0.5
"""Seconds that the first estimate counts: the step between two estimates of the analyzer."""


@dataclass(frozen=True, slots=True)
class ProfileSettings:
    """Settings of the listening profile.

    ``fast_share``, ``change_distance`` and ``change_hold_seconds`` were tuned on the shipped model's
    estimates of five hours of joined GTZAN spectrograms of the validation split
    (``tests/benchmarks/rolling_playlist.py --tune``; 38 true changes). The test split evaluates them. No
    other half-life or pause that was tried there was clearly better. The other defaults are first choices.
    """

    fast_half_life_seconds: float = 15.0
    """Seconds of music after which the weight of an estimate in the fast mix is halved."""
    session_half_life_seconds: float = 600.0
    """Seconds of music after which the weight of an estimate in the session mix is halved."""
    fast_share: float = 0.8
    """Share of the fast mix in the target mix. The rest is the session mix. With 0.6, a playlist has 6
    percentage points fewer songs of the playing genre. With 1, it would have 3 points more and ignore the
    session."""
    min_share: float = 0.15
    """Share below which a genre gets no songs. With 0.10, genres that no label ever showed got songs."""
    first_music_seconds: float = 30.0
    """Seconds of music before the first songs are offered."""
    min_confidence: float = 0.35
    """Probability of the most probable genre from which on an UNSURE estimate counts."""
    change_distance: float = 0.45
    """Total variation distance between the fast mix and the mix at the last refresh that is a change."""
    change_hold_seconds: float = 30.0
    """Seconds of music for which the distance must last. It is the length of an uncertain track, not of a
    window. With a distance of 0.35 for three estimates, the playlist was refreshed 12 times an hour without
    need: that value was tuned for an estimate every 3 s, and live estimates come every 0.5 s. With the
    present values there is one such refresh an hour. A true change is followed sooner as well, because the
    mix has settled by then and no second refresh is needed."""
    change_pause_seconds: float = 45.0
    """Seconds after a refresh in which no change is reported."""
    sure_seconds: float = 10.0
    """Seconds for which a genre must be sure without interruption to count as what plays now."""
    max_step_seconds: float = 5.0
    """Seconds that one estimate counts at most. A longer gap is not listening time."""

    def __post_init__(self) -> None:
        """Check the ranges.

        Raises
        ------
        ValueError
            If a value is out of range. The message names the setting, the value and the range.
        """
        for name in ("fast_half_life_seconds", "session_half_life_seconds", "max_step_seconds"):
            if not 0 < getattr(self, name) < float("inf"):
                raise ValueError(f"{name} is {getattr(self, name)}; it must be above 0")
        for name in ("first_music_seconds", "change_hold_seconds", "change_pause_seconds", "sure_seconds"):
            if not 0 <= getattr(self, name) < float("inf"):
                raise ValueError(f"{name} is {getattr(self, name)}; it must be at least 0")
        for name in ("fast_share", "min_share", "min_confidence", "change_distance"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name} is {getattr(self, name)}; it must lie in 0..1")


@dataclass(frozen=True, slots=True)
class LeadingGenre:
    """Genre with the largest share of the target mix, and the seconds of music for which it has led."""

    genre: str
    seconds: float


class _DecayingMix:
    """Exponentially decaying mean of mixes. Unlike in a plain EMA, the first mix has no extra weight."""

    def __init__(self, half_life_seconds: float) -> None:
        self._half_life_seconds = half_life_seconds
        self._sums: dict[str, float] = {}

    def add(self, mix: Mapping[str, float], step_seconds: float) -> None:
        left = 0.5 ** (step_seconds / self._half_life_seconds)
        self._sums = blend(self._sums, mix, left)

    @property
    def mix(self) -> dict[str, float]:
        return normalize(self._sums)


class ListeningProfile:
    """Genre mixes of the estimates so far, with the target mix and the detection of changes."""

    def __init__(self, settings: ProfileSettings | None = None) -> None:
        self.settings = settings or ProfileSettings()
        self.music_seconds = 0.0
        """Seconds of music so far."""
        self._fast = _DecayingMix(self.settings.fast_half_life_seconds)
        self._session = _DecayingMix(self.settings.session_half_life_seconds)
        self._estimate_at: float | None = None
        self._refreshed_at: float | None = None
        self._mix_at_refresh: dict[str, float] = {}
        self._far_seconds = 0.0
        self.heard_genre = ""
        """Genre that was last sure for ``sure_seconds``, or an empty text before any."""
        self._sure_genre, self._sure_for = "", 0.0
        self._leader = ""
        self._leads_since = 0.0
        self._last_led_at: dict[str, float] = {}

    def add_estimate(self, at_seconds: float, probabilities: Mapping[str, float], state: str) -> bool:
        """Add one estimate.

        Parameters
        ----------
        at_seconds : float
            Time of the estimate. If the clock has gone back, the estimate counts as the first one.
        probabilities : mapping of str to float
            Probabilities by genre, 0..1.
        state : str
            State of the estimate. In NOT_MUSIC and SILENT, the probabilities belong to earlier music.

        Returns
        -------
        bool
            True if the estimate counts as music.
        """
        before, self._estimate_at = self._estimate_at, at_seconds
        if not self._is_music(probabilities, state):
            return False
        step = FIRST_STEP_SECONDS if before is None or at_seconds < before else at_seconds - before
        step = min(step, self.settings.max_step_seconds)
        mix = normalize(probabilities)
        self._fast.add(mix, step)
        self._session.add(mix, step)
        self._update_lead()
        self._update_heard(probabilities, state, step)
        self.music_seconds += step
        fast = self.fast
        for genre in heaviest_first(fast)[:1]:
            self._last_led_at[genre] = self.music_seconds
        if self._refreshed_at is not None:
            far = total_variation(fast, self._mix_at_refresh) > self.settings.change_distance
            self._far_seconds = self._far_seconds + step if far else 0.0
        return True

    def _update_heard(self, probabilities: Mapping[str, float], state: str, step: float) -> None:
        genre = heaviest_first(probabilities)[0] if state == StreamState.LISTENING else ""
        self._sure_for = self._sure_for + step if genre == self._sure_genre else step
        self._sure_genre = genre
        if genre and self._sure_for >= self.settings.sure_seconds:
            self.heard_genre = genre

    def _update_lead(self) -> None:
        """Update the leading genre before the step is added. A genre leads from the start of its estimate."""
        target = self.target
        if not target:
            return  # the estimate has no duration
        strongest = heaviest_first(target)[0]
        if target[strongest] > target.get(self._leader, 0.0) + LEAD_MARGIN or not self._leader:
            self._leader, self._leads_since = strongest, self.music_seconds

    def _is_music(self, probabilities: Mapping[str, float], state: str) -> bool:
        values = probabilities.values()
        if not all(isfinite(value) and value >= 0 for value in values):
            return False
        highest = max(values, default=0.0)
        if state == StreamState.UNSURE:
            return highest >= max(self.settings.min_confidence, 1e-9)
        return state == StreamState.LISTENING and highest > 0

    @property
    def ready(self) -> bool:
        """True if there was enough music to offer songs."""
        return self.music_seconds > 0 and self.music_seconds >= self.settings.first_music_seconds

    @property
    def fast(self) -> dict[str, float]:
        """Mix of the last seconds."""
        return self._fast.mix

    @property
    def session(self) -> dict[str, float]:
        """Mix of the session, in which recent minutes have more weight."""
        return self._session.mix

    @property
    def target(self) -> dict[str, float]:
        """Target mix of the playlist, which is empty before any music."""
        mix = blend(self.fast, self.session, self.settings.fast_share)
        return drop_rare(mix, self.settings.min_share)

    @property
    def leading_genre(self) -> LeadingGenre | None:
        """Genre that leads the target mix, or None before any music."""
        return LeadingGenre(self._leader, self.music_seconds - self._leads_since) if self._leader else None

    def seconds_since_leading(self, genre: str) -> float | None:
        """Return the seconds of music since a genre last led the fast mix, or None if it never did."""
        at = self._last_led_at.get(genre)
        return None if at is None else self.music_seconds - at

    def has_changed(self, now: float) -> bool:
        """Return whether the music has differed from that at the last refresh for long enough."""
        if self._refreshed_at is None or not self._far_seconds:
            return False
        if self._far_seconds < self.settings.change_hold_seconds:
            return False
        return now - self._refreshed_at >= self.settings.change_pause_seconds

    def mark_refreshed(self, now: float) -> None:
        """Record that the playlist was refreshed for the current mix."""
        self._refreshed_at = now
        self._mix_at_refresh = self.fast
        self._far_seconds = 0.0
