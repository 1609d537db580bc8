"""Who may connect and how much they may say: decided on values, without sockets or clocks.

``realtime.server`` asks before it accepts a connection. The token travels in a header, never in an
address, for addresses end up in logs and histories.
"""

from __future__ import annotations

import hmac
import json
from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from realtime.controls import UNTRUSTED
from realtime.protocol.messages import VERSION
from realtime.settings import is_loopback

PROTOCOL = f"overheard.{VERSION}"
"""The websocket subprotocol that this server speaks."""
TOKEN_PREFIX = "overheard.token."
"""A browser cannot set headers, so its token comes as a second subprotocol."""

WHERE_THE_TOKEN_BELONGS = (
    "the token does not belong in the address, where logs keep it; send it as the header "
    f"'Authorization: Bearer TOKEN' or as the subprotocols '{PROTOCOL}, {TOKEN_PREFIX}TOKEN'"
)


@dataclass(frozen=True, slots=True)
class Knock:
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
class Rules:
    """Web ``origins`` that may connect, the ``token`` (empty: none is needed), ``max_clients`` at once.

    Whoever shows the ``control_token``, or the token where one is set, is trusted: they may change what is
    listened to and read the history. With neither nobody is.
    """

    origins: Collection[str] = ()
    token: str = ""
    max_clients: int = 64
    control_token: str = ""


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why not: an HTTP ``status``, a ``reason`` to count by, and one ``sentence`` for whoever asked."""

    status: int
    reason: str
    sentence: str


def refuse_client(knock: Knock, rules: Rules, clients: int) -> Refusal | None:
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
    if refusal := _refuse_origin(knock, rules) or _refuse_secret_in_target(knock):
        return refusal
    if not knows_token(knock, rules):
        return Refusal(
            401,
            "token",
            "this analyzer wants its token, and the one sent is missing or wrong; send the header "
            f"'Authorization: Bearer TOKEN' or the subprotocols '{PROTOCOL}, {TOKEN_PREFIX}TOKEN'",
        )
    offered = [name for name in knock.subprotocols if not name.startswith(TOKEN_PREFIX)]
    if knock.subprotocols and PROTOCOL not in offered:
        said = ", ".join(offered)[:200] or "none"
        return Refusal(
            400,
            "version",
            f"this server speaks {PROTOCOL}; the client offered {said}; install the same version",
        )
    if clients >= rules.max_clients:
        return Refusal(
            503,
            "full",
            f"{rules.max_clients} clients are connected already, which is the limit; --max-clients raises it",
        )
    return None


def refuse_page(
    knock: Knock, rules: Rules, *, needs_token: bool, needs_trust: bool = False
) -> Refusal | None:
    """Why this page of ours may not be read; None when it may.

    Without a token the server is for this machine alone; then a foreign host name means that a web
    page had its own name point here (DNS rebinding) to read what the browser would not show it.
    """
    if refusal := _refuse_origin(knock, rules) or _refuse_secret_in_target(knock):
        return refusal
    if needs_token and not knows_token(knock, rules):
        return Refusal(
            401, "token", "this page wants the token; send the header 'Authorization: Bearer TOKEN'"
        )
    if needs_trust and not is_trusted(knock, rules):
        return Refusal(401, "token", f"send the header 'Authorization: Bearer TOKEN': {UNTRUSTED}")
    if not rules.token and not all(is_loopback(_host_name(host)) for host in knock.hosts):
        return Refusal(403, "host", "without a token this page answers to localhost and 127.0.0.1 only")
    return None


def offered_protocols(headers: Iterable[str]) -> tuple[str, ...]:
    """The names in the values of ``Sec-WebSocket-Protocol`` headers, in order."""
    names = (name.strip(" \t") for header in headers for name in header.split(","))
    return tuple(name for name in names if name)


def parse_subscribe(request: str | bytes) -> bool | None:
    """Whether spectrum is wanted; None for anything but the schema's ``subscribe`` as text."""
    if isinstance(request, bytes):
        return None
    try:
        fields: Any = json.loads(request)
    except (ValueError, RecursionError):  # a kilobyte of opening brackets is enough for the latter
        return None
    if not isinstance(fields, dict) or fields.keys() != {"type", "spectrum"} or fields["type"] != "subscribe":
        return None
    wanted = fields["spectrum"]
    return wanted if isinstance(wanted, bool) else None


class TokenBucket:
    """Lets ``burst`` through at once and ``per_second`` after that; time comes from outside.

    Parameters
    ----------
    burst : float
        How much fits.
    per_second : float
        How fast it fills again.
    now : float
        Seconds on any clock that only rises; the bucket begins full.
    """

    def __init__(self, burst: float, per_second: float, now: float) -> None:
        self._burst = burst
        self._per_second = per_second
        self._left = burst
        self._at = now

    def take(self, now: float, amount: float = 1.0) -> bool:
        """Whether that much may pass now; what may not pass costs nothing."""
        self._left = min(self._burst, self._left + max(0.0, now - self._at) * self._per_second)
        self._at = max(self._at, now)
        if amount > self._left:
            return False
        self._left -= amount
        return True


class RefusalLog:
    """Turns refusals into few lines: the first at once, then one for each span, with counts.

    Parameters
    ----------
    every_seconds : float
        The least time between two lines.
    """

    def __init__(self, every_seconds: float = 5.0) -> None:
        self._every_seconds = every_seconds
        self._untold: Counter[str] = Counter()
        self._told_at = float("-inf")

    def add(self, reason: str, now: float) -> str | None:
        """Count one; return the line to log, if it is time for one."""
        self._untold[reason] += 1
        return self.rest(now) if now - self._told_at >= self._every_seconds else None

    def rest(self, now: float) -> str | None:
        """What has been counted since the last line, if anything."""
        if not self._untold:
            return None
        counts = ", ".join(f"{reason} {count}" for reason, count in sorted(self._untold.items()))
        line = f"connections refused or ended since the last such line: {self._untold.total()} ({counts})"
        self._untold.clear()
        self._told_at = now
        return line


def _refuse_origin(knock: Knock, rules: Rules) -> Refusal | None:
    """A browser lets a page of any site open a websocket to this machine; programs send no Origin."""
    if not knock.origins or (len(knock.origins) == 1 and knock.origins[0] in rules.origins):
        return None
    return Refusal(
        403,
        "origin",
        "web pages of this origin may not connect; --allow-origin on the analyzer's side names one that may",
    )


def _refuse_secret_in_target(knock: Knock) -> Refusal | None:
    query = knock.target.partition("?")[2]
    if any(name.lower() in ("token", "access_token") for name, _ in parse_qsl(query, keep_blank_values=True)):
        return Refusal(400, "token_in_address", WHERE_THE_TOKEN_BELONGS)
    return None


def knows_token(knock: Knock, rules: Rules) -> bool:
    """Whether it shows the token; nobody needs to where there is none."""
    return not rules.token or _shows(knock, rules.token)


def is_trusted(knock: Knock, rules: Rules) -> bool:
    """Whether it shows the token by which trusted clients are known, which there may be none of."""
    secret = rules.token or rules.control_token
    return bool(secret) and _shows(knock, secret)


def _shows(knock: Knock, secret: str) -> bool:
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
