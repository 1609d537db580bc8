"""Access rules of the page, decided on the headers of a request without sockets.

The page holds the analyzer's token and shows the history. The rules therefore keep out web sites of foreign
names (DNS rebinding) and of other origins, everyone without the key if there is one, and else other users of
this machine.
"""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass

from models.common.text import clean_text, shorten
from models.common.web_requests import is_allowed_host, is_same_origin

MAX_SHOWN_LETTERS = 100
"""Letters of a foreign name that are repeated in the response to it."""

HEALTH_PATH = "/_stcore/health"
"""Path for monitors. It says only that the server runs, so it needs no key."""


@dataclass(frozen=True, slots=True)
class PageRequest:
    """Headers of a request, with every value of a repeated header, and the user who sent it.

    Attributes
    ----------
    user : int or None
        System user of the client. None if the client is on another machine or its user is unknown.
    """

    path: str
    hosts: tuple[str, ...] = ()
    origins: tuple[str, ...] = ()
    authorizations: tuple[str, ...] = ()
    cookies: tuple[str, ...] = ()
    user: int | None = None


@dataclass(frozen=True, slots=True)
class PageRejection:
    """HTTP status of a rejected request and an explanation for the person at the browser."""

    status: int
    sentence: str


@dataclass(frozen=True, slots=True)
class PagePolicy:
    """Rules for the requests that reach the page.

    Attributes
    ----------
    port : int
        Port of the page, which is part of the cookie's name. Cookies do not distinguish ports.
    allowed_hosts : frozenset of str
        Names under which the page may be opened besides the loopback names.
    any_address : bool
        True if the page is served to all networks, where every address of this machine is allowed.
    key : str
        Secret that opens the page, empty for none.
    own_user : int or None
        System user who may open a page without a key, besides the administrator. None for all users.
    """

    port: int
    allowed_hosts: frozenset[str] = frozenset()
    any_address: bool = False
    key: str = ""
    own_user: int | None = None

    @property
    def cookie_name(self) -> str:
        """Name of the cookie that proves the key."""
        return f"overheard_key_{self.port}"

    @property
    def cookie_value(self) -> str:
        """Value of the cookie. The key cannot be computed from this value."""
        return hmac.new(self.key.encode(), b"cookie of the page", hashlib.sha256).hexdigest()

    def reject_foreign(self, request: PageRequest) -> PageRejection | None:
        """Return the rejection of a request from a foreign web site, or None for other requests."""
        if not is_allowed_host(request.hosts, self.allowed_hosts, any_address=self.any_address):
            name = shorten(clean_text(", ".join(request.hosts)), MAX_SHOWN_LETTERS) or "no name"
            return PageRejection(
                403,
                f"this page is not served under {name}; open http://127.0.0.1:{self.port} on its machine, or "
                "start the page with --allow-host and the name, without a port",
            )
        if not is_same_origin(request.origins, request.hosts):
            return PageRejection(
                403,
                "web pages of other origins may not use this page; a proxy in front of it has to pass on the "
                "header 'Host' unchanged",
            )
        return None

    def reject_stranger(self, request: PageRequest) -> PageRejection | None:
        """Return the rejection of a request without the key or from another user, or None."""
        if request.path == HEALTH_PATH or self.is_authorized(request):
            return None
        if self.key:
            return PageRejection(
                401, "this page needs its key; open it in a browser or send 'Authorization: Bearer KEY'"
            )
        return PageRejection(
            403,
            "this page belongs to another user of this machine; if that user sets OVERHEARD_PAGE_KEY, "
            "everyone with that key can open the page",
        )

    def is_authorized(self, request: PageRequest) -> bool:
        """Return True if the request proves the key or, without a key, comes from the page's own user."""
        if not self.key:
            return self.own_user is None or request.user in (0, self.own_user)
        bearers = [
            credentials.strip()
            for scheme, _, credentials in (value.partition(" ") for value in request.authorizations)
            if scheme.lower() == "bearer"
        ]
        return any(map(self.is_key, bearers)) or any(
            hmac.compare_digest(value.encode(), self.cookie_value.encode())
            for value in _read_cookies(request.cookies, self.cookie_name)
        )

    def is_key(self, text: str) -> bool:
        """Return True if the text is the key. The time of the comparison reveals nothing of the key."""
        return bool(self.key) and hmac.compare_digest(text.encode(), self.key.encode())


def _read_cookies(headers: tuple[str, ...], name: str) -> list[str]:
    """Return the values of a cookie. ``SimpleCookie`` would drop all cookies after a malformed one."""
    pairs = (pair.strip().partition("=") for header in headers for pair in header.split(";"))
    return [value for key, _, value in pairs if key == name]
