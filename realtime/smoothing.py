"""Smoothing in seconds: half-life, switch margin and hold do not depend on the hop."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Probabilities = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class SmoothingSettings:
    """How estimates follow predictions.

    After ``half_life_seconds`` an old prediction counts half. The stable label switches when another
    genre led it by ``switch_margin`` (probability) for ``hold_seconds``.
    """

    half_life_seconds: float = 3.0
    switch_margin: float = 0.05
    hold_seconds: float = 1.5

    def __post_init__(self) -> None:
        """Refuse what makes no sense.

        Raises
        ------
        ValueError
            A value out of range, named with the range.
        """
        if not 0 <= self.half_life_seconds <= 3600:
            raise ValueError(f"half_life_seconds is {self.half_life_seconds}; it must lie in 0..3600")
        if not 0 <= self.switch_margin <= 1:
            raise ValueError(f"switch_margin is {self.switch_margin}; it must lie in 0..1")
        if not 0 <= self.hold_seconds <= 3600:
            raise ValueError(f"hold_seconds is {self.hold_seconds}; it must lie in 0..3600")


@dataclass(frozen=True, slots=True)
class Smoothed:
    """``probabilities`` (n,) float64 read-only; ``top`` and ``stable`` are indexes into it.

    ``stable`` is None until a prediction was sure.
    """

    probabilities: Probabilities
    top: int
    stable: int | None
    sure: bool


class Smoother:
    """Exponential average of calibrated probabilities, with a label that does not flicker.

    With d seconds since the last prediction the average moves by 1 - 2**(-d / half_life) of the way,
    the exact discretisation of a first-order decay.

    Parameters
    ----------
    settings : SmoothingSettings
    sample_rate : int
        Hz; positions are samples at this rate.
    unsure_below : float
        Confidence under which an estimate is not sure.
    """

    def __init__(self, settings: SmoothingSettings, sample_rate: int, unsure_below: float) -> None:
        self.settings = settings
        self.sample_rate = sample_rate
        self.unsure_below = unsure_below
        self.reset()

    def reset(self) -> None:
        """Forget everything, as after silence: the next prediction counts alone."""
        self._average: Probabilities | None = None
        self._position = 0
        self._stable: int | None = None
        self._leading_since: int | None = None

    def update(self, probabilities: Probabilities, position: int) -> Smoothed:
        """Take in one prediction.

        Parameters
        ----------
        probabilities : (n,) float64 summing to 1
        position : int
            Its window's position, later than the last one's.

        Raises
        ------
        ValueError
            A position that is not later.
        """
        if self._average is None:
            average = probabilities.copy()
        else:
            elapsed = (position - self._position) / self.sample_rate
            if elapsed <= 0:
                raise ValueError(f"position {position} is not later than {self._position}")
            average = self._average + self._share(elapsed) * (probabilities - self._average)
        average.flags.writeable = False
        self._average, self._position = average, position
        top = int(average.argmax())
        sure = bool(average[top] >= self.unsure_below)
        self._follow(average, top, sure)
        return Smoothed(average, top, self._stable, sure)

    def _share(self, elapsed: float) -> float:
        half_life = self.settings.half_life_seconds
        return 1.0 - 0.5 ** (elapsed / half_life) if half_life else 1.0

    def _follow(self, average: Probabilities, top: int, sure: bool) -> None:
        """Let the stable label follow ``top`` once it has led for long enough."""
        if not sure or top == self._stable:
            self._leading_since = None
            return
        if self._stable is None:
            self._stable = top
            return
        if average[top] - average[self._stable] < self.settings.switch_margin:
            self._leading_since = None
            return
        if self._leading_since is None:
            self._leading_since = self._position
        if self._position - self._leading_since >= self.settings.hold_seconds * self.sample_rate:
            self._stable, self._leading_since = top, None
