"""Interfaces through which the server carries out the controls of privileged clients."""

from __future__ import annotations

from typing import Protocol

from realtime.protocol.messages import SourcesMessage
from realtime.protocol.requests import HistoryControl, Outcome, SourceControl

UNPRIVILEGED = (
    "this requires the control token; set OVERHEARD_TOKEN to the same secret for the "
    "analyzer and the dashboard, or start both with `overheard run`"
)
"""Error for clients that sent no token or a wrong token."""
NO_HISTORY = "the history is off; start the analyzer with --history auto to record one"
"""Error for controls of the history if nothing is recorded."""


class SourceController(Protocol):
    """Control of the analyzed sources. All methods are called on the server's event loop."""

    async def control(self, control: SourceControl) -> Outcome:
        """Carry out a control.

        Raises
        ------
        OverheardError
            If the control cannot be carried out. A ``RequestError`` also has the code.
        """
        ...

    def sources_message(self) -> SourcesMessage:
        """Build the message of the available sources."""
        ...


class HistoryEndpoint(Protocol):
    """Access of clients to the history. Both methods block, so the server calls them on separate threads."""

    def read_document(self, session: str) -> tuple[int, str]:
        """Return HTTP status and JSON of a session. An empty text means the list of all sessions."""
        ...

    def handle_control(self, control: HistoryControl) -> Outcome:
        """Carry out a control.

        Raises
        ------
        OverheardError
            If the control cannot be carried out. A ``RequestError`` also has the code.
        """
        ...
