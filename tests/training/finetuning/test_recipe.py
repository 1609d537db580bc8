"""The learning rate, by hand."""

import pytest

from training.finetuning.recipe import cosine_with_warmup


def test_the_rate_rises_to_the_peak_and_falls_to_a_hundredth() -> None:
    rates = [cosine_with_warmup(step, 110, 0.2, warmup=10, start=0.02) for step in range(1, 111)]
    assert rates[0] == pytest.approx(0.038)
    assert rates[4] == pytest.approx(0.11)
    assert rates[9] == pytest.approx(0.2)
    assert rates[59] == pytest.approx(0.2 * 0.505)
    assert rates[109] == pytest.approx(0.002)
    assert rates[9:] == sorted(rates[9:], reverse=True)


def test_a_training_shorter_than_its_warmup_does_not_divide_by_zero() -> None:
    assert cosine_with_warmup(1, 1, 0.2, warmup=1, start=0.02) == pytest.approx(0.2)
