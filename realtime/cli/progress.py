"""Progress of a command on standard error: a bar on a terminal, else lines in the log or nothing."""

from __future__ import annotations

import contextlib
import logging
import sys
import time
from collections.abc import Callable, Iterator

logger = logging.getLogger(__name__)

LOG_SECONDS = 60.0
"""Seconds between two lines in the log."""

Advance = Callable[[float, float | None], None]
"""Called with what is done, and with all that is to do or None if that is unknown."""


@contextlib.contextmanager
def show_progress(
    name: str, *, wanted: bool = True, counted: bool = True, logged: bool = False
) -> Iterator[Advance]:
    """Yield a function that shows how far the work of the block is.

    Parameters
    ----------
    name : str
        What is worked on.
    wanted : bool
        Whether anything is shown.
    counted : bool
        Whether the bar shows numbers, which is useful if things are counted and not seconds.
    logged : bool
        Whether a line a minute is logged if standard error is not a terminal.
    """
    if wanted and sys.stderr.isatty():
        with _bar(name, counted=counted) as advance:
            yield advance
    elif wanted and logged:
        yield LoggedProgress(name).advance
    else:
        yield lambda done, total: None


@contextlib.contextmanager
def _bar(name: str, *, counted: bool) -> Iterator[Advance]:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    numbers = [MofNCompleteColumn()] if counted else []
    columns = TextColumn("{task.description}", markup=False), BarColumn(), *numbers, TimeRemainingColumn()
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(name, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


class LoggedProgress:
    """Progress as lines of the log, at most one in ``interval_seconds``."""

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
        """Log how much is done, if the last line is old enough."""
        if self._monotonic() - self._logged_at >= self._interval_seconds:
            self._logged_at = self._monotonic()
            logger.info("%d of %s %s", done, "?" if total is None else f"{total:.0f}", self._name)
