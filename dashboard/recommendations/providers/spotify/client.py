"""Songs from Spotify's search, the one part of its interface that every new app may use.

The terms allow a short memory and no more: what was found is kept for at most an hour, in memory only
(``spotify_pages.py``).
Answers are never training data. Credentials and tokens stay inside spotipy's objects; its logger, which
would print them, is kept quiet.

The timeouts of ``requests`` count from byte to byte: a server that sends a byte now and then holds a search
beyond its deadline. ``BackgroundProvider`` then answers with what was found before.
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
from dashboard.recommendations.providers.http_json import in_words
from dashboard.recommendations.providers.search_terms import spotify_market
from dashboard.recommendations.providers.spotify.page_cache import (
    PAGE,
    PAGES_EACH,
    PageCache,
    PageKey,
    ResultPage,
    after,
)
from dashboard.recommendations.providers.spotify.parsing import at, read_track, search_text
from models.common.concurrency import parse_retry_after

if TYPE_CHECKING:
    import requests

PAGES_A_SEARCH: Final = 2 * PAGES_EACH
MARGIN_SECONDS: Final = 0.08
"""How long before the deadline it is given up, so that what was found before still is told in time."""

BYTES_MAX: Final = 4_000_000
WAIT_MAX_SECONDS: Final = 7 * 86_400

_LOG = logging.getLogger(__name__)


@dataclass(slots=True)
class _RequestContext:
    """What is known of the requests of one search."""

    deadline: float
    sent: int = 0
    status: int | None = None
    retry_after: str = ""
    for_token: bool = False
    report: Callable[[], None] = lambda: None
    """Called when a request is sent: until its answer comes, this is what the search has."""


@dataclass(frozen=True, slots=True)
class _Fault:
    status: Status
    detail: str
    retry_at: datetime | None = None
    renew: bool = False
    """A new token may help."""


_LATE: Final = _Fault(Status.TIMEOUT, "It did not answer in time.")


class SpotifyProvider:
    """Asks Spotify's search.

    Parameters
    ----------
    client_id, client_secret : str
        Of the app; empty ones make it answer ``OFF``.
    clock : Clock
    base_url, token_url : str
        Of the interface, without ``/v1``, and of the token endpoint.
    session : requests.Session, optional
        Belongs to the provider from then on; its own if not given.
    jitter : callable
        From 0 to 1; spreads the next request where Spotify did not say how long to wait.

    Notes
    -----
    Safe to share between threads: one search at a time, the others wait, at most until their deadline.
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
        # Behind a function, so that no representation of this object shows them.
        self._credentials: Callable[[], tuple[str, str]] = lambda: (client_id.strip(), client_secret.strip())
        self._clock = clock
        self._prefix = base_url.rstrip("/") + "/v1/"
        self._token_url = token_url
        self._session = session
        self._jitter = jitter
        self._client: Any = None
        self._flight = SingleFlight(clock)
        self._here = threading.local()
        self._pages = PageCache(clock)

    @property
    def name(self) -> str:
        """What a person calls it."""
        return "Spotify"

    def search(self, query: TrackQuery, deadline: float, interim: Interim = ignore) -> ProviderResult:
        """Answer before ``deadline``, in seconds of the clock; never raises for a remote fault."""
        identity, secret = self._credentials()
        if not identity or not secret:
            return ProviderResult(status=Status.OFF, detail="There are no client id and secret for it.")
        if not (identity + secret).isascii():
            return ProviderResult(status=Status.AUTH, detail="The client id or secret has odd characters.")
        interim(ProviderResult(status=_LATE.status, detail=_LATE.detail))
        with self._flight.hold("search", deadline - MARGIN_SECONDS) as mine:
            if not mine:
                return ProviderResult(status=Status.TIMEOUT, detail="An earlier search took all the time.")
            return self._search(query, _RequestContext(deadline), interim)

    def _search(self, query: TrackQuery, errand: _RequestContext, interim: Interim) -> ProviderResult:
        """Walk the pages, those of the last hour without asking, from where the last answer ended."""
        self._pages.forget_old()
        place, spare = self._pages.begin(query)
        found: list[Track] = []
        seen: set[str] = set()
        fault, asked = None, 0

        def report() -> None:
            interim(self._result(tuple(found[spare:]), place.keywords, _LATE, errand.sent))

        errand.report = report
        while not place.ended and len(found) < spare + query.limit:
            page = self._pages.page(query, place)
            if page is None:
                if asked == PAGES_A_SEARCH:
                    break
                asked += 1
                answer = self._page(query, place, errand)
                if isinstance(answer, _Fault):
                    fault = answer
                    break
                page = self._read(query, place, answer)
            taken = page.tracks[place.skip :][: spare + query.limit - len(found)]
            for rank, track in enumerate(taken, start=place.told):
                if track.provider_id not in seen:
                    seen.add(track.provider_id)
                    found.append(replace(track, rank=rank))
            place = after(place, page, len(taken))
        if fault:
            _LOG.warning("Spotify: %s. %s", fault.status.value, fault.detail)
        if self._clock.monotonic() < errand.deadline:  # else another search may be at work already
            self._pages.stand(query, place)
        return self._result(tuple(found[spare:]), place.keywords, fault, errand.sent)

    def _result(
        self, tracks: tuple[Track, ...], keywords: bool, fault: _Fault | None, sent: int
    ) -> ProviderResult:
        relaxed = frozenset({Relaxed.GENRE} if keywords and tracks else ())
        if fault:
            return ProviderResult(
                tracks, fault.status, fault.retry_at, relaxed, detail=fault.detail, calls=sent
            )
        detail = "" if tracks else "It found no such song."
        if relaxed:
            detail = "It knows no artist of this genre; these were found by keywords."
        status = Status.OK if tracks else Status.EMPTY
        return ProviderResult(tracks, status, None, relaxed, sent == 0, detail, sent)

    def _page(self, query: TrackQuery, place: PageKey, errand: _RequestContext) -> dict[str, Any] | _Fault:
        """One page; a token that was refused is renewed once, a broken connection tried once more."""
        text = search_text(query, self._clock.now().date(), keywords=place.keywords)
        market = spotify_market(query.language)
        renewed = retried = False
        while True:
            answer = self._ask(errand, text, market, place.offset)
            if isinstance(answer, _Fault):
                if answer.renew and not renewed:
                    renewed = True
                    self._client.auth_manager.cache_handler.save_token_to_cache(None)
                    continue
                if answer.status is Status.UNREACHABLE and answer.retry_at is None and not retried:
                    retried = True
                    continue
                return answer
            page = at(answer, "tracks")
            if isinstance(page, dict) and isinstance(page.get("items"), list):
                return page
            return _Fault(Status.BAD_ANSWER, "It sent something that is no list of songs.")

    def _read(self, query: TrackQuery, place: PageKey, answer: dict[str, Any]) -> ResultPage:
        """Keep the songs of a page that fit."""
        today = self._clock.now().date()
        fitting: dict[str, Track] = {}
        for item in answer["items"]:
            if track := read_track(item, query, today):
                fitting.setdefault(track.provider_id, track)
        last = not (answer["items"] and answer.get("next"))
        return self._pages.keep(query, place, tuple(fitting.values()), last)

    def _left(self, deadline: float) -> float:
        return min(max(0.0, deadline - MARGIN_SECONDS - self._clock.monotonic()), 60.0)

    def _ask(self, errand: _RequestContext, text: str, market: str | None, offset: int) -> object:
        """Send one request."""
        left = self._left(errand.deadline)
        if not left:
            return _LATE
        errand.status, errand.retry_after, errand.for_token = None, "", False
        self._here.errand = errand
        try:
            answer: object = self._ready(left).search(text, PAGE, offset, "track", market)
        except Exception as error:  # whatever it is, the page gets a status
            answer = self._fault(errand, error)
        return answer if self._clock.monotonic() < errand.deadline else _LATE

    def _ready(self, seconds: float) -> Any:
        """The client of spotipy; made at the first request, as its import takes a while."""
        import requests
        import spotipy

        for name in ("spotipy", "spotipy.client", "spotipy.oauth2"):
            # Below WARNING it prints credentials, above that it repeats whatever the server wrote.
            logging.getLogger(name).setLevel(logging.CRITICAL)
        if self._client is None:
            session = self._session or requests.Session()
            session.auth = self._count
            session.max_redirects = 0  # the token goes nowhere else
            session.hooks["response"].append(self._receive)
            identity, secret = self._credentials()
            manager = spotipy.SpotifyClientCredentials(
                identity, secret, requests_session=session, cache_handler=spotipy.MemoryCacheHandler()
            )
            manager.OAUTH_TOKEN_URL = self._token_url
            # A session of one's own gets no retrying adapter, which would sleep as long as Retry-After says.
            client = spotipy.Spotify(auth_manager=manager, requests_session=session)
            client.prefix = self._prefix
            self._client = client
        self._client.requests_timeout = self._client.auth_manager.requests_timeout = seconds
        return self._client

    def _count(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        """Called with each request; being there, it also keeps a ``.netrc`` from replacing the token."""
        errand: _RequestContext = self._here.errand
        errand.sent += 1
        errand.report()
        return request

    def _receive(self, response: requests.Response, **_: object) -> None:
        """Note how a request ended, and read its body: not for ever, and not without end."""
        import requests

        errand: _RequestContext = self._here.errand
        errand.status = response.status_code
        errand.retry_after = response.headers.get("Retry-After", "")
        errand.for_token = response.url.startswith(self._token_url)
        body = bytearray()
        for piece in response.iter_content(1024):
            body += piece
            if self._clock.monotonic() >= errand.deadline:
                raise requests.ReadTimeout("the answer is too slow")
            if len(body) > BYTES_MAX:
                raise ValueError(f"the answer is longer than {BYTES_MAX} bytes")
        response._content = bytes(body)  # where requests would have put it

    def _fault(self, errand: _RequestContext, error: Exception) -> _Fault:
        """What the page is told; nothing of the error's text is, which may hold anything."""
        import requests

        code = errand.status
        if isinstance(error, requests.Timeout) or self._clock.monotonic() >= errand.deadline:
            return _LATE
        if isinstance(error, requests.ConnectionError | requests.exceptions.ChunkedEncodingError):
            return _Fault(Status.UNREACHABLE, "It cannot be reached.")
        if code is None or code < 400:
            _LOG.debug("Spotify's answer led to a %s", type(error).__name__)
            return _Fault(Status.BAD_ANSWER, "It sent an answer that cannot be read.")
        retry_at = self._retry_at(errand.retry_after)
        if code == 429:
            quota = getattr(error, "reason", None) == "QUOTA_EXCEEDED"
            first = 3600.0 if quota else 30.0
            retry_at = retry_at or self._clock.now() + timedelta(seconds=first * (1 + self._jitter()))
            why = "The account's quota is used up" if quota else "Too many requests were sent"
            status = Status.QUOTA if quota else Status.RATE_LIMITED
            again = in_words((retry_at - self._clock.now()).total_seconds())
            return _Fault(status, f"{why}; it is asked again in {again}.", retry_at)
        if code >= 500:
            return _Fault(Status.UNREACHABLE, f"It is out of order at the moment (error {code}).", retry_at)
        if errand.for_token and code in (400, 401, 403):
            return _Fault(Status.AUTH, "It refuses the client id and secret; check both.")
        if code == 401:
            return _Fault(Status.AUTH, "It refuses its own access token.", renew=True)
        if code == 403:
            if "premium" in str(getattr(error, "msg", "")).lower():
                why = "It refuses to answer: the owner of the app needs Spotify Premium."
                return _Fault(Status.PREMIUM, why)
            return _Fault(Status.FORBIDDEN, "It refuses to answer: the app may not search.")
        return _Fault(Status.BAD_REQUEST, f"It did not understand the request (error {code}).")

    def _retry_at(self, header: str) -> datetime | None:
        """Time from which Retry-After lets the next request be sent; None if there is no such header."""
        now = self._clock.now()
        seconds = parse_retry_after(header, now.timestamp())
        return None if seconds is None else now + timedelta(seconds=min(max(seconds, 1), WAIT_MAX_SECONDS))
