"""Buffer of the last log lines in memory, for the page ``/log``."""

from __future__ import annotations

import json
import logging
import time
from collections import deque
from collections.abc import Collection

from models.common.text import clean_text

MAX_LINES = 200
"""Lines in the buffer. Older lines are dropped."""
MAX_LINE_CHARACTERS = 600
"""Characters of a line after which the line is cut. Names of stations and devices may have any length."""


class LogBuffer(logging.Handler):
    """Logging handler that keeps the last ``MAX_LINES`` lines, without tracebacks.

    The lines may be read on any thread.

    Parameters
    ----------
    secrets : collection of str
        Texts that are replaced in all lines.
    """

    def __init__(self, secrets: Collection[str] = ()) -> None:
        super().__init__(logging.INFO)
        self._secrets = [secret for secret in secrets if secret]
        self._lines: deque[str] = deque(maxlen=MAX_LINES)  # appended whole, read as a copy

    def emit(self, record: logging.LogRecord) -> None:
        """Add a record."""
        try:
            text = record.getMessage()
        except Exception:  # a record with wrong arguments must not stop the code that logs it
            self.handleError(record)
            return
        for secret in self._secrets:
            text = text.replace(secret, "(secret)")
        plain = clean_text(text, replacement="?")[:MAX_LINE_CHARACTERS]
        logged_at = time.strftime("%H:%M:%S", time.localtime(record.created))
        self._lines.append(f"{logged_at} {record.levelname} {plain}")

    def to_json(self) -> str:
        """Encode the lines as JSON, oldest first."""
        return json.dumps({"lines": list(self._lines)})  # ASCII, because lines may hold any characters
