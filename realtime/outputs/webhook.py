"""Posts messages to a web address, on a thread of its own, again and again while it is out of reach."""

from __future__ import annotations

import base64
import http.client
import random
import threading
import urllib.error
import urllib.request
from collections import deque
from collections.abc import Callable
from enum import Enum
from typing import IO
from urllib.parse import unquote, urlsplit, urlunsplit

from models.common.concurrency import backoff_seconds, parse_retry_after
from realtime.clock import Clock

MAX_QUEUED_MESSAGES = 100
"""Messages that wait; when there are more the oldest is dropped and counted."""

ANSWER_SECONDS = 5.0
MAX_BACKOFF_SECONDS = 60.0
MAX_RETRY_AFTER_SECONDS = 3_600.0
RETRY_AFTER_STATUSES = (429, 503)
"""HTTP statuses whose header Retry-After counts."""

MAX_REJECTIONS = 8
"""How often a server may answer with a fault before a message is given up; one out of reach is tried on."""


class DeliveryResult(Enum):
    """What becomes of a message."""

    DELIVERED = "delivered"
    RETRY = "retry"
    REJECTED = "rejected"


def classify_status(status: int) -> DeliveryResult:
    """What an HTTP status means for the message: faults that may pass are worth another attempt."""
    if 200 <= status < 300:
        return DeliveryResult.DELIVERED
    return DeliveryResult.RETRY if status in (408, 429) or status >= 500 else DeliveryResult.REJECTED


def requested_pause(status: int, retry_after: str | None, unix_now: float) -> float | None:
    """Return the seconds that a server asks to wait, at most ``MAX_RETRY_AFTER_SECONDS``; None if none."""
    seconds = parse_retry_after(retry_after, unix_now) if status in RETRY_AFTER_STATUSES else None
    return None if seconds is None else min(seconds, MAX_RETRY_AFTER_SECONDS)


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """A redirected POST would arrive as a GET, without its content: better an error that says so."""

    def redirect_request(
        self, req: object, fp: IO[bytes], code: int, msg: str, headers: object, newurl: str
    ) -> None:
        return None


class WebhookSender(threading.Thread):
    """Delivers in order, oldest first.

    Parameters
    ----------
    address : str
        http or https; a user and password in it are sent as basic authentication.
    clock : Clock
    retry_seconds : float
        Before the first repetition.
    tell : callable
        Told after each attempt why it failed, or "", and how many messages were dropped; on this thread.
    """

    def __init__(
        self,
        address: str,
        clock: Clock,
        retry_seconds: float = 1.0,
        tell: Callable[[str, int], None] = lambda reason, dropped: None,
    ) -> None:
        super().__init__(name="webhook", daemon=True)
        self.dropped = 0
        self._tell = tell
        parts = urlsplit(address)
        user, at, host = parts.netloc.rpartition("@")
        self._address = urlunsplit((parts.scheme, host, parts.path, parts.query, ""))
        self._headers = {"Content-Type": "application/json", "User-Agent": "overheard"}
        if at:
            secret = base64.b64encode(unquote(user).encode()).decode("ascii")
            self._headers["Authorization"] = f"Basic {secret}"
        self._clock = clock
        self._retry_seconds = retry_seconds
        self._waiting: deque[tuple[bytes, int]] = deque()  # with how often it was answered by a fault
        self._changed = threading.Condition()
        self._ends_at: float | None = None

    def put(self, payload: bytes) -> None:
        """Queue a message; called on other threads."""
        with self._changed:
            self._waiting.append((payload, 0))
            if len(self._waiting) > MAX_QUEUED_MESSAGES:
                self._waiting.popleft()
                self.dropped += 1
            self._changed.notify()

    def stop(self, seconds: float) -> None:
        """End after one attempt at each message that waits, within ``seconds``; called on another thread."""
        with self._changed:
            self._ends_at = self._clock.monotonic() + seconds
            self._changed.notify()

    def run(self) -> None:
        """Thread body."""
        opener = urllib.request.build_opener(_NoRedirect())
        failures = 0
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._waiting or self._ends_at is not None)
                if not self._waiting or self._remaining() <= 0:
                    self.dropped += len(self._waiting)
                    return
                payload, refusals = self._waiting.popleft()
            status, reason, retry_after = self._post(opener, payload)
            outcome = classify_status(status) if status else DeliveryResult.RETRY
            refusals += 1 if status else 0
            with self._changed:
                if outcome is DeliveryResult.REJECTED or (
                    outcome is DeliveryResult.RETRY and not self._keep(payload, refusals)
                ):
                    self.dropped += 1
            self._tell("" if outcome is DeliveryResult.DELIVERED else reason, self.dropped)
            failures = failures + 1 if outcome is DeliveryResult.RETRY else 0
            if failures:
                pause = retry_after
                if pause is None:
                    pause = backoff_seconds(
                        failures, self._retry_seconds, MAX_BACKOFF_SECONDS, random.random()
                    )
                with self._changed:
                    self._changed.wait_for(lambda: self._ends_at is not None, pause)

    def _keep(self, payload: bytes, refusals: int) -> bool:
        """Put a message back at the head unless newer ones have taken its place, or it was tried enough."""
        if (
            len(self._waiting) >= MAX_QUEUED_MESSAGES
            or refusals >= MAX_REJECTIONS
            or self._ends_at is not None
        ):
            return False
        self._waiting.appendleft((payload, refusals))
        return True

    def _remaining(self) -> float:
        return ANSWER_SECONDS if self._ends_at is None else self._ends_at - self._clock.monotonic()

    def _post(self, opener: urllib.request.OpenerDirector, payload: bytes) -> tuple[int, str, float | None]:
        """Status of the answer (0 without one), what is wrong, and when to ask again."""
        request = urllib.request.Request(self._address, payload, self._headers, method="POST")
        try:
            with opener.open(request, timeout=max(0.1, min(ANSWER_SECONDS, self._remaining()))) as response:
                return response.status, "", None
        except urllib.error.HTTPError as error:
            with error:
                now = self._clock.unix(self._clock.monotonic())
                after = requested_pause(error.code, error.headers.get("Retry-After"), now)
                told = (
                    "it is tried again"
                    if classify_status(error.code) is DeliveryResult.RETRY
                    else "check the address"
                )
                return error.code, f"it answered {error.code}; {told}", after
        except urllib.error.URLError as error:
            cause = error.reason
            return 0, f"{getattr(cause, 'strerror', None) or cause}; it is tried again", None
        except (
            OSError,
            http.client.HTTPException,
            ValueError,
        ) as error:  # a text of theirs may hold the address
            return 0, f"{type(error).__name__}; it is tried again", None
