"""Selection of tags, with hysteresis."""

from __future__ import annotations

import numpy as np
import pytest

from models.manifest import Tag
from models.mood import compute_mood
from realtime.pipeline.tags import MAX_TAGS, TagSelector, mood_of_tags

TAGS = (Tag("soul", "style", 0.4), Tag("calm", "mood", 0.2), Tag("guitar", "instrument", 0.6))


def names(selector: TagSelector, *probabilities: float) -> list[str]:
    return [name for name, _ in selector.select(np.array(probabilities))]


def test_tags_at_their_thresholds_are_selected_the_most_probable_first() -> None:
    selected = TagSelector(TAGS).select(np.array([0.4, 0.5, 0.59]))
    assert selected == (("calm", 0.5), ("soul", 0.4))


def test_a_tag_leaves_at_three_quarters_of_its_threshold() -> None:
    selector = TagSelector(TAGS)
    assert names(selector, 0.35, 0, 0) == [], "it has not entered"
    assert names(selector, 0.4, 0, 0) == ["soul"]
    assert names(selector, 0.31, 0, 0) == ["soul"]
    assert names(selector, 0.29, 0, 0) == []
    assert names(selector, 0.31, 0, 0) == [], "it has to enter again"


def test_reset_forgets_the_selected_tags() -> None:
    selector = TagSelector(TAGS)
    assert names(selector, 0.4, 0, 0) == ["soul"]
    selector.reset()
    assert names(selector, 0.31, 0, 0) == []


def test_at_most_eight_are_selected_and_a_close_ninth_does_not_flicker() -> None:
    selector = TagSelector([Tag(f"tag {number}", "style", 0.1) for number in range(MAX_TAGS + 1)])
    high = [0.9] * (MAX_TAGS - 1)
    assert names(selector, *high, 0.5, 0.49)[-1] == "tag 7"
    assert names(selector, *high, 0.5, 0.6)[-1] == "tag 7"
    assert names(selector, *high, 0.5, 0.7)[-1] == "tag 8"
    assert names(selector, *high, 0.6, 0.5)[-1] == "tag 8"


def test_without_tags_nothing_is_selected() -> None:
    assert TagSelector(()).select(np.zeros(0)) == ()
    assert mood_of_tags((), np.zeros(0)) is None


def test_only_tags_of_the_kind_mood_count_for_the_mood() -> None:
    tags = (Tag("happy", "mood", 0.5), Tag("sad", "style", 0.5))
    mood = mood_of_tags(tags, np.array([0.2, 0.9]))
    assert mood == compute_mood({"happy": 0.2})
    with pytest.raises(ValueError, match="zip"):
        mood_of_tags(tags, np.array([0.2]))
