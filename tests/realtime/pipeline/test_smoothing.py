"""Smoothing of estimates, and the stable label."""

from __future__ import annotations

import numpy as np
import pytest

from realtime.config import SmoothingSettings
from realtime.pipeline.smoothing import SmoothedPrediction, Smoother

RATE = 10  # positions are tenths of a second


def smoother(
    half_life: float = 2.0, margin: float = 0.1, hold: float = 1.0, music_above: float | None = None
) -> Smoother:
    return Smoother(SmoothingSettings(half_life, margin, hold), RATE, 0.4, music_above)


def feed(
    target: Smoother, rows: list[list[float]], start: int = 0, step: int = 5
) -> list[SmoothedPrediction]:
    return [target.update(np.array(row), start + i * step) for i, row in enumerate(rows)]


def test_the_first_prediction_counts_alone() -> None:
    (first,) = feed(smoother(), [[0.2, 0.7, 0.1]])
    assert first.probabilities.tolist() == [0.2, 0.7, 0.1]
    assert (first.top, first.stable, first.sure) == (1, 1, True)


def test_after_a_half_life_the_old_counts_half() -> None:
    rows = feed(smoother(half_life=2.0), [[1.0, 0.0], [0.0, 1.0]], step=20)
    assert rows[1].probabilities == pytest.approx([0.5, 0.5])


def test_the_result_does_not_depend_on_the_hop() -> None:
    coarse = feed(smoother(), [[1.0, 0.0]] + [[0.0, 1.0]] * 2, step=20)[-1]
    fine = feed(smoother(), [[1.0, 0.0]] + [[0.0, 1.0]] * 40, step=1)[-1]
    assert fine.probabilities == pytest.approx(coarse.probabilities)


def test_the_stable_label_waits_for_margin_and_hold() -> None:
    target = smoother(half_life=0.0, margin=0.1, hold=1.0)
    rows = [[0.6, 0.4]] + [[0.48, 0.52]] * 4 + [[0.3, 0.7]] * 4
    found = feed(target, rows)
    assert [row.top for row in found] == [0, 1, 1, 1, 1, 1, 1, 1, 1]
    assert [row.stable for row in found] == [0, 0, 0, 0, 0, 0, 0, 1, 1]


def test_an_interrupted_lead_starts_anew() -> None:
    target = smoother(half_life=0.0, hold=1.0)
    rows = [[0.9, 0.1], [0.1, 0.9], [0.9, 0.1], [0.1, 0.9], [0.1, 0.9]]
    assert [row.stable for row in feed(target, rows)] == [0, 0, 0, 0, 0]


def test_a_label_that_became_improbable_is_not_sure_until_another_replaces_it() -> None:
    found = feed(smoother(half_life=0.0, hold=1.0), [[0.9, 0.1]] + [[0.03, 0.97]] * 4)
    assert [(row.stable, row.sure) for row in found] == [
        (0, True), (0, False), (0, False), (1, True), (1, True)
    ]  # fmt: skip


def test_a_label_that_became_improbable_is_replaced_without_the_margin() -> None:
    rows = [[0.9, 0.1, 0.0]] + [[0.39, 0.41, 0.2]] * 4  # the margin is 0.1, unsure is below 0.4
    assert [row.stable for row in feed(smoother(half_life=0.0, hold=1.0), rows)] == [0, 0, 0, 1, 1]


def test_unsure_estimates_neither_set_nor_move_the_stable_label() -> None:
    target = smoother(half_life=0.0, hold=0.0)
    found = feed(target, [[0.35, 0.33, 0.32], [0.5, 0.3, 0.2], [0.32, 0.33, 0.35]])
    assert [(row.sure, row.stable) for row in found] == [(False, None), (True, 0), (False, 0)]


def test_reset_forgets() -> None:
    target = smoother()
    feed(target, [[1.0, 0.0]])
    target.reset()
    assert feed(target, [[0.0, 1.0]], start=5)[0].probabilities.tolist() == [0.0, 1.0]


def test_probabilities_are_read_only_and_the_callers_stay_theirs() -> None:
    target, mine = smoother(), np.array([0.5, 0.5])
    result = target.update(mine, 0)
    assert not result.probabilities.flags.writeable
    assert mine.flags.writeable


def test_positions_must_rise() -> None:
    target = smoother()
    feed(target, [[1.0, 0.0]])
    with pytest.raises(ValueError, match="position 0 is not after the previous position 0"):
        target.update(np.array([1.0, 0.0]), 0)


def test_without_music_detection_everything_is_music() -> None:
    found = feed(smoother(), [[0.6, 0.4], [0.5, 0.5]])
    assert [(row.music, row.is_music) for row in found] == [(1.0, True)] * 2


def test_music_counts_half_after_half_of_the_half_life() -> None:
    target = smoother(half_life=2.0, music_above=0.5)
    row = np.array([0.6, 0.4])
    assert target.update(row, 0, music=0.9).music == 0.9, "the first counts alone"
    assert target.update(row, 10, music=0.1).music == pytest.approx(0.5)
    assert target.update(row, 30, music=0.1).music == pytest.approx(0.2)


