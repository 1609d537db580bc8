"""Songs from Spotify's search, the only part of Spotify's API that is used.

Spotify's terms allow a short-lived cache only. Results are kept for at most an hour, in memory only
(``page_cache.py``). Responses are never used for training. Credentials and tokens stay inside the objects of
spotipy. The logger of spotipy would print them and is silenced.

Each byte restarts a timeout of ``requests``, so that a slow server may exceed the deadline of a search.
``BackgroundProvider`` then returns the songs found until then.
"""

from __future__ import annotations

import logging
import random
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from dashboard.recommendations.domain.tracks import Relaxed, Track, TrackQuery
from dashboard.recommendations.providers.base import Clock, Interim, ProviderResult, Status, ignore
from dashboard.recommendations.providers.cache import SingleFlight
from dashboard.recommendations.providers.http_json import describe_unreachable, format_duration, make_session
from dashboard.recommendations.providers.search_terms import spotify_market
from dashboard.recommendations.providers.spotify.page_cache import (
    MAX_EMPTY_PAGES,
    PAGE,
    PageCache,
    ResultPage,
    SearchPosition,
    next_position,
)
from dashboard.recommendations.providers.spotify.parsing import get_path, parse_track, search_text
from models.common.concurrency import parse_retry_after
from models.common.proxies import find_proxy

if TYPE_CHECKING:
    import requests

MAX_PAGES_PER_SEARCH: Final = 2 * MAX_EMPTY_PAGES
"""Maximum number of pages that one search fetches."""
MARGIN_SECONDS: Final = 0.08
"""Seconds before the deadline at which a search ends, so that its songs still arrive in time."""

MAX_RESPONSE_BYTES: Final = 4_000_000
"""Maximum length of a response in bytes. A request with a longer response fails."""
MAX_RETRY_AFTER_SECONDS: Final = 7 * 86_400
"""Maximum wait in seconds that Retry-After may demand, a week."""

_LOG = logging.getLogger(__name__)


@dataclass(slots=True)
class _RequestContext:
    """State of the requests of one search."""

    deadline: float
    sent: int = 0
    status: int | None = None
    retry_after: str = ""
    for_token: bool = False
    report: Callable[[], None] = lambda: None
    """Called when a request is sent, to report the songs found until then."""


@dataclass(frozen=True, slots=True)
class _Fault:
    """Reason why a request failed."""

    status: Status
    detail: str
    retry_at: datetime | None = None
    renew: bool = False
    """True if a new token may help."""


_LATE: Final = _Fault(Status.TIMEOUT, "did not answer in time")


