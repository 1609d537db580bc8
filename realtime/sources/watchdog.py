"""Decide when a source is stalled, lost or failed, and when to reopen it."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from models.common.concurrency import backoff_seconds

STALL_SECONDS = 3.0
"""Seconds without audio, not even silence, after which a source is stalled."""


@dataclass(frozen=True, slots=True)
class ReconnectPolicy:
    """Times of a watchdog in seconds.

    Attributes
    ----------
    stall_seconds : float
        Time without audio after which a source is stalled.
    reopen_seconds : float
        Time without audio after which a source is lost.
    first_wait_seconds, max_wait_seconds : float
        Pause before the first attempt to reopen the source, and the longest pause. Each pause is twice the
        last pause, and random in its upper half, so that many programs do not connect at the same moment.
    steady_seconds : float
        Time with audio after which the pauses start at ``first_wait_seconds`` again.
    give_up_seconds : float
        Time without audio after which the source has failed permanently.
    """

    stall_seconds: float = STALL_SECONDS
    reopen_seconds: float = 5.0
    first_wait_seconds: float = 0.25
    max_wait_seconds: float = 3.0
    steady_seconds: float = 10.0
    give_up_seconds: float = math.inf


class Liveness(StrEnum):
    """State of a source in the view of the watchdog."""

    HEALTHY = "HEALTHY"
    """Audio arrives."""
    STALLED = "STALLED"
    """The source is open, but no audio arrives."""
    RECOVERING = "RECOVERING"
    """The source was lost and has to be reopened."""
    FAILED = "FAILED"
    """The source was lost for too long."""


class Watchdog:
    """State machine of a source's liveness. All times are monotonic seconds.

    Parameters
    ----------
    policy : ReconnectPolicy
    now : float
    jitter : callable
        Returns a number in 0..1.

    Attributes
    ----------
    state : Liveness
    reason : str
        Reason of the loss. Empty while audio arrives.
    attempts : int
        Attempts to reopen the source since the loss. The caller counts them.
    last_audio_at : float
    next_attempt_at : float
        Time of the next attempt in RECOVERING.
    """

    def __init__(self, policy: ReconnectPolicy, now: float, jitter: Callable[[], float]) -> None:
        self.state = Liveness.HEALTHY
        self.reason = ""
        self.attempts = 0
        self.last_audio_at = now
        self.next_attempt_at = now
        self._policy = policy
        self._jitter = jitter
        self._opened_at = self._steady_since = now
        self._losses = 0  # in a row

    def record_audio(self, now: float) -> None:
        """Record that audio arrived."""
        if self.state is not Liveness.HEALTHY:
            self.state, self.reason = Liveness.HEALTHY, ""
            self._steady_since = now
        elif now - self._steady_since >= self._policy.steady_seconds:
            self._losses = self.attempts = 0
        self.last_audio_at = now

    def record_no_audio(self, now: float) -> None:
        """Record that no audio arrived, not even silence."""
        idle_seconds = now - max(self.last_audio_at, self._opened_at)
        if self.state is Liveness.HEALTHY and idle_seconds >= self._policy.stall_seconds:
            self.state = Liveness.STALLED
        if self.state is Liveness.STALLED and idle_seconds >= self._policy.reopen_seconds:
            self.record_loss(now, f"no audio, not even silence, for {idle_seconds:.0f} s")

    def record_loss(self, now: float, reason: str) -> None:
        """Record that the source, or an attempt to open the source, failed."""
        self.reason = reason
        if now - self.last_audio_at >= self._policy.give_up_seconds:
            self.state = Liveness.FAILED
            return
        self.state = Liveness.RECOVERING
        self._losses += 1
        self.next_attempt_at = now + backoff_seconds(
            self._losses, self._policy.first_wait_seconds, self._policy.max_wait_seconds, self._jitter()
        )

    def record_reopened(self, now: float) -> None:
        """Record that the source was reopened. It must deliver audio within ``reopen_seconds``."""
        self.state, self._opened_at = Liveness.STALLED, now
