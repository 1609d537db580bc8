"""Set up child processes that analyze audio for a parent process."""

from __future__ import annotations

import json
import logging
import os
import signal
from typing import TextIO

from models.common.logs import configure_logging
from realtime.config import AnalysisSettings


def bootstrap_child(settings_json: str) -> tuple[TextIO, AnalysisSettings]:
    """Prepare this process to write results to its parent through the standard output.

    Everything that other code prints goes to standard error.

    Parameters
    ----------
    settings_json : str
        ``AnalysisSettings`` as JSON.

    Returns
    -------
    output : TextIO
        File of the original standard output.
    settings : AnalysisSettings
    """
    # Ctrl-C reaches all processes of the terminal. The parent ends the child.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    output = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    configure_logging(logging.ERROR)
    return output, AnalysisSettings.from_dict(json.loads(settings_json))
