"""Watchdog on virtual time."""

from __future__ import annotations

import pytest

from realtime.sources.watchdog import Liveness, Watchdog
from tests.support.reconnection import POLICY


def make_watchdog() -> Watchdog:
    return Watchdog(POLICY, 0.0, lambda: 1.0)


def test_nothing_for_a_while_is_a_stall_and_for_longer_a_loss() -> None:
    watchdog = make_watchdog()
    seen = []
    for now in (1.0, 1.9, 2.0, 4.9, 5.0):
        watchdog.record_no_audio(now)
        seen.append(watchdog.state)
    assert seen == ["HEALTHY", "HEALTHY", "STALLED", "STALLED", "RECOVERING"]
    assert watchdog.reason == "no audio, not even silence, for 5 s"
    watchdog.record_audio(6.0)
    assert (watchdog.state, watchdog.reason) == (Liveness.HEALTHY, "")


def test_waits_double_up_to_a_maximum_and_start_again_after_steady_audio() -> None:
    watchdog, waits, now = make_watchdog(), [], 0.0
    for _ in range(4):
        watchdog.record_loss(now, "gone")
        waits.append(watchdog.next_attempt_at - now)
        now = watchdog.next_attempt_at
    assert waits == [1, 2, 4, 4]
    watchdog.record_audio(now)
    watchdog.record_audio(now + 9.9)
    watchdog.record_loss(now + 9.9, "gone")
    assert watchdog.next_attempt_at == pytest.approx(
        now + 13.9
    )  # the audio was not steady, so the long wait stays
    watchdog.record_audio(now + 14)
    watchdog.record_audio(now + 24)
    watchdog.record_loss(now + 25, "gone")
    assert watchdog.next_attempt_at == pytest.approx(now + 26)


def test_the_jitter_spreads_waits_between_half_and_all() -> None:
    quick = Watchdog(POLICY, 0.0, lambda: 0.0)
    quick.record_loss(0.0, "gone")
    assert quick.next_attempt_at == 0.5


def test_a_source_that_is_lost_for_too_long_has_failed() -> None:
    watchdog = make_watchdog()
    watchdog.record_loss(59.9, "gone")
    assert watchdog.state is Liveness.RECOVERING
    watchdog.record_loss(60.0, "gone for good")
    assert (watchdog.state, watchdog.reason) == (Liveness.FAILED, "gone for good")


def test_openings_without_audio_do_not_delay_the_failure() -> None:
    """Each opening once reset the time without audio, so the source never failed."""
    watchdog, now = make_watchdog(), 0.0
    watchdog.record_loss(now, "gone")
    while watchdog.state is not Liveness.FAILED:
        now += 1.0
        if watchdog.state is Liveness.RECOVERING and now >= watchdog.next_attempt_at:
            watchdog.record_reopened(now)
        else:
            watchdog.record_no_audio(now)
        assert now < 100
    assert now >= 60


def test_an_opened_source_without_audio_is_lost_again() -> None:
    watchdog = make_watchdog()
    watchdog.record_loss(10.0, "gone")
    watchdog.record_reopened(12.0)
    seen = []
    for now in (16.9, 17.0):
        watchdog.record_no_audio(now)
        seen.append(watchdog.state)
    assert seen == [Liveness.STALLED, Liveness.RECOVERING]
