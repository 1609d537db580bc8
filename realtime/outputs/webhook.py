"""Send messages to a webhook on a separate thread, which retries until the server accepts a message."""

from __future__ import annotations

import base64
import http.client
import random
import re
import ssl
import threading
from collections import deque
from collections.abc import Callable
from enum import Enum
from urllib.parse import quote, unquote, urlsplit

from models.common.concurrency import backoff_seconds, parse_retry_after
from models.common.http_deadline import limit_connection
from models.common.proxies import Proxy, find_proxy
from realtime.clock import Clock, unix_now
from realtime.outputs.limits import MAX_BACKOFF_SECONDS, MAX_QUEUED_MESSAGES

RESPONSE_TIMEOUT_SECONDS = 5.0
"""Seconds for one attempt, from connecting to the last header of the response. After that, it fails."""

PROXY_AUTHENTICATION_REQUIRED = 407
"""HTTP status of a proxy that asks for a password."""

_TUNNEL_REFUSED = re.compile(r"Tunnel connection failed: (\d+)")
"""Error of ``http.client`` if a proxy opens no tunnel."""

_URL_CHARACTERS = "/%:@!$&'()*+,;=~"
"""Characters that paths and queries may have besides letters, digits and ``_.-``."""

MAX_RETRY_AFTER_SECONDS = 3_600.0
"""Longest pause that a server may request."""

RETRY_AFTER_STATUSES = (429, 503)
"""HTTP statuses whose header ``Retry-After`` is respected."""

MAX_REJECTIONS = 8
"""Error responses after which a message is dropped. Attempts without a response do not count."""


class DeliveryResult(Enum):
    """Result of one attempt to deliver a message."""

    DELIVERED = "delivered"
    RETRY = "retry"
    REJECTED = "rejected"


def classify_status(status: int) -> DeliveryResult:
    """Classify an HTTP status. Temporary errors are retried."""
    if 200 <= status < 300:
        return DeliveryResult.DELIVERED
    return DeliveryResult.RETRY if status in (408, 429) or status >= 500 else DeliveryResult.REJECTED


def parse_pause(status: int, retry_after: str | None, now: float) -> float | None:
    """Parse the pause that a server requests.

    Parameters
    ----------
    status : int
        HTTP status.
    retry_after : str or None
        Header ``Retry-After``.
    now : float
        Unix seconds.

    Returns
    -------
    float or None
        Seconds, at most ``MAX_RETRY_AFTER_SECONDS``. None if the server requests no pause.
    """
    seconds = parse_retry_after(retry_after, now) if status in RETRY_AFTER_STATUSES else None
    return None if seconds is None else min(seconds, MAX_RETRY_AFTER_SECONDS)


