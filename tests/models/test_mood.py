"""Valence and arousal of mood words."""

from __future__ import annotations

import pytest

from models.mood import MOOD_WORDS, RUSSELL_DEGREES, compute_mood


def test_mood_by_hand() -> None:
    """``happy`` lies at 7.8 degrees and ``sad`` at 207.5 degrees."""
    happy = compute_mood({"happy": 0.3})
    assert happy is not None
    assert (happy.valence, happy.arousal) == pytest.approx((0.99075, 0.13572), abs=1e-5)
    both = compute_mood({"happy": 0.6, "sad": 0.2})
    assert both is not None
    assert both.valence == pytest.approx((3 * 0.99075 - 0.88701) / 4, abs=1e-5)
    assert both.arousal == pytest.approx((3 * 0.13572 - 0.46175) / 4, abs=1e-5)


def test_words_without_a_place_are_ignored() -> None:
    assert compute_mood({"happy": 0.3, "house": 0.9}) == compute_mood({"happy": 0.3})
    assert compute_mood({"house": 0.9}) is None
    assert compute_mood({"happy": 0.0}) is None
    assert compute_mood({}) is None


@pytest.mark.parametrize(
    ("word", "signs"),
    [
        ("exciting", (1, 1)), ("energetic", (1, 1)), ("party", (1, 1)), ("angry", (-1, 1)),
        ("scary", (-1, 1)), ("dark", (-1, -1)), ("sad", (-1, -1)),
        ("calm", (1, -1)), ("mellow", (1, -1)), ("tender", (1, -1)),
    ],
)  # fmt: skip
def test_words_lie_in_their_quarters(word: str, signs: tuple[int, int]) -> None:
    mood = compute_mood({word: 1.0})
    assert mood is not None
    assert (mood.valence * signs[0] > 0, mood.arousal * signs[1] > 0) == (True, True)


def test_every_word_has_a_place_on_the_circle() -> None:
    assert set(MOOD_WORDS.values()) == set(RUSSELL_DEGREES)
    for word in MOOD_WORDS:
        mood = compute_mood({word: 0.5})
        assert mood is not None
        assert mood.valence**2 + mood.arousal**2 == pytest.approx(1)
