"""Configure the log on standard error."""

from __future__ import annotations

import logging
import sys

from models.common.text import escape_control


class LogFormatter(logging.Formatter):
    """Formatter whose lines cannot control the terminal. Many lines have names of stations and files."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the message without control characters, and the traceback if there is one."""
        return escape_control(super().format(record))


def configure_logging(level: int) -> None:
    """Log messages from ``level`` on to standard error, unless logging is configured already."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(LogFormatter("%(message)s"))
    logging.basicConfig(level=level, handlers=[handler])
