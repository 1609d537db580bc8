"""The last lines of the log, in memory, for the page that shows them."""

from __future__ import annotations

import json
import logging
import time
from collections import deque
from collections.abc import Collection

from models.common.text import clean_text

MAX_LINES = 200
MAX_LINE_CHARACTERS = 600
"""Characters; what a station or a device calls itself may be of any length."""


class LogBuffer(logging.Handler):
    """Keeps the last ``KEPT_LINES`` lines, without tracebacks; may be read from any thread.

    Parameters
    ----------
    secrets : collection of str
        What no line may show, whoever wrote it.
    """

    def __init__(self, secrets: Collection[str] = ()) -> None:
        super().__init__(logging.INFO)
        self._secrets = [secret for secret in secrets if secret]
        self._lines: deque[str] = deque(maxlen=MAX_LINES)  # appended whole, read as a copy

    def emit(self, record: logging.LogRecord) -> None:
        """Take one record in."""
        try:
            said = record.getMessage()
        except Exception:  # a record whose arguments do not fit must not end whoever logged it
            self.handleError(record)
            return
        for secret in self._secrets:
            said = said.replace(secret, "(secret)")
        plain = clean_text(said, replacement="?")[:MAX_LINE_CHARACTERS]
        at = time.strftime("%H:%M:%S", time.localtime(record.created))
        self._lines.append(f"{at} {record.levelname} {plain}")

    def page(self) -> str:
        """The lines as JSON, oldest first."""
        return json.dumps({"lines": list(self._lines)})  # in ASCII: lines may hold anything
