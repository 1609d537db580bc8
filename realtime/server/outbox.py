"""Bounded queue of messages for one client of the websocket."""

from __future__ import annotations

import asyncio


class ClientOutbox:
    """Queue of messages for one client, with only the newest message of each source and type.

    A slow client therefore never delays other clients, and costs the memory of a few messages and of the
    responses to its requests.

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
        """Add a message, which replaces a waiting message of the same source and type."""
        self._waiting.pop((source, kind), None)  # the new message goes to the end, so that seq only rises
        self._waiting[source, kind] = text
        self._filled.set()

    async def take(self) -> str:
        """Wait until there is a message, and remove the oldest message."""
        while not self._waiting:
            self._filled.clear()
            await self._filled.wait()
        return self._waiting.pop(next(iter(self._waiting)))
