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


def test_young_predictions_count_alike() -> None:
    found = feed(smoother(half_life=100.0), [[1.0, 0.0], [0.8, 0.2], [0.6, 0.4], [0.4, 0.6]])
    assert [row.probabilities[0] for row in found] == pytest.approx([1.0, 0.9, 0.8, 0.7])


def test_after_a_half_life_the_old_counts_half() -> None:
    steady = smoother(half_life=2.0, margin=1.0)
    old = feed(steady, [[0.8, 0.2]] * 40)[-1]
    assert old.probabilities == pytest.approx([0.8, 0.2])
    assert steady.update(np.array([0.4, 0.6]), 39 * 5 + 20).probabilities == pytest.approx([0.6, 0.4])


@pytest.mark.parametrize("hold", [0.5, 4.0])
def test_the_result_does_not_depend_on_the_hop(hold: float) -> None:
    """The change from the first genre to the second is also detected at the same time."""
    found = []
    for step in (1, 2, 5):
        old, new = [[0.9, 0.1]] * (200 // step), [[0.2, 0.8]] * (50 // step)
        found.append(feed(smoother(half_life=2.0, margin=0.3, hold=hold), old + new, step=step)[-1])
    for other in found[1:]:
        assert other.probabilities == pytest.approx(found[0].probabilities, abs=0.03)
        assert other.stable == found[0].stable


def test_a_change_of_genre_ends_the_influence_of_the_old_one() -> None:
    """Ten minutes of one genre do not delay the next genre by more than ten seconds of it do."""
    delays = []
    for before in (20, 1_200):
        target = smoother(half_life=600.0, margin=0.3, hold=0.5)
        feed(target, [[0.9, 0.1]] * before)
        found = feed(target, [[0.1, 0.9]] * 20, start=5 * before)
        delays.append([row.stable for row in found].index(1))
        assert found[delays[-1]].probabilities[1] > 0.6
    assert delays[0] == delays[1] <= 6


def test_a_change_waits_for_margin_and_hold() -> None:
    """The recent average crosses the middle after one second, and leads by the margin a little later."""
    found = {}
    for margin, hold in ((0.0, 0.0), (0.0, 2.0), (0.49, 0.0)):
        target = smoother(half_life=600.0, margin=margin, hold=hold)
        feed(target, [[1.0, 0.0]] * 50)
        stable = [row.stable for row in feed(target, [[0.0, 1.0]] * 50, start=250, step=1)]
        found[margin, hold] = stable.index(1)
    assert found == {(0.0, 0.0): 6, (0.0, 2.0): 26, (0.49, 0.0): 15}  # -log2(0.5) and -log2(0.25) s


def test_a_lead_that_ends_early_changes_nothing() -> None:
    target = smoother(half_life=600.0, margin=0.3, hold=3.0)
    feed(target, [[0.9, 0.1]] * 50)
    found = feed(target, [[0.1, 0.9]] * 5 + [[0.9, 0.1]] * 5 + [[0.1, 0.9]] * 5, start=250)
    assert {row.stable for row in found} == {0}
    assert found[-1].probabilities[0] > 0.75


def test_a_small_lead_of_the_average_does_not_replace_the_label() -> None:
    target = smoother(half_life=0.0, margin=1.0)
    found = feed(target, [[0.6, 0.4], [0.48, 0.52], [0.47, 0.53]])
    assert [(row.top, row.stable) for row in found] == [(0, 0), (1, 0), (1, 1)]


def test_a_label_that_became_improbable_is_replaced_by_any_lead() -> None:
    rows = [[0.9, 0.1, 0.0], [0.39, 0.41, 0.2]]  # unsure is below 0.4
    assert [row.stable for row in feed(smoother(half_life=0.0, margin=1.0), rows)] == [0, 1]


def test_a_sure_label_stays_sure_a_little_below_the_threshold() -> None:
    found = feed(smoother(half_life=0.0), [[0.41, 0.3, 0.29], [0.37, 0.33, 0.3], [0.35, 0.33, 0.32]])
    assert [row.sure for row in found] == [True, True, False]
    found = feed(smoother(half_life=0.0), [[0.37, 0.33, 0.3], [0.41, 0.3, 0.29]])
    assert [row.sure for row in found] == [False, True]


def test_unsure_estimates_neither_set_nor_move_the_stable_label() -> None:
    target = smoother(half_life=0.0)
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


def test_music_counts_half_after_its_own_half_life() -> None:
    target = smoother(half_life=2.0, music_above=0.5)
    row = np.array([0.6, 0.4])
    assert target.update(row, 0, music=0.9).music == 0.9, "the first counts alone"
    assert target.update(row, 15, music=0.1).music == pytest.approx(0.5)
    assert target.update(row, 45, music=0.1).music == pytest.approx(0.2)


def test_music_returns_only_well_above_where_it_went() -> None:
    """An average near the threshold must not make the page flicker."""
    target = smoother(music_above=0.5)
    row = np.array([0.6, 0.4])
    given = [0.5, 0.49, 0.52, 0.54, 0.56, 0.52, 0.49]
    found = [target.update(row, 600 * i, music).is_music for i, music in enumerate(given)]
    assert found == [True, False, False, False, True, True, False]


def test_windows_without_music_change_no_genre() -> None:
    target = smoother(half_life=2.0, music_above=0.5)
    before = target.update(np.array([0.8, 0.2]), 0, music=0.9)
    for position in range(5, 100, 5):
        talk = target.update(np.array([0.0, 1.0]), position, music=0.1)
        assert np.array_equal(talk.probabilities, before.probabilities)
        assert (talk.top, talk.stable) == (0, 0)
    assert not talk.is_music


def test_music_after_talk_counts_by_the_time_since_the_last_music() -> None:
    target = smoother(half_life=2.0, margin=1.0, music_above=0.5)
    feed(target, [[1.0, 0.0]] * 40)
    target.update(np.array([0.5, 0.5]), 215, music=0.1)
    after = target.update(np.array([0.0, 1.0]), 235, music=0.9)  # two half-lives after the last music
    assert after.probabilities == pytest.approx([0.25, 0.75])


def test_the_stable_label_stands_still_until_music_has_returned() -> None:
    """Seconds of talk do not count for the lead, which starts anew."""
    target = smoother(half_life=600.0, margin=0.1, hold=1.0, music_above=0.5)
    feed(target, [[0.9, 0.1]] * 40)
    target.update(np.array([0.0, 1.0]), 200, music=0.95)
    target.update(np.array([0.0, 1.0]), 206, music=0.95)  # leads for 0.6 s or less
    for position in range(210, 240, 5):
        talk = target.update(np.array([0.0, 1.0]), position, music=0.05)
    assert (talk.stable, talk.is_music) == (0, False)
    returning = [target.update(np.array([0.0, 1.0]), 240 + 5 * i, music=0.95) for i in range(20)]
    was_music = [row.is_music for row in returning]
    back = was_music.index(True)
    assert back > 0, "the average takes its time"
    stable = [row.stable for row in returning]
    assert stable == [0] * (back + 2) + [1] * (18 - back), "one second after music returned, two steps"


def test_talk_does_not_lengthen_a_lead_if_music_returns_with_one_window() -> None:
    target = smoother(half_life=600.0, margin=0.1, hold=1.0, music_above=0.5)
    feed(target, [[0.9, 0.1]] * 40)
    new = np.array([0.0, 1.0])
    leading = [target.update(new, position, music=0.95) for position in (200, 206)]
    talk = [target.update(new, position, music=0.05) for position in (226, 246)]
    returned = [target.update(new, position, music=0.95) for position in (276, 281, 286)]
    assert [row.is_music for row in (*leading, talk[-1], *returned)] == [True, True, False, True, True, True]
    assert [row.stable for row in returned] == [0, 0, 1], "one second after music returned"


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


def test_tags_are_smoothed_by_their_own_half_life() -> None:
    target = smoother(half_life=2.0, music_above=0.5)
    row = np.array([0.6, 0.4])
    before = target.update(row, 0, music=0.1, tags=np.array([0.9, 0.9]))
    assert before.tags.tolist() == [0.0, 0.0], "not music"
    assert target.update(row, 20, music=0.9, tags=np.array([0.8, 0.0])).tags.tolist() == [0.8, 0.0]
    talk = target.update(row, 30, music=0.1, tags=np.array([0.0, 1.0]))
    assert talk.tags.tolist() == [0.8, 0.0], "talk must not count"
    after = target.update(row, 80, music=0.9, tags=np.array([0.0, 0.4]))  # two half-lives after the last
    assert after.tags == pytest.approx([0.2, 0.3])
    assert not after.tags.flags.writeable
    target.reset()
    assert target.update(row, 90, music=0.9, tags=np.array([0.1, 0.2])).tags.tolist() == [0.1, 0.2]
