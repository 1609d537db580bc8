"""Start of child processes that analyze audio for a parent."""

from __future__ import annotations

import json
import logging
import os
import signal
from typing import TextIO

from realtime.config import AnalysisSettings


def bootstrap_child(told: str) -> tuple[TextIO, AnalysisSettings]:
    """What a child that hears does first; gives what its parent reads, where nothing else is written.

    Parameters
    ----------
    told : str
        ``AnalysisSettings`` as JSON.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole terminal; the parent ends us
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    logging.basicConfig(level=logging.ERROR, format="%(message)s")
    return answers, AnalysisSettings.from_dict(json.loads(told))