def test_music_returns_only_well_above_where_it_went() -> None:
    """An average near the threshold must not make the page flicker."""
    target = smoother(half_life=0.0, music_above=0.5)
    row = np.array([0.6, 0.4])
    given = [0.5, 0.49, 0.52, 0.54, 0.56, 0.52, 0.49]
    found = [target.update(row, 5 * i, music).is_music for i, music in enumerate(given)]
    assert found == [True, False, False, False, True, True, False]


def test_windows_without_music_change_no_genre() -> None:
    target = smoother(half_life=2.0, hold=0.0, music_above=0.5)
    before = target.update(np.array([0.8, 0.2]), 0, music=0.9)
    for position in range(5, 100, 5):
        talk = target.update(np.array([0.0, 1.0]), position, music=0.1)
        assert np.array_equal(talk.probabilities, before.probabilities)
        assert (talk.top, talk.stable) == (0, 0)
    assert not talk.is_music


def test_music_after_talk_counts_by_the_time_since_the_last_music() -> None:
    target = smoother(half_life=2.0, music_above=0.5)
    target.update(np.array([1.0, 0.0]), 0, music=0.9)
    target.update(np.array([0.5, 0.5]), 20, music=0.1)
    after = target.update(np.array([0.0, 1.0]), 40, music=0.9)  # two half-lives after the first
    assert after.probabilities == pytest.approx([0.25, 0.75])


def test_the_stable_label_stands_still_until_music_has_returned() -> None:
    """Seconds of talk do not count for the lead, which starts anew."""
    target = smoother(half_life=8.0, margin=0.0, hold=1.0, music_above=0.5)
    target.update(np.array([0.6, 0.4]), 0, music=0.95)
    target.update(np.array([0.0, 1.0]), 20, music=0.95)
    target.update(np.array([0.0, 1.0]), 22, music=0.95)  # leads for 0.2 s or less
    for position in range(60, 160, 20):
        talk = target.update(np.array([0.0, 1.0]), position, music=0.05)
    assert (talk.top, talk.stable, talk.is_music) == (1, 0, False)
    returning = [target.update(np.array([0.0, 1.0]), 145 + 5 * i, music=0.95) for i in range(20)]
    was_music = [row.is_music for row in returning]
    back = was_music.index(True)
    assert back > 0, "the average takes its time"
    stable = [row.stable for row in returning]
    assert stable == [0] * (back + 2) + [1] * (18 - back), "one second after music returned, two steps"


def test_one_window_that_is_no_music_neither_breaks_nor_lengthens_a_lead() -> None:
    target = smoother(half_life=8.0, margin=0.0, hold=1.0, music_above=0.5)
    target.update(np.array([0.6, 0.4]), 0, music=0.95)
    given = [(20, 0.95), (25, 0.95), (30, 0.4), (35, 0.95)]
    found = [target.update(np.array([0.0, 1.0]), position, music) for position, music in given]
    assert all(row.is_music for row in found)
    assert [row.stable for row in found] == [0, 0, 0, 1], "30 is no music: it decides nothing"


def test_talk_from_the_beginning_has_no_genre() -> None:
    (first,) = [smoother(music_above=0.5).update(np.array([0.2, 0.8]), 0, music=0.3)]
    assert first.probabilities.tolist() == [0, 0]
    assert (first.top, first.stable, first.sure, first.is_music) == (None, None, False, False)
    assert not first.probabilities.flags.writeable


def test_reset_forgets_that_it_was_no_music() -> None:
    target = smoother(music_above=0.5)
    target.update(np.array([0.5, 0.5]), 0, music=0.0)
    target.reset()
    after = target.update(np.array([0.5, 0.5]), 5, music=0.51)
    assert (after.music, after.is_music) == (0.51, True)


@pytest.mark.parametrize("field", ["half_life_seconds", "switch_margin", "hold_seconds"])
@pytest.mark.parametrize("value", [-1.0, 4000.0, float("nan")])
def test_settings_refuse_nonsense(field: str, value: float) -> None:
    with pytest.raises(ValueError, match=field):
        SmoothingSettings(**{field: value})


def test_tags_are_smoothed_as_the_genres_are() -> None:
    target = smoother(half_life=2.0, music_above=0.5)
    row = np.array([0.6, 0.4])
    before = target.update(row, 0, music=0.1, tags=np.array([0.9, 0.9]))
    assert before.tags.tolist() == [0.0, 0.0], "not music"
    assert target.update(row, 20, music=0.9, tags=np.array([0.8, 0.0])).tags.tolist() == [0.8, 0.0]
    talk = target.update(row, 30, music=0.1, tags=np.array([0.0, 1.0]))
    assert talk.tags.tolist() == [0.8, 0.0], "talk must not count"
    after = target.update(row, 60, music=0.9, tags=np.array([0.0, 0.4]))  # two half-lives after the last
    assert after.tags == pytest.approx([0.2, 0.3])
    assert not after.tags.flags.writeable
    target.reset()
    assert target.update(row, 70, music=0.9, tags=np.array([0.1, 0.2])).tags.tolist() == [0.1, 0.2]
