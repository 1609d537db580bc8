"""Reconnect policy for tests."""

from __future__ import annotations

from realtime.sources.watchdog import ReconnectPolicy

POLICY = ReconnectPolicy(
    stall_seconds=2, reopen_seconds=5, first_wait_seconds=1, max_wait_seconds=4, steady_seconds=10,
    give_up_seconds=60,
)  # fmt: skip
