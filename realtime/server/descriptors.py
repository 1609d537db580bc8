"""Fit the server's connections into the open files that the system allows, and report when none is left."""

from __future__ import annotations

import asyncio
import errno
import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from models.common.descriptors import raise_descriptor_limit
from realtime.server.limits import ServerLimits

logger = logging.getLogger(__name__)

BACKLOGS = 3
"""Accepted connections that may be open besides clients and handshakes, as a multiple of the backlog.

A full backlog is accepted at once, before the handshakes that it displaces are closed.
"""

EXHAUSTED = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)
"""Errors with which the system refuses another connection."""


@dataclass(frozen=True, slots=True)
class ConnectionPlan:
    """Numbers of connections for which there are files.

    Attributes
    ----------
    clients : int
        Clients at a time.
    handshakes : int
        Connections that have not sent a request yet.
    backlog : int
        Connections that the system accepts at once.
    """

    clients: int
    handshakes: int
    backlog: int


def plan_connections(allowed: int | None, max_clients: int, limits: ServerLimits) -> ConnectionPlan:
    """Divide the open files that the system allows.

    Parameters
    ----------
    allowed : int or None
        Number of open files. None if there is no limit.
    max_clients : int
        Clients of the settings.
    limits : ServerLimits
    """
    if allowed is None:
        return ConnectionPlan(max_clients, limits.handshakes, limits.handshakes)
    free = max(4, allowed - limits.other_files)
    clients = min(max_clients, free // 2)
    backlog = min(limits.handshakes, max(1, (free - clients) // (2 * BACKLOGS)))
    handshakes = min(limits.handshakes, max(1, free - clients - BACKLOGS * backlog))
    return ConnectionPlan(clients, handshakes, backlog)


def reserve_connections(max_clients: int, limits: ServerLimits) -> ConnectionPlan:
    """Raise the limit of open files as far as the server needs, and plan the connections.

    A system that allows fewer clients than the settings is logged with the remedy.
    """
    needed = limits.other_files + 2 * max_clients + (1 + BACKLOGS) * limits.handshakes
    allowed = raise_descriptor_limit(needed)
    plan = plan_connections(allowed, max_clients, limits)
    if plan.clients < max_clients:
        logger.warning(
            "the system allows %d open files, so at most %d of %d clients can connect; "
            "raise the limit with ulimit -n %d",
            allowed, plan.clients, max_clients, needed,
        )  # fmt: skip
    return plan


def report_exhaustion(count: Callable[[str, str], None]) -> None:
    """Count connections that the system refuses instead of logging each with a traceback.

    asyncio tries to accept connections again every second. The handler belongs to the running event loop.

    Parameters
    ----------
    count : callable
        Takes the reason for the metrics and a sentence, and logs at most one line every few seconds.
    """

    def handle(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        error = context.get("exception")
        if isinstance(error, OSError) and error.errno in EXHAUSTED:
            count("files", f"{error.strerror}; raise the limit with ulimit -n")
        else:
            loop.default_exception_handler(context)

    asyncio.get_running_loop().set_exception_handler(handle)
