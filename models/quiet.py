"""Keeps native libraries' own lines from the terminal."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator


@contextlib.contextmanager
def quiet_stderr() -> Iterator[None]:
    """Discard what C and C++ code writes to standard error meanwhile.

    LiteRT announces its delegate, ALSA and JACK complain of devices that nobody asked for; none of them
    offers a switch. For short calls at start-up only: other threads' lines are lost too.
    """
    try:
        saved = os.dup(2)
    except OSError:  # standard error is closed: nothing can get there
        yield
        return
    try:
        with open(os.devnull, "w") as nowhere:
            os.dup2(nowhere.fileno(), 2)
        yield
    finally:
        os.dup2(saved, 2)
        os.close(saved)
