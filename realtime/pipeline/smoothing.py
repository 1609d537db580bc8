"""Smooth predictions over time. Half-life and hold are seconds and do not depend on the hop."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from realtime.config import SmoothingSettings

Probabilities = npt.NDArray[np.float64]

MUSIC_HALF_LIFE_SHARE = 0.5
"""Half-life of the probability of music, as a share of the half-life of the genres.

A choice between two classes needs less averaging than one between ten. Talk with the name of a genre is the
worse mistake, so talk is noticed sooner than a change of genre.
"""

MUSIC_RETURN_SHARE = 0.1
"""Share of the way from ``music_above`` to 1 that the average must rise until the state is music again."""


@dataclass(frozen=True, slots=True)
class Smoothed:
    """Smoothed probabilities and labels.

    Attributes
    ----------
    probabilities : (n,) float64, read-only
        All 0 before the first window of music.
    top : int or None
        Index of the most probable genre. None before the first window of music.
    stable : int or None
        Index of the stable label. None until a prediction was sure.
    sure : bool
        True if the stable label is probable enough to be shown. During a change of genre, neither the old nor
        the new one may be.
    music : float
        Average probability of music.
    is_music : bool
    """

    probabilities: Probabilities
    top: int | None
    stable: int | None
    sure: bool
    music: float
    is_music: bool


class Smoother:
    """Exponential average of calibrated probabilities, with a stable label.

    With d seconds since the last prediction the average moves by a share 1 - 2**(-d / half_life) towards the
    new one. This is the exact discretization of a first-order decay.

    The probability of music has its own average. A window that is not music changes neither the average of
    the genres nor the stable label. The next window of music is weighted by the time since the last one. The
    stable label also does not change until the average of music has returned.

    Parameters
    ----------
    settings : SmoothingSettings
    sample_rate : int
        Hz of the positions.
    unsure_below : float
        Smallest confidence of a sure estimate.
    music_above : float, optional
        Smallest probability of music that counts as music. By default everything is music.
    """

    def __init__(
        self,
        settings: SmoothingSettings,
        sample_rate: int,
        unsure_below: float,
        music_above: float | None = None,
    ) -> None:
        self.settings = settings
        self.sample_rate = sample_rate
        self.unsure_below = unsure_below
        self.music_above = music_above
        self.reset()

    def reset(self) -> None:
        """Forget all predictions, as after silence. The next one counts alone."""
        self._average: Probabilities | None = None
        self._averaged_to = 0  # position of the last window that moved the average
        self._position: int | None = None
        self._music = 1.0
        self._is_music = True
        self._stable: int | None = None
        self._leading_since: int | None = None

    def update(self, probabilities: Probabilities, position: int, music: float = 1.0) -> Smoothed:
        """Add one prediction.

        Parameters
        ----------
        probabilities : (n,) float64 summing to 1
        position : int
            Position of the window, later than the previous one.
        music : float
            Probability that the window is music.

        Raises
        ------
        ValueError
            If the position is not later.
        """
        if self._position is None:
            self._music = music
        else:
            if position <= self._position:
                raise ValueError(f"position {position} is not later than {self._position}")
            half_life = MUSIC_HALF_LIFE_SHARE * self.settings.half_life_seconds
            self._music += self._share(position - self._position, half_life) * (music - self._music)
        self._position = position
        above = self.music_above or 0.0
        needed = above if self._is_music else above + MUSIC_RETURN_SHARE * (1 - above)
        self._is_music = self._music >= needed
        if music >= above:
            self._update_average(probabilities, position)
        return self._smoothed(len(probabilities))

    def _update_average(self, probabilities: Probabilities, position: int) -> None:
        """Move the average of the genres towards one window of music."""
        if self._average is None:
            average = probabilities.copy()
        else:
            share = self._share(position - self._averaged_to, self.settings.half_life_seconds)
            average = self._average + share * (probabilities - self._average)
        average.flags.writeable = False
        self._average, self._averaged_to = average, position

    def _smoothed(self, genres: int) -> Smoothed:
        if self._average is None:
            nothing = np.zeros(genres)
            nothing.flags.writeable = False
            return Smoothed(nothing, None, None, False, self._music, self._is_music)
        top = int(self._average.argmax())
        self._follow(self._average, top, bool(self._average[top] >= self.unsure_below) and self._is_music)
        named = top if self._stable is None else self._stable
        sure = bool(self._average[named] >= self.unsure_below)
        return Smoothed(self._average, top, self._stable, sure, self._music, self._is_music)

    def _share(self, samples: int, half_life: float) -> float:
        return 1.0 - 0.5 ** (samples / self.sample_rate / half_life) if half_life else 1.0

    def _follow(self, average: Probabilities, top: int, sure: bool) -> None:
        """Set the stable label to ``top`` once it has led for long enough."""
        if not sure or top == self._stable:
            self._leading_since = None
            return
        if self._stable is None:
            self._stable = top
            return
        held = average[self._stable]
        if held >= self.unsure_below and average[top] - held < self.settings.switch_margin:
            self._leading_since = None
            return
        if self._leading_since is None:
            self._leading_since = self._averaged_to
        if self._averaged_to - self._leading_since >= self.settings.hold_seconds * self.sample_rate:
            self._stable, self._leading_since = top, None
