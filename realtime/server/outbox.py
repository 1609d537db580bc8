"""Bounded queue of messages for one client of the websocket."""

from __future__ import annotations

import asyncio


class ClientOutbox:
    """What waits for one client: the newest message of each source and type, nothing older.

    A slow client therefore costs a handful of messages, and the answers to what it asks, and never delays
    the others.
    """

    def __init__(self, *, trusted: bool = False) -> None:
        self.wants_spectrum = False
        self.trusted = trusted
        self._waiting: dict[tuple[str, str], str] = {}
        self._filled = asyncio.Event()

    def __len__(self) -> int:
        return len(self._waiting)

    def put(self, source: str, kind: str, text: str) -> None:
        """Leave a message; one of the same source and type that still waits is replaced."""
        self._waiting.pop((source, kind), None)  # the new one goes to the end, so that seq only rises
        self._waiting[source, kind] = text
        self._filled.set()

    async def take(self) -> str:
        """Wait until something is there and take the oldest."""
        while not self._waiting:
            self._filled.clear()
            await self._filled.wait()
        return self._waiting.pop(next(iter(self._waiting)))