class WebhookSender(threading.Thread):
    """Thread that posts messages in order, the oldest first.

    Parameters
    ----------
    address : str
        http or https URL. A user and a password in the URL are sent as basic authentication.
    clock : Clock
    retry_seconds : float
        Pause before the first retry.
    report : callable
        Called on this thread with the result of each attempt: the reason of a failure, or an empty text after
        success, and the number of messages dropped so far.

    Attributes
    ----------
    dropped : int
        Number of messages that were not delivered.
    """

    def __init__(
        self,
        address: str,
        clock: Clock,
        retry_seconds: float = 1.0,
        report: Callable[[str, int], None] = lambda reason, dropped: None,
    ) -> None:
        super().__init__(name="webhook", daemon=True)
        self.dropped = 0
        self._report = report
        user, at, _ = urlsplit(address).netloc.rpartition("@")
        self._address = address
        self._headers = {"Content-Type": "application/json", "User-Agent": "overheard"}
        if at:
            secret = base64.b64encode(unquote(user).encode()).decode("ascii")
            self._headers["Authorization"] = f"Basic {secret}"
        self._clock = clock
        self._retry_seconds = retry_seconds
        self._waiting: deque[tuple[bytes, int]] = deque()  # with the number of error responses
        self._changed = threading.Condition()
        self._deadline: float | None = None

    def put(self, payload: bytes) -> None:
        """Queue a message. Any thread may call this method."""
        with self._changed:
            self._waiting.append((payload, 0))
            if len(self._waiting) > MAX_QUEUED_MESSAGES:
                self._waiting.popleft()
                self.dropped += 1
            self._changed.notify()

    def stop(self, seconds: float) -> None:
        """Make the thread try each queued message once more, and end within ``seconds``."""
        with self._changed:
            self._deadline = self._clock.monotonic() + seconds
            self._changed.notify()

    def run(self) -> None:
        """Run the thread: post the messages one after another."""
        failures = 0
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._waiting or self._deadline is not None)
                if not self._waiting or self._remaining_seconds() <= 0:
                    self.dropped += len(self._waiting)
                    return
                payload, rejections = self._waiting.popleft()
            status, reason, pause = self._post(payload)
            result = classify_status(status) if status else DeliveryResult.RETRY
            rejections += 1 if status else 0
            with self._changed:
                if result is DeliveryResult.REJECTED or (
                    result is DeliveryResult.RETRY and not self._requeue(payload, rejections)
                ):
                    self.dropped += 1
            self._report("" if result is DeliveryResult.DELIVERED else reason, self.dropped)
            failures = failures + 1 if result is DeliveryResult.RETRY else 0
            if failures:
                if pause is None:
                    pause = backoff_seconds(
                        failures, self._retry_seconds, MAX_BACKOFF_SECONDS, random.random()
                    )
                with self._changed:
                    self._changed.wait_for(lambda: self._deadline is not None, pause)

    def _requeue(self, payload: bytes, rejections: int) -> bool:
        """Put a message back at the head of the queue. Return False if the message has to be dropped."""
        full = len(self._waiting) >= MAX_QUEUED_MESSAGES
        if full or rejections >= MAX_REJECTIONS or self._deadline is not None:
            return False
        self._waiting.appendleft((payload, rejections))
        return True

    def _remaining_seconds(self) -> float:
        if self._deadline is None:
            return RESPONSE_TIMEOUT_SECONDS
        return self._deadline - self._clock.monotonic()

    def _post(self, payload: bytes) -> tuple[int, str, float | None]:
        """Post a message once. Redirects are not followed.

        Returns
        -------
        tuple of int, str and (float or None)
            Status of the response (0 without a response), reason of a failure, and the pause in seconds that
            the server requests.
        """
        seconds = max(0.1, min(RESPONSE_TIMEOUT_SECONDS, self._remaining_seconds()))
        proxy = find_proxy(self._address)
        place = f"the proxy {proxy.name}" if proxy else "the server"
        try:
            connection, target, headers = prepare_request(self._address, proxy)
            with limit_connection(connection, seconds):
                connection.request("POST", target, payload, self._headers | headers)
                response = connection.getresponse()
                status, retry_after = response.status, response.headers.get("Retry-After")
        # The text of these errors may contain the address, which is a secret.
        except (OSError, http.client.HTTPException, ValueError) as error:
            if isinstance(error, TimeoutError):
                return 0, f"{place} did not respond within {seconds:.1f} s; retrying", None
            if refused := _TUNNEL_REFUSED.match(str(error)):
                return 0, _describe_proxy(place, int(refused[1])), None
            reason = getattr(error, "strerror", None) or type(error).__name__
            return 0, f"{f'{place}: ' if proxy else ''}{reason}; retrying", None
        if classify_status(status) is DeliveryResult.DELIVERED:
            return status, "", None
        if proxy and status == PROXY_AUTHENTICATION_REQUIRED:
            return status, _describe_proxy(place, status), None
        advice = "retrying" if classify_status(status) is DeliveryResult.RETRY else "check the address"
        via = f" through {place}" if proxy else ""
        pause = parse_pause(status, retry_after, unix_now(self._clock))
        return status, f"the server responded {status}{via}; {advice}", pause


def _describe_proxy(place: str, status: int) -> str:
    if status == PROXY_AUTHENTICATION_REQUIRED:
        return f"{place} asks for a password, which is not sent; the variable NO_PROXY avoids the proxy"
    return f"{place} does not connect to the server ({status}); retrying"


def prepare_request(
    address: str, proxy: Proxy | None
) -> tuple[http.client.HTTPConnection, str, dict[str, str]]:
    """Return an unconnected connection, the target of the request, and headers that the target requires.

    The proxy gets the path and the content of an http address, and only host and port of an https address.
    """
    parts = urlsplit(address)
    host = parts.hostname or ""
    if ":" not in host:
        host = host.encode("idna").decode("ascii")
    target = quote(parts.path or "/", safe=_URL_CHARACTERS)
    if parts.query:
        target += "?" + quote(parts.query, safe=_URL_CHARACTERS + "?")
    if parts.scheme == "http":
        if proxy is None:
            return http.client.HTTPConnection(host, parts.port), target, {}
        netloc = (f"[{host}]" if ":" in host else host) + (f":{parts.port}" if parts.port else "")
        return (
            http.client.HTTPConnection(proxy.host, proxy.port),
            f"http://{netloc}{target}",
            {"Host": netloc},
        )
    context = ssl.create_default_context()
    if proxy is None:
        return http.client.HTTPSConnection(host, parts.port, context=context), target, {}
    connection = http.client.HTTPSConnection(proxy.host, proxy.port, context=context)
    connection.set_tunnel(host, parts.port)
    return connection, target, {}
