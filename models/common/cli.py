"""Command-line parsing with errors of one sentence, and a switch for the noise of native libraries."""

from __future__ import annotations

import argparse
import contextlib
import difflib
import os
import re
from collections.abc import Iterator
from typing import NoReturn

from models.errors import OverheardError


class UsageError(OverheardError):
    """Command-line arguments that a command does not take."""


class ArgumentParser(argparse.ArgumentParser):
    """Parser that raises an exception, where argparse prints its usage and ends the program."""

    def error(self, message: str) -> NoReturn:
        """Raise the message, with the option that was perhaps meant.

        Raises
        ------
        UsageError
            Always.
        """
        known = [name for name in self._option_string_actions if name.startswith("--")]
        strange = [word for word in re.findall(r"--[\w-]+", message) if word not in known]
        meant = difflib.get_close_matches(strange[0], known, 1) if strange else []
        hint = f"; did you mean {meant[0]}?" if meant else ";"
        raise UsageError(f"{message}{hint} `{self.prog} --help` tells more")


@contextlib.contextmanager
def silence_stderr() -> Iterator[None]:
    """Discard what C and C++ code writes to standard error while the block runs.

    LiteRT announces its delegate, and ALSA and JACK complain about devices that nobody asked for. None of
    these libraries offers a switch. Use this for short calls at start-up only, because the lines of other
    threads are lost too.
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
