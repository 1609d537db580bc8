"""Notifiers with short pauses, and a password that the log must not contain."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from realtime.clock import SystemClock
from realtime.config import OutputSettings
from realtime.outputs.notifier import GenreNotifier
from tests.support.waiting import at_most

SECRET = "geheim-p@ss/word"
QUOTED_SECRET = "geheim-p%40ss%2Fword"
"""The password as part of an address."""


@contextmanager
def notifier_factory() -> Iterator[Callable[..., GenreNotifier]]:
    """Yield a function that starts notifiers. Each must close within two seconds at the end of the block."""
    started: list[GenreNotifier] = []

    def start(retry_seconds: float = 0.02, **settings: str) -> GenreNotifier:
        started.append(GenreNotifier(OutputSettings(**settings), SystemClock(), retry_seconds=retry_seconds))
        return started[-1]

    yield start
    for outputs in started:
        with at_most(2):
            outputs.close()
