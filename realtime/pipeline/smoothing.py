"""Smooth predictions over time. Half-life and hold are in seconds, so that they do not depend on the hop."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from models.classifier import NO_TAGS
from realtime.config import SmoothingSettings

Probabilities = npt.NDArray[np.float64]

RECENT_HALF_LIFE_SECONDS = 1.0
"""Half-life of the average of recent predictions, in which a change of genre shows first.

A longer one delays each change by as much. A shorter one takes single windows for changes.
"""

MUSIC_HALF_LIFE_SECONDS = 1.5
"""Half-life of the probability of music.

A choice between two classes needs less averaging than a choice between ten. Talk that is labeled with a genre
is the worse mistake, so talk is detected sooner than a change of genre.
"""

TAG_HALF_LIFE_SECONDS = 3.0
"""Half-life of the probabilities of the tags."""

LABEL_MARGIN = 0.05
"""Lead in the average that a genre needs to replace a stable label that reaches the confidence threshold."""

STAYS_SURE = 0.9
"""Share of the confidence threshold above which a sure label stays sure. The state then flickers less."""

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
    """Average of calibrated probabilities that restarts when the genre changes, with a stable label.

    All predictions since the last change count alike until the average is as old as its half-life allows.
    It then is an exponential average: with d seconds since the last prediction, it moves by a share
    1 - 2**(-d / half_life) towards the new prediction. A change is detected when another genre has led for
    ``hold_seconds`` by ``switch_margin`` in the average of recent predictions. The average then restarts with
    the recent one.

    The tags and the probability of music have exponential averages of their own. A window that is not music
    changes neither the averages of genres and tags nor the stable label. The next window of music is weighted
    by the time since the last window of music. The stable label does not change while the average is below
    the threshold of music.

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
        self._recent: Probabilities = NO_TAGS
        self._age_seconds = 0.0  # time since the oldest prediction of the average
        self._tags: Probabilities = NO_TAGS
        self._averaged_to = 0  # position of the last window that moved the average
        self._position: int | None = None
        self._music = 1.0
        self._is_music = True
        self._stable: int | None = None
        self._sure = False
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
            seconds = (position - self._position) / self.sample_rate
            self._music += _share(seconds, MUSIC_HALF_LIFE_SECONDS) * (music - self._music)
        self._position = position
        threshold = self.music_above or 0.0
        return_threshold = threshold + MUSIC_RETURN_SHARE * (1 - threshold)
        self._is_music = self._music >= (threshold if self._is_music else return_threshold)
        if not self._is_music:
            self._leading_since = None  # seconds of talk do not count for a lead
        if music >= threshold:
            self._update_averages(probabilities, tags, position)
        return self._smooth(len(probabilities), len(tags))

    def _update_averages(self, genres: Probabilities, tags: Probabilities, position: int) -> None:
        """Move the averages of genres and tags towards one window of music."""
        if self._average is None:
            self._average, self._recent, self._tags = genres.copy(), genres.copy(), tags.copy()
        else:
            seconds, half_life = (
                (position - self._averaged_to) / self.sample_rate,
                self.settings.half_life_seconds,
            )
            self._age_seconds += seconds
            share = max(_share(seconds, half_life), seconds / (self._age_seconds + seconds))
            self._average = self._average + share * (genres - self._average)
            share = _share(seconds, min(RECENT_HALF_LIFE_SECONDS, half_life))
            self._recent = self._recent + share * (genres - self._recent)
            self._tags = self._tags + _share(seconds, TAG_HALF_LIFE_SECONDS) * (tags - self._tags)
            if self._has_changed(self._average, position):
                self._average = self._recent.copy()
                self._age_seconds = RECENT_HALF_LIFE_SECONDS / math.log(2)  # mean age of what it averages
        self._average.flags.writeable = self._tags.flags.writeable = False
        self._averaged_to = position

    def _has_changed(self, average: Probabilities, position: int) -> bool:
        """Return True once another genre than the average's has led the recent average for long enough."""
        top, old = int(self._recent.argmax()), int(average.argmax())
        lead = self._recent[top] - self._recent[old]
        if not self._is_music or top == old or lead < self.settings.switch_margin:
            self._leading_since = None
            return False
        if self._leading_since is None:
            self._leading_since = position
        changed = position - self._leading_since >= self.settings.hold_seconds * self.sample_rate
        if changed:
            self._leading_since = None
        return changed

    def _smooth(self, genres: int, tags: int) -> SmoothedPrediction:
        if self._average is None:
            zeros = np.zeros(genres + tags)
            zeros.flags.writeable = False
            return SmoothedPrediction(
                zeros[:genres], None, None, False, self._music, self._is_music, zeros[genres:]
            )
        average, shown = self._average, self._stable
        top = int(average.argmax())
        if self._is_music and average[top] >= self.unsure_below:
            self._follow(average, top)
        if self._stable != shown:
            self._sure = False
        label = top if self._stable is None else self._stable
        self._sure = bool(average[label] >= self.unsure_below * (STAYS_SURE if self._sure else 1))
        return SmoothedPrediction(
            average, top, self._stable, self._sure, self._music, self._is_music, self._tags
        )

    def _follow(self, average: Probabilities, top: int) -> None:
        """Set the stable label to ``top`` if its lead is large enough."""
        if self._stable is None or average[self._stable] < self.unsure_below:
            self._stable = top
        elif average[top] - average[self._stable] >= LABEL_MARGIN:
            self._stable = top


def _share(seconds: float, half_life: float) -> float:
    """Return the weight of a new prediction after some seconds."""
    return 1.0 - 0.5 ** (seconds / half_life) if half_life else 1.0
