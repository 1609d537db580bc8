"""Decides when a source is stalled, lost or given up, and when it is opened again."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from models.common.concurrency import backoff_seconds

STALL_SECONDS = 3.0
"""How long a source may deliver nothing, not even silence, before it is called stalled."""


@dataclass(frozen=True, slots=True)
class ReconnectPolicy:
    """When to act, in seconds.

    Without sound for ``stall_seconds`` a source is stalled, for ``reopen_seconds`` lost. A lost one is
    opened again after ``first_wait_seconds``, each wait twice the last one up to ``longest_wait_seconds``
    and between half and all of it, so that many programs do not knock at the same moment. Sound for
    ``steady_seconds`` begins the waits anew; without any for ``give_up_seconds`` the source has failed.
    """

    stall_seconds: float = STALL_SECONDS
    reopen_seconds: float = 5.0
    first_wait_seconds: float = 0.25
    longest_wait_seconds: float = 3.0
    steady_seconds: float = 10.0
    give_up_seconds: float = math.inf


class Liveness(StrEnum):
    """What the watchdog thinks of a source."""

    HEALTHY = "HEALTHY"
    STALLED = "STALLED"
    RECOVERING = "RECOVERING"
    FAILED = "FAILED"


class Watchdog:
    """Decides from what happened when; all times are monotonic seconds from outside.

    Parameters
    ----------
    policy : ReconnectPolicy
    now : float
    jitter : callable
        Returns a number in 0..1.
    """

    def __init__(self, policy: ReconnectPolicy, now: float, jitter: Callable[[], float]) -> None:
        self.state = Liveness.HEALTHY
        self.reason = ""
        self.attempts = 0
        self.heard_at = now
        self.next_attempt_at = now
        self._policy = policy
        self._jitter = jitter
        self._opened_at = self._steady_since = now
        self._losses = 0  # in a row

    def heard(self, now: float) -> None:
        """Sound has come."""
        if self.state is not Liveness.HEALTHY:
            self.state, self.reason = Liveness.HEALTHY, ""
            self._steady_since = now
        elif now - self._steady_since >= self._policy.steady_seconds:
            self._losses = self.attempts = 0
        self.heard_at = now

    def silent(self, now: float) -> None:
        """Nothing has come, not even silence."""
        still = now - max(self.heard_at, self._opened_at)
        if self.state is Liveness.HEALTHY and still >= self._policy.stall_seconds:
            self.state = Liveness.STALLED
        if self.state is Liveness.STALLED and still >= self._policy.reopen_seconds:
            self.lost(now, f"no sound, not even silence, for {still:.0f} s")

    def lost(self, now: float, reason: str) -> None:
        """The source, or an attempt to open it again, has failed."""
        self.reason = reason
        if now - self.heard_at >= self._policy.give_up_seconds:
            self.state = Liveness.FAILED
            return
        self.state = Liveness.RECOVERING
        self._losses += 1
        self.next_attempt_at = now + backoff_seconds(
            self._losses, self._policy.first_wait_seconds, self._policy.longest_wait_seconds, self._jitter()
        )

    def opened(self, now: float) -> None:
        """It is open again; sound has still to come, and has as long for it as at any other time."""
        self.state, self._opened_at = Liveness.STALLED, now
