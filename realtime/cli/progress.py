"""Show the progress of a command on standard error, as a bar on a terminal or as lines in the log."""

from __future__ import annotations

import contextlib
import logging
import sys
import time
from collections.abc import Callable, Iterator

from models.common.text import escape_control

logger = logging.getLogger(__name__)

LOG_SECONDS = 60.0
"""Minimum seconds between two lines in the log."""

Advance = Callable[[float, float | None], None]
"""Function that shows the progress, called with the amount done and the total (None if it is unknown)."""


@contextlib.contextmanager
def show_progress(
    name: str, *, enabled: bool = True, counted: bool = True, logged: bool = False
) -> Iterator[Advance]:
    """Yield a function that shows the progress of the block.

    Parameters
    ----------
    name : str
        Name of the work or of its items.
    enabled : bool
        Show the progress. Otherwise nothing is shown.
    counted : bool
        Show numbers beside the bar. This is useful if items are counted, but not for seconds.
    logged : bool
        Log a line every minute if standard error is not a terminal.
    """
    if enabled and sys.stderr.isatty():
        with _show_bar(name, counted=counted) as advance:
            yield advance
    elif enabled and logged:
        yield LoggedProgress(name).advance
    else:
        yield lambda done, total: None


@contextlib.contextmanager
def _show_bar(name: str, *, counted: bool) -> Iterator[Advance]:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    numbers = [MofNCompleteColumn()] if counted else []
    columns = TextColumn("{task.description}", markup=False), BarColumn(), *numbers, TimeRemainingColumn()
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(escape_control(name), total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


class LoggedProgress:
    """Progress as lines in the log, at most one line in ``interval_seconds``."""

    def __init__(
        self,
        name: str,
        interval_seconds: float = LOG_SECONDS,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._name = name
        self._interval_seconds = interval_seconds
        self._monotonic = monotonic
        self._logged_at = monotonic()

    def advance(self, done: float, total: float | None) -> None:
        """Log the amount done if the last line is older than ``interval_seconds``."""
        if self._monotonic() - self._logged_at >= self._interval_seconds:
            self._logged_at = self._monotonic()
            logger.info("%d of %s %s", done, "?" if total is None else f"{total:.0f}", self._name)
