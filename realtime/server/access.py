"""Access rules for websocket clients and HTTP pages, decided on values without sockets or clocks.

``realtime.server.http`` applies the rules before a connection is accepted. The token is sent in a header,
never in an address, because addresses end up in logs and histories.
"""

from __future__ import annotations

import hmac
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from urllib.parse import parse_qsl

from models.common.text import format_count
from models.common.web_requests import is_allowed_host
from realtime.protocol.messages import VERSION
from realtime.server.requests import UNPRIVILEGED

PROTOCOL = f"overheard.{VERSION}"
"""Websocket subprotocol of this server."""
TOKEN_PREFIX = "overheard.token."
"""Prefix of a subprotocol that holds the token. Browsers use it, because they cannot set headers."""

TOKEN_USAGE = (
    "the token does not belong in the address, where logs keep it; send it as the header "
    f"'Authorization: Bearer TOKEN' or as the subprotocols '{PROTOCOL}, {TOKEN_PREFIX}TOKEN'"
)


@dataclass(frozen=True, slots=True)
class HandshakeRequest:
    """Target of a request, and every value of the headers that the access rules read."""

    target: str
    origins: tuple[str, ...] = ()
    authorizations: tuple[str, ...] = ()
    subprotocols: tuple[str, ...] = ()
    hosts: tuple[str, ...] = ()

    @property
    def path(self) -> str:
        """Target without its query."""
        return self.target.partition("?")[0]


@dataclass(frozen=True, slots=True)
class AccessPolicy:
    """Rules for the clients that may connect and for those that are privileged.

    Privileged clients may select sources and read the history. Their token is ``token``, or ``control_token``
    if ``token`` is empty. If both are empty, no client is privileged.

    Attributes
    ----------
    origins : collection of str
        Web origins that may connect.
    token : str
        Token that every client must send. If empty, no token is needed to connect.
    max_clients : int
        Largest number of clients at the same time.
    control_token : str
        Token of privileged clients, used if ``token`` is empty.
    """

    origins: Collection[str] = ()
    token: str = ""
    max_clients: int = 64
    control_token: str = ""


@dataclass(frozen=True, slots=True)
class Rejection:
    """Rejection of a request, with its reason.

    Attributes
    ----------
    status : int
        HTTP status.
    reason : str
        Short name for counters and log lines.
    sentence : str
        Explanation for the client.
    """

    status: int
    reason: str
    sentence: str


def reject_client(request: HandshakeRequest, policy: AccessPolicy, clients: int) -> Rejection | None:
    """Check if a websocket client may connect.

    Parameters
    ----------
    request : HandshakeRequest
    policy : AccessPolicy
    clients : int
        Number of connected clients.

    Returns
    -------
    Rejection or None
        None if the client may connect.
    """
    if rejection := _reject_origin(request, policy) or _reject_secret_in_target(request):
        return rejection
    if not has_valid_token(request, policy):
        return Rejection(
            401,
            "token",
            "this analyzer requires its token, which is missing or wrong; send the header "
            f"'Authorization: Bearer TOKEN' or the subprotocols '{PROTOCOL}, {TOKEN_PREFIX}TOKEN'",
        )
    offered = [name for name in request.subprotocols if not name.startswith(TOKEN_PREFIX)]
    if request.subprotocols and PROTOCOL not in offered:
        names = ", ".join(offered)[:200] or "none"
        return Rejection(
            400,
            "version",
            f"this analyzer speaks version {VERSION} of the protocol ({PROTOCOL}), and the client "
            f"offered {names}; install the same version of Overheard on both sides",
        )
    if clients >= policy.max_clients:
        return Rejection(
            503,
            "full",
            f"the limit of {format_count(policy.max_clients, 'client')} is reached; --max-clients raises it",
        )
    return None


def reject_page(
    request: HandshakeRequest, policy: AccessPolicy, *, needs_token: bool, needs_privilege: bool = False
) -> Rejection | None:
    """Check if a client may read an HTTP page of this server.

    Without a token the server is for this machine alone. A foreign host name then means DNS rebinding, as
    ``models.common.web_requests`` explains.

    Parameters
    ----------
    request : HandshakeRequest
    policy : AccessPolicy
    needs_token : bool
        The page requires the token, if the policy has one.
    needs_privilege : bool
        The page is for privileged clients.

    Returns
    -------
    Rejection or None
        None if the client may read the page.
    """
    if rejection := _reject_origin(request, policy) or _reject_secret_in_target(request):
        return rejection
    if needs_token and not has_valid_token(request, policy):
        return Rejection(
            401, "token", "this page requires the token; send the header 'Authorization: Bearer TOKEN'"
        )
    if needs_privilege and not is_privileged(request, policy):
        return Rejection(401, "token", f"send the header 'Authorization: Bearer TOKEN': {UNPRIVILEGED}")
    if not policy.token and request.hosts and not is_allowed_host(request.hosts):
        return Rejection(403, "host", "without a token this page is served to localhost and 127.0.0.1 only")
    return None


def parse_subprotocols(headers: Iterable[str]) -> tuple[str, ...]:
    """Return the names in the values of ``Sec-WebSocket-Protocol`` headers, in order."""
    names = (name.strip(" \t") for header in headers for name in header.split(","))
    return tuple(name for name in names if name)


def _reject_origin(request: HandshakeRequest, policy: AccessPolicy) -> Rejection | None:
    """Reject web pages of other origins, which browsers allow to connect. Programs send no Origin header."""
    if not request.origins or (len(request.origins) == 1 and request.origins[0] in policy.origins):
        return None
    return Rejection(
        403,
        "origin",
        "web pages of this origin may not connect; --allow-origin on the analyzer's side names one that may",
    )


def _reject_secret_in_target(request: HandshakeRequest) -> Rejection | None:
    query = request.target.partition("?")[2]
    if any(name.lower() in ("token", "access_token") for name, _ in parse_qsl(query, keep_blank_values=True)):
        return Rejection(400, "token_in_address", TOKEN_USAGE)
    return None


def has_valid_token(request: HandshakeRequest, policy: AccessPolicy) -> bool:
    """Return True if the request has the token, or if the policy requires no token."""
    return not policy.token or _has_secret(request, policy.token)


def is_privileged(request: HandshakeRequest, policy: AccessPolicy) -> bool:
    """Return True if the request has the token of privileged clients, and the policy has such a token."""
    secret = policy.token or policy.control_token
    return bool(secret) and _has_secret(request, secret)


def _has_secret(request: HandshakeRequest, secret: str) -> bool:
    tokens = [
        name.removeprefix(TOKEN_PREFIX) for name in request.subprotocols if name.startswith(TOKEN_PREFIX)
    ]
    for value in request.authorizations:
        scheme, _, credentials = value.partition(" ")
        if scheme.lower() == "bearer":
            tokens.append(credentials.strip())
    # The time of an ordinary comparison would reveal how much of a guess is right.
    return any(hmac.compare_digest(token.encode(), secret.encode()) for token in tokens)
