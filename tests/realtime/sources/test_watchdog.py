"""Watchdog on virtual time."""

from __future__ import annotations

import pytest

from realtime.sources.watchdog import Liveness, Watchdog
from tests.support.reconnection import POLICY


def dog() -> Watchdog:
    return Watchdog(POLICY, 0.0, lambda: 1.0)


def test_nothing_for_a_while_is_a_stall_and_for_longer_a_loss() -> None:
    watched = dog()
    seen = []
    for now in (1.0, 1.9, 2.0, 4.9, 5.0):
        watched.record_no_audio(now)
        seen.append(watched.state)
    assert seen == ["HEALTHY", "HEALTHY", "STALLED", "STALLED", "RECOVERING"]
    assert watched.reason == "no audio, not even silence, for 5 s"
    watched.record_audio(6.0)
    assert (watched.state, watched.reason) == (Liveness.HEALTHY, "")


def test_waits_double_up_to_the_longest_and_begin_anew_after_steady_sound() -> None:
    watched, waits, now = dog(), [], 0.0
    for _ in range(4):
        watched.record_loss(now, "gone")
        waits.append(watched.next_attempt_at - now)
        now = watched.next_attempt_at
    assert waits == [1, 2, 4, 4]
    watched.record_audio(now)
    watched.record_audio(now + 9.9)
    watched.record_loss(now + 9.9, "gone")
    assert watched.next_attempt_at == pytest.approx(now + 13.9)  # it had not held: the long wait stays
    watched.record_audio(now + 14)
    watched.record_audio(now + 24)
    watched.record_loss(now + 25, "gone")
    assert watched.next_attempt_at == pytest.approx(now + 26)


def test_the_jitter_spreads_waits_between_half_and_all() -> None:
    quick = Watchdog(POLICY, 0.0, lambda: 0.0)
    quick.record_loss(0.0, "gone")
    assert quick.next_attempt_at == 0.5


def test_who_stays_away_too_long_has_failed() -> None:
    watched = dog()
    watched.record_loss(59.9, "gone")
    assert watched.state is Liveness.RECOVERING
    watched.record_loss(60.0, "gone for good")
    assert (watched.state, watched.reason) == (Liveness.FAILED, "gone for good")


def test_openings_that_bring_no_sound_do_not_put_the_end_off() -> None:
    """Each opening made the watchdog forget how long it had heard nothing."""
    watched, now = dog(), 0.0
    watched.record_loss(now, "gone")
    while watched.state is not Liveness.FAILED:
        now += 1.0
        if watched.state is Liveness.RECOVERING and now >= watched.next_attempt_at:
            watched.record_reopened(now)
        else:
            watched.record_no_audio(now)
        assert now < 100
    assert now >= 60


def test_an_opening_that_brings_no_sound_is_lost_again() -> None:
    watched = dog()
    watched.record_loss(10.0, "gone")
    watched.record_reopened(12.0)
    seen = []
    for now in (16.9, 17.0):
        watched.record_no_audio(now)
        seen.append(watched.state)
    assert seen == [Liveness.STALLED, Liveness.RECOVERING]
