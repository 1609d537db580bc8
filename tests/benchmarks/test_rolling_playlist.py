"""Figures of the benchmark of the rolling playlist, on scripted estimates."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from dashboard.recommendations.engine.playlist import Reason
from realtime.evaluation.programmes import LabeledTrack
from realtime.evaluation.tracking_metrics import TrueSegment
from realtime.protocol.estimate import GenreEstimate, StreamState
from tests.benchmarks.programmes import AnalyzedProgramme, Part, draw, outline
from tests.benchmarks.rolling_playlist import Followed, Refresh, figures, follow, roll, table

LABELS = ("jazz", "rock")
JAZZ, ROCK = range(2)
BLOCKS = (TrueSegment(JAZZ, 0, 400), TrueSegment(ROCK, 400, 800), TrueSegment(JAZZ, 800, 1000))


def tracks(each: int = 6) -> list[LabeledTrack]:
    return [
        LabeledTrack(f"{genre}.{number}", genre, "", 30.0) for genre in (JAZZ, ROCK) for number in range(each)
    ]


def make_programme(
    blocks: tuple[TrueSegment, ...] = BLOCKS, interruptions: tuple[TrueSegment, ...] = ()
) -> AnalyzedProgramme:
    """Estimates of a model that is always right, twice a second."""
    estimates = []
    for half in range(1, round(blocks[-1].end * 2)):
        now = half / 2
        genre = next(
            LABELS[one.genre or 0] for one in (*interruptions, *blocks) if one.start <= now < one.end
        )
        mix = dict.fromkeys(LABELS, 0.1) | {genre: 0.9}
        estimates.append(
            GenreEstimate(genre, genre, 0.9, mix, StreamState.LISTENING, 0, now, -20.0, False, 7.0, 1.0)
        )
    return AnalyzedProgramme(blocks, interruptions, tuple(estimates))


def test_a_change_is_followed_by_the_first_refresh_for_the_new_genre() -> None:
    refreshes = [
        Refresh(30, Reason.FIRST, "jazz"),
        Refresh(440, Reason.SHIFT, "jazz"),
        Refresh(500, Reason.TIMER, "rock"),
    ]
    assert follow(refreshes, BLOCKS, (), LABELS) == Followed((100, None), needless=0, disturbed=0)


def test_shifts_long_after_a_change_are_needless_unless_they_are_the_first_for_it() -> None:
    refreshes = [
        Refresh(30, Reason.FIRST, "jazz"),
        Refresh(119, Reason.SHIFT, "rock"),
        Refresh(121, Reason.SHIFT, "rock"),
        Refresh(390, Reason.TIMER, "rock"),
        Refresh(600, Reason.SHIFT, "rock"),
        Refresh(700, Reason.SHIFT, "rock"),
    ]
    assert follow(refreshes, BLOCKS, (), LABELS) == Followed((200, None), needless=2, disturbed=0)


@pytest.mark.parametrize(("at", "disturbed"), [(199, 0), (200, 1), (249, 1), (250, 0)])
def test_an_interruption_disturbs_until_half_a_minute_after_it(at: float, disturbed: int) -> None:
    refreshes = [Refresh(at, Reason.SHIFT, "rock"), Refresh(210, Reason.TIMER, "rock")]
    assert follow(refreshes, BLOCKS, [TrueSegment(ROCK, 200, 220)], LABELS).disturbed == disturbed


def test_blocks_are_of_one_genre_as_long_as_asked_and_equal_for_equal_seeds() -> None:
    drawn = draw(tracks(), 3600, np.random.default_rng(1))
    assert drawn == draw(tracks(), 3600, np.random.default_rng(1))
    assert all(one.genre != two.genre for one, two in pairwise(drawn))
    for part in drawn:
        assert {excerpt.track.genre for excerpt in part.excerpts} == {part.genre}
        assert 180 <= sum(excerpt.seconds for excerpt in part.excerpts) <= 750
    played = [excerpt.track.name for part in drawn if part.genre == JAZZ for excerpt in part.excerpts]
    assert len(set(played[:6])) == 6, "no track twice before all have come"


def test_a_restless_block_has_single_short_tracks_of_another_genre() -> None:
    drawn = draw(tracks(), 3600, np.random.default_rng(1), restless=True)
    for part in drawn:
        other = [excerpt.track.genre != part.genre for excerpt in part.excerpts]
        assert 2 <= sum(other) <= 8
        assert not any(one and two for one, two in pairwise(other))
        assert not other[0]
        assert not other[-1]


def test_genres_of_few_tracks_are_not_played() -> None:
    drawn = draw(
        [*tracks(), *(LabeledTrack(f"2.{n}", 2, "", 30.0) for n in range(4))], 3600, np.random.default_rng(1)
    )
    assert {excerpt.track.genre for part in drawn for excerpt in part.excerpts} == {JAZZ, ROCK}


def test_the_outline_tells_blocks_from_interruptions() -> None:
    (first, second, *_) = draw(tracks(), 1000, np.random.default_rng(1), restless=True)
    parts = [Part(JAZZ, first.excerpts[:2]), Part(ROCK, second.excerpts[:3])]
    ends = [30.0, 60.0, 90.0, 120.0, 150.0]
    genres = [JAZZ, JAZZ, ROCK, JAZZ, ROCK]
    segments = [TrueSegment(genre, end - 30, end) for genre, end in zip(genres, ends, strict=True)]
    assert outline(parts, segments) == (
        [TrueSegment(JAZZ, 0, 60), TrueSegment(ROCK, 60, 150)],
        [TrueSegment(JAZZ, 90, 120)],
    )


def test_a_model_that_is_right_is_followed_without_repeats() -> None:
    rolled = roll(make_programme(), LABELS)
    assert [each.genre for each in rolled.refreshes if each.reason is Reason.SHIFT][:1] == ["rock"]
    assert rolled.repeats == 0
    assert rolled.shown > 10
    found = figures(make_programme(), LABELS)
    assert found["missed"] == found["needless an hour"] == 0
    assert found["label right"] == 1
    assert found["delay p50 s"] < 90
    assert found["rows of the true genre"] > 0.6
    assert "delay p50 s" in table({"made up": found})


def test_a_short_track_of_another_genre_changes_nothing() -> None:
    """With the distance alone, held for 1.5 s, every one of 20 s did."""
    found = figures(make_programme(interruptions=(TrueSegment(ROCK, 200, 220),)), LABELS)
    assert found["interruptions that changed the list"] == 0
