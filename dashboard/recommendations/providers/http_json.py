"""HTTP GET requests for JSON objects, and results for their errors."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from dashboard.recommendations.providers.base import Clock, ProviderResult, Status
from models.common.concurrency import parse_retry_after
from models.common.proxies import find_proxy
from models.common.text import format_count

if TYPE_CHECKING:
    import requests

MAX_RESPONSE_BYTES: Final = 4 << 20
"""Maximum length of a response in bytes. A longer response is invalid."""
CHUNK_BYTES: Final = 1 << 16
MARGIN_SECONDS: Final = 0.1
"""Seconds before a deadline at which a request is abandoned, so that its result still arrives in time."""

PAUSE_SECONDS: Final = 60
"""Seconds before the next request if a rate limit names no time."""


@dataclass(frozen=True, slots=True)
class HttpResult:
    """Outcome of one request.

    Attributes
    ----------
    code : int
        HTTP status, 0 if there was no response.
    body : mapping
        The JSON object. It may be empty if ``code`` is not 200.
    fault : Status or None
        None if the response can be used.
    sent : bool
        False if the request certainly did not reach the server.
    retry_after_seconds : float or None
        The server's ``Retry-After``, if there was one.
    proxy : str
        Host and port of the proxy that the request went through, empty for none.
    """

    code: int = 0
    body: Mapping[str, Any] = field(default_factory=dict)
    fault: Status | None = None
    sent: bool = True
    retry_after_seconds: float | None = None
    proxy: str = ""


class JsonHttpClient:
    """Client whose GET requests time out before a deadline.

    A server that sends a byte now and then exceeds the deadline. ``BackgroundProvider`` abandons its
    thread.

    Parameters
    ----------
    clock : Clock
        Clock of the deadlines.
    session : requests.Session, optional
        Session of every request. By default each request has a session of its own.
    """

    def __init__(self, clock: Clock, session: requests.Session | None = None) -> None:
        self._clock = clock
        self._session = session

    def get(
        self, address: str, params: Mapping[str, str], headers: Mapping[str, str], deadline: float
    ) -> HttpResult:
        """Send one request. Redirects are not followed, since they would carry the headers elsewhere."""
        if deadline - MARGIN_SECONDS <= self._clock.monotonic():
            return HttpResult(fault=Status.TIMEOUT, sent=False)
        if self._session is not None:
            return _send(self._session, address, params, headers, deadline - MARGIN_SECONDS, self._clock)
        proxy = find_proxy(address)
        with make_session(address) as session:
            result = _send(session, address, params, headers, deadline - MARGIN_SECONDS, self._clock)
        return replace(result, proxy=proxy.name if proxy else "")


def make_session(*addresses: str) -> requests.Session:
    """Return a session that sends no credentials but those given to its requests.

    A session of ``requests`` would send a user and a password from the file ``.netrc`` to every server, and
    requests to this machine to a proxy. Authorities of certificates are still those of the environment.

    Parameters
    ----------
    *addresses : str
        Addresses of the requests, for which the proxies of the environment are used.
    """
    import requests

    session = requests.Session()
    session.trust_env = False
    session.verify = os.environ.get("REQUESTS_CA_BUNDLE") or os.environ.get("CURL_CA_BUNDLE") or True
    for address in addresses:
        parts = urlsplit(address)
        if proxy := find_proxy(address):
            session.proxies[f"{parts.scheme}://{parts.hostname}"] = proxy.url
    return session


def describe_unreachable(proxy: str) -> str:
    """Describe a server that cannot be reached, with the name of the proxy if there is one."""
    return f"cannot be reached through the proxy {proxy}" if proxy else "cannot be reached"


def _send(
    session: requests.Session,
    address: str,
    params: Mapping[str, str],
    headers: Mapping[str, str],
    deadline: float,
    clock: Clock,
) -> HttpResult:
    import requests
    from urllib3.exceptions import HTTPError

    seconds = max(0.01, deadline - clock.monotonic())
    try:
        with session.get(
            address, params=params, headers=headers, timeout=seconds, stream=True, allow_redirects=False
        ) as response:
            content = bytearray()
            for chunk in response.iter_content(CHUNK_BYTES):
                content += chunk
                if clock.monotonic() >= deadline:
                    return HttpResult(fault=Status.TIMEOUT)
                if len(content) > MAX_RESPONSE_BYTES:
                    return HttpResult(response.status_code, fault=Status.BAD_ANSWER)
            retry_after = parse_retry_after(response.headers.get("Retry-After"), clock.now().timestamp())
            return _read(response.status_code, bytes(content), retry_after)
    except requests.Timeout as error:
        return HttpResult(fault=Status.TIMEOUT, sent=_was_sent(error))
    except requests.ConnectionError as error:
        return HttpResult(fault=Status.UNREACHABLE, sent=_was_sent(error))
    except requests.exceptions.ChunkedEncodingError:
        return HttpResult(fault=Status.UNREACHABLE)
    except ValueError:  # the address is invalid
        return HttpResult(fault=Status.BAD_ANSWER, sent=False)
    except (requests.RequestException, HTTPError, OSError):
        return HttpResult(fault=Status.BAD_ANSWER)


def _was_sent(error: requests.RequestException) -> bool:
    """Return False if the request cannot have reached the server because there was no connection."""
    import requests
    from urllib3.exceptions import ConnectTimeoutError, NewConnectionError, ProxyError, SSLError

    reason = getattr(error.args[0], "reason", None) if error.args else None
    unsent_reasons = (ConnectTimeoutError, NewConnectionError, ProxyError, SSLError)
    return not isinstance(error, requests.ConnectTimeout) and not isinstance(reason, unsent_reasons)


def _read(code: int, content: bytes, retry_after: float | None) -> HttpResult:
    try:
        body = json.loads(content)
    except (ValueError, RecursionError):  # RecursionError: nested a hundred thousand deep
        body = None
    if isinstance(body, dict):
        return HttpResult(code, body, retry_after_seconds=retry_after)
    return HttpResult(code, fault=Status.BAD_ANSWER if code == 200 else None, retry_after_seconds=retry_after)


def error_result(answer: HttpResult, clock: Clock, calls: int) -> ProviderResult:
    """Return the result for an error that means the same at every service. HTTP 200 is not an error."""
    if answer.fault is not None:
        detail = {
            Status.TIMEOUT: "did not answer in time",
            Status.UNREACHABLE: describe_unreachable(answer.proxy),
        }.get(answer.fault, "sent an answer that cannot be read")
        return ProviderResult(status=answer.fault, detail=detail, calls=calls)
    if answer.code == 429:
        seconds = min(max(answer.retry_after_seconds or PAUSE_SECONDS, 1), 7 * 86_400)
        return ProviderResult(
            status=Status.RATE_LIMITED,
            retry_at=clock.now() + timedelta(seconds=seconds),
            detail=f"received too many requests; the next request is in {format_duration(seconds)}",
            calls=calls,
        )
    status, detail = _STATUS_BY_CODE.get(answer.code, (Status.BAD_ANSWER, "answered with an unknown status"))
    if answer.code >= 500:
        status, detail = Status.UNREACHABLE, "is out of order at the moment"
    return ProviderResult(status=status, detail=f"{detail} (HTTP {answer.code})", calls=calls)


_STATUS_BY_CODE: Final = {
    400: (Status.BAD_REQUEST, "did not understand the request"),
    401: (Status.AUTH, "rejected the key"),
    403: (Status.FORBIDDEN, "does not permit the request"),
    404: (Status.BAD_REQUEST, "does not know the request"),
    407: (Status.UNREACHABLE, "is behind a proxy that asks for a password, which is not sent"),
}


def format_duration(seconds: float) -> str:
    """Format a time span for people, rounded up: ``25 seconds``, ``4 minutes``, ``7 hours``."""
    if seconds <= 90:
        return format_count(math.ceil(max(seconds, 1)), "second")
    minutes = math.ceil(seconds / 60)
    return (
        format_count(minutes, "minute") if minutes <= 90 else format_count(math.ceil(seconds / 3600), "hour")
    )
