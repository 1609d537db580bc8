"""Interfaces through which the server carries out the controls of privileged clients."""

from __future__ import annotations

from typing import Protocol

from realtime.protocol.messages import SourcesMessage
from realtime.protocol.requests import HistoryControl, Outcome, SourceControl

UNPRIVILEGED = (
    "only clients with the control token may do this; set OVERHEARD_TOKEN to the same secret for the "
    "analyzer and the dashboard, or start both with `overheard run`"
)
NO_HISTORY = "the history is off; --history auto on the analyzer's side keeps one"


class SourceController(Protocol):
    """Control of the analyzed sources. All methods are called on the server's event loop."""

    async def control(self, control: SourceControl) -> Outcome:
        """Carry out a control.

        Raises
        ------
        OverheardError
            If it cannot be done. A ``RequestError`` also has the code.
        """
        ...

    def sources_message(self) -> SourcesMessage:
        """Build the message of the available sources."""
        ...


class HistoryEndpoint(Protocol):
    """Access of clients to the history. Both methods block and are called on threads of their own."""

    def read_document(self, rest: str) -> tuple[int, str]:
        """Return HTTP status and JSON of ``/history`` (empty ``rest``) or of the session of that number."""
        ...

    def handle_control(self, control: HistoryControl) -> Outcome:
        """Carry out a control.

        Raises
        ------
        OverheardError
            If it cannot be done. A ``RequestError`` also has the code.
        """
        ...
