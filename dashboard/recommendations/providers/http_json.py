"""GET requests for JSON objects, and what their faults are called."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from dashboard.recommendations.providers.base import Clock, ProviderResult, Status
from models.common.concurrency import parse_retry_after

if TYPE_CHECKING:
    import requests

MAX_RESPONSE_BYTES: Final = 4 << 20
CHUNK_BYTES: Final = 1 << 16
MARGIN_SECONDS: Final = 0.1
"""How long before a deadline a request is given up, so that its result still is in time."""

PAUSE_SECONDS: Final = 60
"""Before asking again where a limit does not say when it ends."""


@dataclass(frozen=True, slots=True)
class HttpResult:
    """What came back.

    ``fault`` is None when there was an HTTP answer that can be used: with 200 and a JSON object in
    ``body``, or with another ``code``, where ``body`` may be empty. ``sent`` is False when the request
    surely did not reach the server.
    """

    code: int = 0
    body: Mapping[str, Any] = field(default_factory=dict)
    fault: Status | None = None
    sent: bool = True
    retry_after_seconds: float | None = None


class JsonHttpClient:
    """Sends GET requests whose timeouts end before a deadline.

    A server that sends a byte now and then keeps a request beyond it: ``BackgroundProvider`` leaves its
    thread behind.

    Parameters
    ----------
    clock : Clock
        Deadlines are in its seconds.
    session : requests.Session, optional
        Used for every request; without it each one has its own.
    """

    def __init__(self, clock: Clock, session: requests.Session | None = None) -> None:
        self._clock = clock
        self._session = session

    def get(
        self, address: str, params: Mapping[str, str], headers: Mapping[str, str], deadline: float
    ) -> HttpResult:
        """Ask once; redirects are not followed, for they would carry the headers elsewhere."""
        if deadline - MARGIN_SECONDS <= self._clock.monotonic():
            return HttpResult(fault=Status.TIMEOUT, sent=False)
        return _get(self._session, address, params, headers, deadline - MARGIN_SECONDS, self._clock)


def _get(
    session: requests.Session | None,
    address: str,
    params: Mapping[str, str],
    headers: Mapping[str, str],
    deadline: float,
    clock: Clock,
) -> HttpResult:
    import requests
    from urllib3.exceptions import HTTPError

    own = session or requests.Session()
    seconds = max(0.01, deadline - clock.monotonic())
    try:
        with own.get(
            address, params=params, headers=headers, timeout=seconds, stream=True, allow_redirects=False
        ) as response:
            content = bytearray()
            for chunk in response.iter_content(CHUNK_BYTES):
                content += chunk
                if clock.monotonic() >= deadline:
                    return HttpResult(fault=Status.TIMEOUT)
                if len(content) > MAX_RESPONSE_BYTES:
                    return HttpResult(response.status_code, fault=Status.BAD_ANSWER)
            wait = parse_retry_after(response.headers.get("Retry-After"), clock.now().timestamp())
            return _read(response.status_code, bytes(content), wait)
    except requests.Timeout as error:
        return HttpResult(fault=Status.TIMEOUT, sent=_was_sent(error))
    except requests.ConnectionError as error:
        return HttpResult(fault=Status.UNREACHABLE, sent=_was_sent(error))
    except requests.exceptions.ChunkedEncodingError:
        return HttpResult(fault=Status.UNREACHABLE)
    except ValueError:  # an address that is none
        return HttpResult(fault=Status.BAD_ANSWER, sent=False)
    except (requests.RequestException, HTTPError, OSError):
        return HttpResult(fault=Status.BAD_ANSWER)
    finally:
        if session is None:
            own.close()


def _was_sent(error: requests.RequestException) -> bool:
    """Whether the server may have had the request: not when there was no connection to it."""
    import requests
    from urllib3.exceptions import ConnectTimeoutError, NewConnectionError, ProxyError, SSLError

    reason = getattr(error.args[0], "reason", None) if error.args else None
    never = (ConnectTimeoutError, NewConnectionError, ProxyError, SSLError)
    return not isinstance(error, requests.ConnectTimeout) and not isinstance(reason, never)


def _read(code: int, content: bytes, wait: float | None) -> HttpResult:
    try:
        body = json.loads(content)
    except (ValueError, RecursionError):  # the latter: nested a hundred thousand deep
        body = None
    if isinstance(body, dict):
        return HttpResult(code, body, retry_after_seconds=wait)
    return HttpResult(code, fault=Status.BAD_ANSWER if code == 200 else None, retry_after_seconds=wait)


def failed(answer: HttpResult, clock: Clock, calls: int) -> ProviderResult:
    """What the page is told of a fault that means the same at every service; 200 is none."""
    if answer.fault is not None:
        sentence = {
            Status.TIMEOUT: "did not answer in time",
            Status.UNREACHABLE: "cannot be reached",
        }.get(answer.fault, "answered with something that cannot be read")
        return ProviderResult(status=answer.fault, detail=sentence, calls=calls)
    if answer.code == 429:
        seconds = min(max(answer.retry_after_seconds or PAUSE_SECONDS, 1), 7 * 86_400)
        return ProviderResult(
            status=Status.RATE_LIMITED,
            retry_at=clock.now() + timedelta(seconds=seconds),
            detail=f"was asked too often; it is asked again in {in_words(seconds)}",
            calls=calls,
        )
    status, sentence = _BY_CODE.get(answer.code, (Status.BAD_ANSWER, "answered in an unknown way"))
    if answer.code >= 500:
        status, sentence = Status.UNREACHABLE, "has a fault of its own at the moment"
    return ProviderResult(status=status, detail=f"{sentence} (HTTP {answer.code})", calls=calls)


_BY_CODE: Final = {
    400: (Status.BAD_REQUEST, "did not understand the request"),
    401: (Status.AUTH, "does not accept the key"),
    403: (Status.FORBIDDEN, "does not allow the request"),
    404: (Status.BAD_REQUEST, "does not know what it was asked for"),
}


def in_words(seconds: float) -> str:
    """A time span for people, rounded up: ``25 seconds``, ``4 minutes``, ``7 hours``."""
    if seconds <= 90:
        return _counted(math.ceil(max(seconds, 1)), "second")
    minutes = math.ceil(seconds / 60)
    return _counted(minutes, "minute") if minutes <= 90 else _counted(math.ceil(seconds / 3600), "hour")


def _counted(number: int, unit: str) -> str:
    return f"{number} {unit}" if number == 1 else f"{number} {unit}s"