class SpotifyProvider:
    """Client of Spotify's search.

    Parameters
    ----------
    client_id, client_secret : str
        Credentials of the app. If one is empty, every result has the status ``OFF``.
    clock : Clock
    base_url, token_url : str
        Address of the API, without ``/v1``, and of the token endpoint.
    session : requests.Session, optional
        Session that the provider owns from then on. By default the provider creates a session.
    jitter : callable
        Returns a random number in 0..1, which spreads the next request if Spotify names no waiting time.

    Notes
    -----
    Thread-safe. One search runs at a time. Other searches wait, at most until their deadlines.
    """

    def __init__(
        self,
        client_id: str,
        client_secret: str,
        clock: Clock,
        *,
        base_url: str = "https://api.spotify.com",
        token_url: str = "https://accounts.spotify.com/api/token",
        session: requests.Session | None = None,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        # A function hides the credentials from representations of this object.
        self._credentials: Callable[[], tuple[str, str]] = lambda: (client_id.strip(), client_secret.strip())
        self._clock = clock
        self._prefix = base_url.rstrip("/") + "/v1/"
        self._token_url = token_url
        self._session = session
        self._jitter = jitter
        self._client: Any = None
        self._flight = SingleFlight(clock)
        self._local = threading.local()
        self._pages = PageCache(clock)

    @property
    def name(self) -> str:
        """Name of the provider as the page shows it."""
        return "Spotify"

    def search(self, query: TrackQuery, deadline: float, interim: Interim = ignore) -> ProviderResult:
        """Return songs before ``deadline``, in seconds of the clock. Remote errors are never raised."""
        client_id, secret = self._credentials()
        if not client_id or not secret:
            return ProviderResult(status=Status.OFF, detail="has no client id and secret")
        if not (client_id + secret).isascii():
            return ProviderResult(
                status=Status.AUTH, detail="has a client id or secret with invalid characters"
            )
        interim(ProviderResult(status=_LATE.status, detail=_LATE.detail))
        with self._flight.hold("search", deadline - MARGIN_SECONDS) as acquired:
            if not acquired:
                return ProviderResult(status=Status.TIMEOUT, detail="was busy with an earlier search")
            return self._search(query, _RequestContext(deadline), interim)

    def _search(self, query: TrackQuery, context: _RequestContext, interim: Interim) -> ProviderResult:
        """Read the result pages from the last position. Pages of the last hour come from the cache."""
        self._pages.evict_expired()
        position, spare = self._pages.find_start(query)
        found: list[Track] = []
        seen: set[str] = set()
        fault, fetched = None, 0

        def report() -> None:
            interim(self._result(tuple(found[spare:]), position.keywords, _LATE, context.sent))

        context.report = report
        while not position.ended and len(found) < spare + query.limit:
            page = self._pages.get(query, position)
            if page is None:
                if fetched == MAX_PAGES_PER_SEARCH:
                    break
                fetched += 1
                answer = self._fetch_page(query, position, context)
                if isinstance(answer, _Fault):
                    fault = answer
                    break
                page = self._parse_page(query, position, answer)
            taken = page.tracks[position.skip :][: spare + query.limit - len(found)]
            for rank, track in enumerate(taken, start=position.returned):
                if track.provider_id not in seen:
                    seen.add(track.provider_id)
                    found.append(replace(track, rank=rank))
            position = next_position(position, page, len(taken))
        if fault:
            _LOG.warning("Spotify %s (%s)", fault.detail, fault.status.value)
        if self._clock.monotonic() < context.deadline:  # otherwise another search may have started
            self._pages.save_position(query, position)
        return self._result(tuple(found[spare:]), position.keywords, fault, context.sent)

    def _result(
        self, tracks: tuple[Track, ...], keywords: bool, fault: _Fault | None, sent: int
    ) -> ProviderResult:
        relaxed = frozenset({Relaxed.GENRE} if keywords and tracks else ())
        if fault:
            return ProviderResult(
                tracks, fault.status, fault.retry_at, relaxed, detail=fault.detail, calls=sent
            )
        detail = "" if tracks else "found no matching songs"
        if relaxed:
            detail = "knows no artist of this genre; these songs were found by keywords"
        status = Status.OK if tracks else Status.EMPTY
        return ProviderResult(tracks, status, None, relaxed, sent == 0, detail, sent)

    def _fetch_page(
        self, query: TrackQuery, position: SearchPosition, context: _RequestContext
    ) -> dict[str, Any] | _Fault:
        """Fetch one page. A rejected token is renewed once, and a broken connection is retried once."""
        text = search_text(query, self._clock.now().date(), keywords=position.keywords)
        market = spotify_market(query.language)
        renewed = retried = False
        while True:
            answer = self._send(context, text, market, position.offset)
            if isinstance(answer, _Fault):
                if answer.renew and not renewed:
                    renewed = True
                    self._client.auth_manager.cache_handler.save_token_to_cache(None)
                    continue
                if answer.status is Status.UNREACHABLE and answer.retry_at is None and not retried:
                    retried = True
                    continue
                return answer
            page = get_path(answer, "tracks")
            if isinstance(page, dict) and isinstance(page.get("items"), list):
                return page
            return _Fault(Status.BAD_ANSWER, "sent an answer without a list of songs")

    def _parse_page(self, query: TrackQuery, position: SearchPosition, answer: dict[str, Any]) -> ResultPage:
        """Parse the matching songs of a page and cache them."""
        today = self._clock.now().date()
        fitting: dict[str, Track] = {}
        for item in answer["items"]:
            if track := parse_track(item, query, today):
                fitting.setdefault(track.provider_id, track)
        last = not (answer["items"] and answer.get("next"))
        return self._pages.put(query, position, tuple(fitting.values()), last)

    def _remaining_seconds(self, deadline: float) -> float:
        return min(max(0.0, deadline - MARGIN_SECONDS - self._clock.monotonic()), 60.0)

    def _send(self, context: _RequestContext, text: str, market: str | None, offset: int) -> object:
        """Send one request."""
        remaining = self._remaining_seconds(context.deadline)
        if not remaining:
            return _LATE
        context.status, context.retry_after, context.for_token = None, "", False
        self._local.context = context
        try:
            answer: object = self._prepared_client(remaining).search(text, PAGE, offset, "track", market)
        except Exception as error:  # any error becomes a status for the page
            answer = self._classify_error(context, error)
        return answer if self._clock.monotonic() < context.deadline else _LATE

    def _prepared_client(self, seconds: float) -> Any:
        """Return the client of spotipy. The first request creates it, since importing spotipy is slow."""
        import spotipy

        for name in ("spotipy", "spotipy.client", "spotipy.oauth2"):
            # Below WARNING the logger prints credentials. From WARNING on it repeats text of the server.
            logging.getLogger(name).setLevel(logging.CRITICAL)
        if self._client is None:
            session = self._session or make_session(self._prefix, self._token_url)
            session.auth = self._on_request
            session.max_redirects = 0  # a redirect would carry the token elsewhere
            session.hooks["response"].append(self._on_response)
            client_id, secret = self._credentials()
            manager = spotipy.SpotifyClientCredentials(
                client_id, secret, requests_session=session, cache_handler=spotipy.MemoryCacheHandler()
            )
            manager.OAUTH_TOKEN_URL = self._token_url
            # For a given session, spotipy adds no adapter that sleeps for the time in Retry-After.
            client = spotipy.Spotify(auth_manager=manager, requests_session=session)
            client.prefix = self._prefix
            self._client = client
        self._client.requests_timeout = self._client.auth_manager.requests_timeout = seconds
        return self._client

    def _on_request(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        """Count a request before it is sent.

        As the ``auth`` hook of the session, this method also keeps ``.netrc`` from replacing the token if the
        session is not of this module.
        """
        context: _RequestContext = self._local.context
        context.sent += 1
        context.report()
        return request

    def _on_response(self, response: requests.Response, **_: object) -> None:
        """Record the outcome of a request, and read its body within the time and size limits."""
        import requests

        context: _RequestContext = self._local.context
        context.status = response.status_code
        context.retry_after = response.headers.get("Retry-After", "")
        context.for_token = response.url.startswith(self._token_url)
        body = bytearray()
        for piece in response.iter_content(1024):
            body += piece
            if self._clock.monotonic() >= context.deadline:
                raise requests.ReadTimeout("the answer is too slow")
            if len(body) > MAX_RESPONSE_BYTES:
                raise ValueError(f"the answer is longer than {MAX_RESPONSE_BYTES} bytes")
        response._content = bytes(body)  # the attribute that requests fills itself

    def _classify_error(self, context: _RequestContext, error: Exception) -> _Fault:
        """Return the fault for an error. The text of the error is not used, since it is untrusted."""
        import requests

        code = context.status
        if isinstance(error, requests.Timeout) or self._clock.monotonic() >= context.deadline:
            return _LATE
        if isinstance(error, requests.ConnectionError | requests.exceptions.ChunkedEncodingError):
            proxy = None if self._session else find_proxy(self._prefix)
            return _Fault(Status.UNREACHABLE, describe_unreachable(proxy.name if proxy else ""))
        if code is None or code < 400:
            _LOG.debug("Spotify's answer led to a %s", type(error).__name__)
            return _Fault(Status.BAD_ANSWER, "sent an answer that cannot be read")
        retry_at = self._retry_at(context.retry_after)
        if code == 429:
            quota = getattr(error, "reason", None) == "QUOTA_EXCEEDED"
            first = 3600.0 if quota else 30.0
            retry_at = retry_at or self._clock.now() + timedelta(seconds=first * (1 + self._jitter()))
            why = "has no quota left" if quota else "received too many requests"
            status = Status.QUOTA if quota else Status.RATE_LIMITED
            again = format_duration((retry_at - self._clock.now()).total_seconds())
            return _Fault(status, f"{why}; the next request is in {again}", retry_at)
        if code >= 500:
            return _Fault(Status.UNREACHABLE, f"is out of order at the moment (HTTP {code})", retry_at)
        if context.for_token and code in (400, 401, 403):
            return _Fault(Status.AUTH, "rejected the client id and secret; check both")
        if code == 401:
            return _Fault(Status.AUTH, "rejected its own access token", renew=True)
        if code == 403:
            if "premium" in str(getattr(error, "msg", "")).lower():
                why = "rejected the search, because the owner of the app needs Spotify Premium"
                return _Fault(Status.PREMIUM, why)
            return _Fault(Status.FORBIDDEN, "rejected the search, because the app may not search")
        return _Fault(Status.BAD_REQUEST, f"did not understand the request (HTTP {code})")

    def _retry_at(self, header: str) -> datetime | None:
        """Return the time at which Retry-After allows the next request, or None without the header."""
        now = self._clock.now()
        seconds = parse_retry_after(header, now.timestamp())
        return (
            None
            if seconds is None
            else now + timedelta(seconds=min(max(seconds, 1), MAX_RETRY_AFTER_SECONDS))
        )
