"""Notifiers with short pauses, and a password that no log may contain."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from realtime.clock import SystemClock
from realtime.config import OutputSettings
from realtime.outputs.notifier import GenreNotifier

SECRET = "geheim-p@ss/word"
QUOTED_SECRET = "geheim-p%40ss%2Fword"


@contextmanager
def notifier_factory() -> Iterator[Callable[..., GenreNotifier]]:
    """Yield a factory of notifiers with short pauses, each of which must close within two seconds."""
    started: list[GenreNotifier] = []

    def begin(retry_seconds: float = 0.02, **settings: str) -> GenreNotifier:
        started.append(GenreNotifier(OutputSettings(**settings), SystemClock(), retry_seconds=retry_seconds))
        return started[-1]

    yield begin
    for outputs in started:
        began = time.monotonic()
        outputs.close()
        assert time.monotonic() - began <= 2
