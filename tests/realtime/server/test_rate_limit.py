"""Token bucket and log of rejections."""

from __future__ import annotations

from realtime.server.rate_limit import RejectionLog, TokenBucket


def test_a_bucket_lets_a_burst_through_and_then_its_rate() -> None:
    bucket = TokenBucket(10, 2.0, now=100.0)
    assert [bucket.take(100.0) for _ in range(11)] == [True] * 10 + [False]
    assert [bucket.take(100.5), bucket.take(100.5)] == [True, False]
    assert bucket.take(99.0) is False, "a clock that steps back gives nothing"
    assert bucket.take(101.0, amount=1.0) is True
    assert [bucket.take(1_000.0) for _ in range(11)] == [True] * 10 + [False], "never more than the burst"


def test_rejections_are_reported_at_once_then_counted() -> None:
    log = RejectionLog(interval_seconds=5.0)
    assert log.add("token", 0.0) == "connections rejected or closed since the last report: 1 (token 1)"
    assert [log.add(reason, 4.9) for reason in ("token", "origin", "token")] == [None] * 3
    assert str(log.add("full", 5.0)).endswith("4 (full 1, origin 1, token 2)")
    assert log.flush(5.0) is None
    assert log.add("full", 6.0) is None
    assert str(log.flush(6.0)).endswith("1 (full 1)")
