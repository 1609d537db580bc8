"""Time limits of tests: what counts as the time of a block."""

from __future__ import annotations

import re
import time

import pytest

from tests.support.waiting import at_most, computes_at_most, wait_until


def test_a_block_that_sleeps_too_long_fails() -> None:
    with pytest.raises(AssertionError, match=r"took \d\.\d\d s"), at_most(0.2):
        time.sleep(0.6)


def test_a_block_that_holds_the_interpreter_fails() -> None:
    """Regression: no other thread ran meanwhile, and the whole time was excused as that of a busy machine."""
    with pytest.raises(AssertionError, match=r"took \d"), at_most(0.1):
        re.match(r"(a+)+$", "a" * 23 + "b")


def test_a_block_within_its_limit_passes() -> None:
    with at_most(30):
        pass


def test_only_what_the_thread_computes_counts() -> None:
    with computes_at_most(0.1):
        time.sleep(0.2)
    with pytest.raises(AssertionError, match=r"computed for \d"), computes_at_most(0.1):
        re.match(r"(a+)+$", "a" * 23 + "b")


def test_a_condition_that_never_holds_fails() -> None:
    with pytest.raises(AssertionError, match=r"did not hold within 0\.1 s"):
        wait_until(lambda: False, 0.1)
