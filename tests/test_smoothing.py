from __future__ import annotations

import numpy as np
import pytest

from realtime.smoothing import Smoothed, Smoother, SmoothingSettings

RATE = 10  # positions are tenths of a second


def smoother(half_life: float = 2.0, margin: float = 0.1, hold: float = 1.0) -> Smoother:
    return Smoother(SmoothingSettings(half_life, margin, hold), RATE, unsure_below=0.4)


def feed(target: Smoother, rows: list[list[float]], start: int = 0, step: int = 5) -> list[Smoothed]:
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


def test_a_lead_that_breaks_off_starts_anew() -> None:
    target = smoother(half_life=0.0, hold=1.0)
    rows = [[0.9, 0.1], [0.1, 0.9], [0.9, 0.1], [0.1, 0.9], [0.1, 0.9]]
    assert [row.stable for row in feed(target, rows)] == [0, 0, 0, 0, 0]


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


def test_time_never_stands_still() -> None:
    target = smoother()
    feed(target, [[1.0, 0.0]])
    with pytest.raises(ValueError, match="position 0 is not later than 0"):
        target.update(np.array([1.0, 0.0]), 0)


@pytest.mark.parametrize("field", ["half_life_seconds", "switch_margin", "hold_seconds"])
@pytest.mark.parametrize("value", [-1.0, 4000.0, float("nan")])
def test_settings_refuse_nonsense(field: str, value: float) -> None:
    with pytest.raises(ValueError, match=field):
        SmoothingSettings(**{field: value})
