"""Smooth predictions over time. Half-life and hold are in seconds, so that they do not depend on the hop."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from models.classifier import NO_TAGS
from realtime.config import SmoothingSettings

Probabilities = npt.NDArray[np.float64]

MUSIC_HALF_LIFE_SHARE = 0.5
"""Half-life of the probability of music, as a share of the half-life of the genres.

A choice between two classes needs less averaging than a choice between ten. Talk that is labeled with a genre
is the worse mistake, so talk is detected sooner than a change of genre.
"""

MUSIC_RETURN_SHARE = 0.1
"""Share of the way from ``music_above`` to 1 that the average must rise to count as music again."""


@dataclass(frozen=True, slots=True)
class SmoothedPrediction:
    """Smoothed probabilities and labels.

    Attributes
    ----------
    probabilities : (n,) float64, read-only
        All 0 before the first window of music.
    top : int or None
        Index of the most probable genre. None before the first window of music.
    stable : int or None
        Index of the stable label. None until a label has reached the confidence threshold.
    sure : bool
        True if the stable label reaches the confidence threshold. During a change of genre, neither the old
        nor the new label may reach it.
    music : float
        Average probability of music.
    is_music : bool
    tags : (n_tags,) float64, read-only
        Smoothed probabilities of the tags. All 0 before the first window of music.
    """

    probabilities: Probabilities
    top: int | None
    stable: int | None
    sure: bool
    music: float
    is_music: bool
    tags: Probabilities = field(default_factory=lambda: NO_TAGS)


class Smoother:
    """Exponential average of calibrated probabilities, with a stable label.

    With d seconds since the last prediction, the average moves by a share 1 - 2**(-d / half_life) towards the
    new prediction. This is the exact discretization of a first-order decay.

    The tags are averaged as the genres are. The probability of music has its own average. A window that is
    not music changes neither the averages of genres and tags nor the stable label. The next window of music
    is weighted by the time since the last window of music. The stable label does not change while the average
    is below the threshold of music.

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
        """Discard all predictions, such as after silence. The next prediction becomes the average."""
        self._average: Probabilities | None = None
        self._tags: Probabilities = NO_TAGS
        self._averaged_to = 0  # position of the last window that moved the average
        self._position: int | None = None
        self._music = 1.0
        self._is_music = True
        self._stable: int | None = None
        self._leading_since: int | None = None

    def update(
        self, probabilities: Probabilities, position: int, music: float = 1.0, tags: Probabilities = NO_TAGS
    ) -> SmoothedPrediction:
        """Add one prediction.

        Parameters
        ----------
        probabilities : (n,) float64 summing to 1
        position : int
            Position of the window, after the previous position.
        music : float
            Probability that the window is music.
        tags : (n_tags,) float64
            Probability of each tag.

        Raises
        ------
        ValueError
            If the position is not after the previous position.
        """
        if self._position is None:
            self._music = music
        else:
            if position <= self._position:
                raise ValueError(f"position {position} is not after the previous position {self._position}")
            half_life = MUSIC_HALF_LIFE_SHARE * self.settings.half_life_seconds
            self._music += self._share(position - self._position, half_life) * (music - self._music)
        self._position = position
        threshold = self.music_above or 0.0
        return_threshold = threshold + MUSIC_RETURN_SHARE * (1 - threshold)
        self._is_music = self._music >= (threshold if self._is_music else return_threshold)
        if music >= threshold:
            self._update_averages(probabilities, tags, position)
        return self._smooth(len(probabilities), len(tags))

    def _update_averages(self, genres: Probabilities, tags: Probabilities, position: int) -> None:
        """Move the averages of genres and tags towards one window of music."""
        if self._average is None:
            self._average, self._tags = genres.copy(), tags.copy()
        else:
            share = self._share(position - self._averaged_to, self.settings.half_life_seconds)
            self._average = self._average + share * (genres - self._average)
            self._tags = self._tags + share * (tags - self._tags)
        self._average.flags.writeable = self._tags.flags.writeable = False
        self._averaged_to = position

    def _smooth(self, genres: int, tags: int) -> SmoothedPrediction:
        if self._average is None:
            zeros = np.zeros(genres + tags)
            zeros.flags.writeable = False
            return SmoothedPrediction(
                zeros[:genres], None, None, False, self._music, self._is_music, zeros[genres:]
            )
        average = self._average
        top = int(average.argmax())
        if self._is_music and average[top] >= self.unsure_below:
            self._follow(average, top)
        else:
            self._leading_since = None
        shown = top if self._stable is None else self._stable
        sure = bool(average[shown] >= self.unsure_below)
        return SmoothedPrediction(average, top, self._stable, sure, self._music, self._is_music, self._tags)

    def _share(self, samples: int, half_life: float) -> float:
        return 1.0 - 0.5 ** (samples / self.sample_rate / half_life) if half_life else 1.0

    def _follow(self, average: Probabilities, top: int) -> None:
        """Set the stable label to ``top`` once that label has led for long enough."""
        if self._stable is None:
            self._stable = top
        stable_probability = average[self._stable]
        margin = self.settings.switch_margin if stable_probability >= self.unsure_below else 0.0
        if top == self._stable or average[top] - stable_probability < margin:
            self._leading_since = None
            return
        if self._leading_since is None:
            self._leading_since = self._averaged_to
        if self._averaged_to - self._leading_since >= self.settings.hold_seconds * self.sample_rate:
            self._stable, self._leading_since = top, None
