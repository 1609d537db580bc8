"""Who may connect and how much they may say: decided on values, without sockets or clocks.

``realtime.server.websocket`` asks before it accepts a connection. The token travels in a header, never in an
address, for addresses end up in logs and histories.
"""

from __future__ import annotations

import hmac
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from urllib.parse import parse_qsl, urlsplit

from models.common.urls import is_loopback
from realtime.protocol.messages import VERSION
from realtime.server.requests import UNPRIVILEGED

PROTOCOL = f"overheard.{VERSION}"
"""The websocket subprotocol that this server speaks."""
TOKEN_PREFIX = "overheard.token."
"""A browser cannot set headers, so its token comes as a second subprotocol."""

TOKEN_USAGE = (
    "the token does not belong in the address, where logs keep it; send it as the header "
    f"'Authorization: Bearer TOKEN' or as the subprotocols '{PROTOCOL}, {TOKEN_PREFIX}TOKEN'"
)


@dataclass(frozen=True, slots=True)
class HandshakeRequest:
    """What a request says of itself: its target and every value of the headers that matter here."""

    target: str
    origins: tuple[str, ...] = ()
    authorizations: tuple[str, ...] = ()
    subprotocols: tuple[str, ...] = ()
    hosts: tuple[str, ...] = ()

    @property
    def path(self) -> str:
        """The target without its query."""
        return self.target.partition("?")[0]


@dataclass(frozen=True, slots=True)
class AccessPolicy:
    """Web ``origins`` that may connect, the ``token`` (empty: none is needed), ``max_clients`` at once.

    Whoever shows the ``control_token``, or the token where one is set, is trusted: they may change what is
    listened to and read the history. With neither nobody is.
    """

    origins: Collection[str] = ()
    token: str = ""
    max_clients: int = 64
    control_token: str = ""


@dataclass(frozen=True, slots=True)
class Rejection:
    """Why not: an HTTP ``status``, a ``reason`` to count by, and one ``sentence`` for whoever asked."""

    status: int
    reason: str
    sentence: str


def reject_client(knock: HandshakeRequest, rules: AccessPolicy, clients: int) -> Rejection | None:
    """Why this websocket may not be opened; None when it may.

    Parameters
    ----------
    knock : Knock
        The request.
    rules : Rules
        Who may connect.
    clients : int
        How many are connected.
    """
    if refusal := _reject_origin(knock, rules) or _reject_secret_in_target(knock):
        return refusal
    if not has_valid_token(knock, rules):
        return Rejection(
            401,
            "token",
            "this analyzer wants its token, and the one sent is missing or wrong; send the header "
            f"'Authorization: Bearer TOKEN' or the subprotocols '{PROTOCOL}, {TOKEN_PREFIX}TOKEN'",
        )
    offered = [name for name in knock.subprotocols if not name.startswith(TOKEN_PREFIX)]
    if knock.subprotocols and PROTOCOL not in offered:
        said = ", ".join(offered)[:200] or "none"
        return Rejection(
            400,
            "version",
            f"this analyzer speaks version {VERSION} of the protocol ({PROTOCOL}), and the client "
            f"offered {said}; install the same version of Overheard on both sides",
        )
    if clients >= rules.max_clients:
        return Rejection(
            503,
            "full",
            f"{rules.max_clients} clients are connected already, which is the limit; --max-clients raises it",
        )
    return None


def reject_page(
    knock: HandshakeRequest, rules: AccessPolicy, *, needs_token: bool, needs_trust: bool = False
) -> Rejection | None:
    """Why this page of ours may not be read; None when it may.

    Without a token the server is for this machine alone; then a foreign host name means that a web
    page had its own name point here (DNS rebinding) to read what the browser would not show it.
    """
    if refusal := _reject_origin(knock, rules) or _reject_secret_in_target(knock):
        return refusal
    if needs_token and not has_valid_token(knock, rules):
        return Rejection(
            401, "token", "this page wants the token; send the header 'Authorization: Bearer TOKEN'"
        )
    if needs_trust and not is_privileged(knock, rules):
        return Rejection(401, "token", f"send the header 'Authorization: Bearer TOKEN': {UNPRIVILEGED}")
    if not rules.token and not all(is_loopback(_host_name(host)) for host in knock.hosts):
        return Rejection(403, "host", "without a token this page answers to localhost and 127.0.0.1 only")
    return None


def offered_protocols(headers: Iterable[str]) -> tuple[str, ...]:
    """The names in the values of ``Sec-WebSocket-Protocol`` headers, in order."""
    names = (name.strip(" \t") for header in headers for name in header.split(","))
    return tuple(name for name in names if name)


def _reject_origin(knock: HandshakeRequest, rules: AccessPolicy) -> Rejection | None:
    """A browser lets a page of any site open a websocket to this machine; programs send no Origin."""
    if not knock.origins or (len(knock.origins) == 1 and knock.origins[0] in rules.origins):
        return None
    return Rejection(
        403,
        "origin",
        "web pages of this origin may not connect; --allow-origin on the analyzer's side names one that may",
    )


def _reject_secret_in_target(knock: HandshakeRequest) -> Rejection | None:
    query = knock.target.partition("?")[2]
    if any(name.lower() in ("token", "access_token") for name, _ in parse_qsl(query, keep_blank_values=True)):
        return Rejection(400, "token_in_address", TOKEN_USAGE)
    return None


def has_valid_token(knock: HandshakeRequest, rules: AccessPolicy) -> bool:
    """Whether it shows the token; nobody needs to where there is none."""
    return not rules.token or _presents_secret(knock, rules.token)


def is_privileged(knock: HandshakeRequest, rules: AccessPolicy) -> bool:
    """Whether it shows the token by which trusted clients are known, which there may be none of."""
    secret = rules.token or rules.control_token
    return bool(secret) and _presents_secret(knock, secret)


def _presents_secret(knock: HandshakeRequest, secret: str) -> bool:
    shown = [name.removeprefix(TOKEN_PREFIX) for name in knock.subprotocols if name.startswith(TOKEN_PREFIX)]
    for value in knock.authorizations:
        scheme, _, credentials = value.partition(" ")
        if scheme.lower() == "bearer":
            shown.append(credentials.strip())
    # Compared in constant time, or the time an answer takes would tell how much of a guess is right.
    return any(hmac.compare_digest(guess.encode(), secret.encode()) for guess in shown)


def _host_name(host: str) -> str:
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:  # brackets that do not close
        return ""
