"""Bounded queue of messages for one client of the websocket."""

from __future__ import annotations

import asyncio


class ClientOutbox:
    """Messages that wait for one client: the newest one of each source and type.

    A slow client therefore costs a few messages and the responses to its requests, and never delays other
    clients.

    Parameters
    ----------
    is_privileged : bool
        The client may select sources and read the history.

    Attributes
    ----------
    wants_spectrum : bool
        The client has subscribed to spectrum messages.
    """

    def __init__(self, *, is_privileged: bool = False) -> None:
        self.wants_spectrum = False
        self.is_privileged = is_privileged
        self._waiting: dict[tuple[str, str], str] = {}
        self._filled = asyncio.Event()

    def __len__(self) -> int:
        return len(self._waiting)

    def put(self, source: str, kind: str, text: str) -> None:
        """Add a message, which replaces a waiting one of the same source and type."""
        self._waiting.pop((source, kind), None)  # the new message goes to the end, so that seq only rises
        self._waiting[source, kind] = text
        self._filled.set()

    async def take(self) -> str:
        """Wait for a message and remove the oldest one."""
        while not self._waiting:
            self._filled.clear()
            await self._filled.wait()
        return self._waiting.pop(next(iter(self._waiting)))
