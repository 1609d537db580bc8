"""Listening profile: mix, leading genre and changes."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboard.recommendations.domain.genre_mix import (
    allocate_slots,
    blend,
    drop_rare,
    interleave,
    normalize,
    total_variation,
)
from dashboard.recommendations.engine.listening_profile import ListeningProfile, ProfileSettings

JAZZ, ROCK = {"jazz": 1.0}, {"rock": 1.0}
WEIGHTS = st.dictionaries(st.sampled_from("abcdefghij"), st.floats(0.01, 1), min_size=1)


def add_music(
    profile: ListeningProfile, start: float, seconds: float, mix: dict[str, float], step: float = 1.0
) -> float:
    """Add music from ``start`` on and return its end."""
    for number in range(round(seconds / step)):
        profile.add_estimate(start + (number + 1) * step, mix, "LISTENING")
    return start + seconds


def test_nothing_is_offered_before_thirty_seconds_of_music() -> None:
    profile = ListeningProfile()
    assert not profile.ready
    add_music(profile, 0, 30, JAZZ)
    assert profile.music_seconds == 29.5, "the first estimate counts half a second"
    assert not profile.ready
    profile.add_estimate(30.5, JAZZ, "LISTENING")
    assert profile.ready
    assert profile.target == JAZZ


@pytest.mark.parametrize(
    ("state", "probabilities", "counts"),
    [
        ("LISTENING", {"jazz": 0.3, "rock": 0.2}, True),
        ("UNSURE", {"jazz": 0.35, "rock": 0.3}, True),
        ("UNSURE", {"jazz": 0.34, "rock": 0.3}, False),
        ("NOT_MUSIC", JAZZ, False),
        ("SILENT", JAZZ, False),
        ("STALLED", JAZZ, False),
        ("LISTENING", {"jazz": 0.0}, False),
        ("LISTENING", {}, False),
        ("LISTENING", {"jazz": math.nan, "rock": 0.9}, False),
        ("LISTENING", {"jazz": -1.0, "rock": 0.9}, False),
    ],
)
def test_which_estimates_count_as_music(state: str, probabilities: dict[str, float], counts: bool) -> None:
    profile = ListeningProfile()
    assert profile.add_estimate(1.0, probabilities, state) is counts
    assert bool(profile.target) is counts
    assert all(math.isfinite(share) for share in profile.fast.values())


def test_the_fast_mix_halves_in_fifteen_seconds_and_the_session_in_ten_minutes() -> None:
    profile = ListeningProfile()
    now = add_music(profile, 0, 6000, JAZZ)
    now = add_music(profile, now, 15, ROCK)
    assert profile.fast["jazz"] == pytest.approx(0.5, abs=1e-6)
    assert profile.session["jazz"] == pytest.approx(0.5 ** (15 / 600), abs=1e-3)
    mix = {"jazz": 0.8 * 0.5 + 0.2 * profile.session["jazz"]}
    assert profile.target["jazz"] == pytest.approx(mix["jazz"], abs=1e-6)


def test_the_first_estimate_weighs_no_more_than_others() -> None:
    """A plain EMA that starts at its first value would keep 97 % of it in the session for 30 s."""
    profile = ListeningProfile()
    profile.add_estimate(0, ROCK, "LISTENING")
    add_music(profile, 0, 30, JAZZ)
    assert profile.session["rock"] == pytest.approx(0.5 / 30.5, rel=0.05)


def test_only_a_genre_that_led_for_a_while_counts_as_played() -> None:
    profile = ListeningProfile()
    now = add_music(profile, 0, 60, {"jazz": 0.8, "blues": 0.2})
    now = add_music(profile, now, 1, {"pop": 1.0})
    now = add_music(profile, now, 120, ROCK)
    assert [profile.seconds_since_leading(genre) for genre in ("rock", "blues", "pop")] == [0.0, None, None]
    assert profile.seconds_since_leading("jazz") == pytest.approx(120 - 15, abs=5)


def test_a_pause_changes_no_shares_and_counts_as_five_seconds_at_most() -> None:
    profile = ListeningProfile()
    now = add_music(profile, 0, 60, JAZZ)
    before = profile.music_seconds
    profile.add_estimate(now + 3600, ROCK, "LISTENING")
    assert profile.music_seconds == before + 5
    assert profile.fast["jazz"] > 0.75


def test_a_clock_that_goes_back_starts_anew() -> None:
    profile = ListeningProfile()
    profile.add_estimate(1000, JAZZ, "LISTENING")
    profile.add_estimate(2, JAZZ, "LISTENING")
    assert profile.music_seconds == 1.0


def test_change_needs_distance_for_a_while_and_a_pause() -> None:
    profile = ListeningProfile(ProfileSettings(change_distance=0.18, change_hold_seconds=3.0))
    now = add_music(profile, 0, 60, JAZZ)
    assert not profile.has_changed(now), "there was no refresh yet"
    profile.mark_refreshed(now)
    now = add_music(profile, now, 5, ROCK)
    assert total_variation(profile.fast, JAZZ) == pytest.approx(1 - 0.5 ** (5 / 15), abs=0.03)
    assert not profile.has_changed(now + 45), "the distance lasted for one or two seconds only"
    now = add_music(profile, now, 2, ROCK)
    assert not profile.has_changed(now), "too soon after the refresh"
    assert profile.has_changed(now + 45)
    profile.mark_refreshed(now)
    assert not profile.has_changed(now + 45)


@pytest.mark.parametrize("step", [0.5, 3.0])
def test_how_long_a_change_must_last_does_not_depend_on_the_step(step: float) -> None:
    """Regression: the time was a number of estimates, tuned at one every 3 s. Live ones come every 0.5 s."""
    profile = ListeningProfile()
    now = add_music(profile, 0, 120, JAZZ, step)
    profile.mark_refreshed(now)
    changed_at = now
    while not profile.has_changed(now + 60):
        now = add_music(profile, now, step, ROCK, step)
    assert now - changed_at == pytest.approx(15 * math.log2(1 / 0.55) + 30, abs=2 * step)


def test_a_track_of_half_a_minute_changes_nothing() -> None:
    profile = ListeningProfile()
    now = add_music(profile, 0, 120, JAZZ, 0.5)
    profile.mark_refreshed(now)
    now = add_music(profile, now, 30, ROCK, 0.5)
    for _ in range(30):
        now = add_music(profile, now, 1, JAZZ, 0.5)
        assert not profile.has_changed(now + 60)


def test_single_wrong_windows_change_nothing() -> None:
    profile = ListeningProfile()
    now = add_music(profile, 0, 60, JAZZ)
    profile.mark_refreshed(now)
    for _ in range(20):
        now = add_music(profile, now, 27, JAZZ, 3.0)
        profile.add_estimate(now + 3, ROCK, "LISTENING")
        now += 3
        assert not profile.has_changed(now)


@pytest.mark.parametrize(
    "changes",
    [
        {"fast_half_life_seconds": 0.0},
        {"session_half_life_seconds": math.inf},
        {"fast_share": 1.1},
        {"change_distance": -0.1},
        {"change_hold_seconds": -1.0},
        {"first_music_seconds": -1.0},
        {"max_step_seconds": math.nan},
    ],
)
def test_settings_out_of_range_are_rejected(changes: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(changes))):
        replace(ProfileSettings(), **changes)


def test_mixes_are_normalized_blended_and_compared() -> None:
    assert normalize({"a": 3, "b": 1, "c": 0}) == {"a": 0.75, "b": 0.25}
    assert normalize({}) == {}
    assert blend({"a": 1}, {"b": 1}, 0.75) == {"a": 0.75, "b": 0.25}
    assert drop_rare({"a": 0.72, "b": 0.18, "c": 0.09, "d": 0.01}, 0.1) == {"a": 0.8, "b": 0.2}
    assert drop_rare({"b": 0.05, "a": 0.05}, 0.1) == {"a": 1.0}, "the strongest stays"
    assert drop_rare({}, 0.1) == {}
    assert total_variation({"a": 1}, {"b": 1}) == 1
    assert total_variation({"a": 0.5, "b": 0.5}, {"a": 0.75, "b": 0.25}) == 0.25


def test_slots_follow_the_largest_remainder_and_each_genre_has_one() -> None:
    assert allocate_slots({"jazz": 0.55, "blues": 0.3, "rock": 0.15}, 10) == {
        "jazz": 6,
        "blues": 3,
        "rock": 1,
    }
    assert allocate_slots({"jazz": 0.96, "blues": 0.04}, 10) == {"jazz": 9, "blues": 1}
    assert allocate_slots({"a": 1, "b": 1, "c": 1}, 2) == {"a": 1, "b": 1}
    assert allocate_slots({}, 10) == {}
    assert allocate_slots({"a": 1}, 0) == {}


def test_genres_are_spread_evenly() -> None:
    assert "".join(interleave({"a": 5, "b": 1, "c": 1})) == "aabacaa", (
        "the example of nginx, whose algorithm this is"
    )
    assert interleave({}) == ()


@given(WEIGHTS, st.integers(1, 30))
def test_slots_sum_and_are_near_their_share(weights: dict[str, float], seats: int) -> None:
    slots = allocate_slots(weights, seats)
    assert sum(slots.values()) == seats
    assert min(slots.values()) >= 1
    assert len(slots) == min(len(weights), seats)
    order = interleave(slots)
    assert {genre: order.count(genre) for genre in slots} == slots


@given(st.lists(st.tuples(st.floats(0, 20), WEIGHTS, st.sampled_from(["LISTENING", "UNSURE", "SILENT"]))))
def test_the_target_is_a_mix_after_any_estimates(
    estimates: list[tuple[float, dict[str, float], str]],
) -> None:
    profile, now = ListeningProfile(), 0.0
    for gap, probabilities, state in estimates:
        now += gap
        profile.add_estimate(now, probabilities, state)
    target = profile.target
    assert not target or sum(target.values()) == pytest.approx(1)
    assert len(target) <= 10
    assert profile.music_seconds <= now + 0.5
