"""Mood of music as a point in Russell's circumplex of affect: valence and arousal.

J. A. Russell, A circumplex model of affect, Journal of Personality and Social Psychology 39 (1980), puts 28
words of affect on a circle, from circular scaling of people's sorting. 0 degrees are pleasure and 90 degrees
are arousal. A mood word of a model has the place of Russell's word of the nearest meaning.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

RUSSELL_DEGREES: Final[Mapping[str, float]] = {
    "happy": 7.8, "delighted": 24.9, "excited": 48.6, "astonished": 69.8, "aroused": 73.8, "tense": 92.8,
    "angry": 99.0, "afraid": 116.0, "sad": 207.5, "gloomy": 209.0, "sleepy": 271.9, "calm": 316.2,
    "relaxed": 318.0, "at ease": 321.0, "content": 323.0, "serene": 328.6, "glad": 349.0, "pleased": 353.2,
}  # fmt: skip
"""Angles of Russell's words that are used here, in degrees (Russell 1980, direct circular scaling)."""

MOOD_WORDS: Final[Mapping[str, str]] = {
    "aggressive": "angry",
    "angry": "angry",
    "beautiful": "pleased",
    "calm": "calm",
    "catchy": "glad",
    "chill": "relaxed",
    "chillout": "relaxed",
    "cheerful": "happy",
    "dark": "gloomy",
    "dramatic": "tense",
    "dreamy": "at ease",
    "energetic": "aroused",
    "epic": "astonished",
    "exciting": "excited",
    "funny": "delighted",
    "happy": "happy",
    "meditative": "serene",
    "melancholic": "sad",
    "melancholy": "sad",
    "mellow": "at ease",
    "party": "excited",
    "peaceful": "serene",
    "playful": "delighted",
    "relaxed": "relaxed",
    "relaxing": "relaxed",
    "romantic": "pleased",
    "sad": "sad",
    "scary": "afraid",
    "sexy": "delighted",
    "sleepy": "sleepy",
    "tender": "content",
    "uplifting": "delighted",
}
"""Russell's word of the nearest meaning, by the mood word of a model. Other words do not count."""


@dataclass(frozen=True, slots=True)
class Mood:
    """Point in Russell's circumplex. Both coordinates lie in -1..1.

    Attributes
    ----------
    valence : float
        From unpleasant to pleasant.
    arousal : float
        From sleepy to aroused.
    """

    valence: float
    arousal: float


def compute_mood(probabilities: Mapping[str, float]) -> Mood | None:
    """Compute the mean place of mood words, weighted by their probabilities.

    Parameters
    ----------
    probabilities : mapping of str to float
        Probability of each mood word. Words without a place are ignored.

    Returns
    -------
    Mood or None
        None if no word with a place has a probability above 0.
    """
    placed = [
        (RUSSELL_DEGREES[MOOD_WORDS[word]], p) for word, p in probabilities.items() if word in MOOD_WORDS
    ]
    total = sum(p for _, p in placed)
    if total <= 0:
        return None
    return Mood(
        valence=sum(p * math.cos(math.radians(degrees)) for degrees, p in placed) / total,
        arousal=sum(p * math.sin(math.radians(degrees)) for degrees, p in placed) / total,
    )
