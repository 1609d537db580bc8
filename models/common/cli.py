"""Command-line parsing with errors of one sentence, and a switch for the noise of native libraries."""

from __future__ import annotations

import argparse
import contextlib
import os
import re
import shutil
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NoReturn

from models.common.text import find_nearest
from models.errors import OverheardError

HELP_COLUMN = 30
"""Largest column at which the help texts of options start."""

MIN_NAME_COLUMN = 16
"""Smallest width of the column of names. Argparse forgets that names of subcommands are indented."""

MAX_HELP_WIDTH = 110
"""Characters of a line of ``--help`` on a wide terminal."""


class UsageError(OverheardError):
    """Command-line arguments that a command does not accept."""


class ArgumentParser(argparse.ArgumentParser):
    """Parser that raises an error of one sentence, and whose help ends with examples.

    Options cannot be abbreviated, so that a new option never changes what an old command line means.

    Parameters
    ----------
    examples : sequence of (str, str)
        Command lines, each with what it does.
    **options
        As ``argparse.ArgumentParser`` takes them. ``usage`` shows no options unless it is given.
    """

    def __init__(self, *, examples: Sequence[tuple[str, str]] = (), **options: Any) -> None:
        options.setdefault("usage", "%(prog)s [OPTION ...]")
        super().__init__(formatter_class=_HelpFormatter, allow_abbrev=False, **options)
        self._examples = examples

    def format_help(self) -> str:
        """Return the help text with the examples at its end."""
        if not self._examples:
            return super().format_help()
        width = max(len(line) for line, _ in self._examples)
        lines = [f"  {line:<{width}}  # {what}" for line, what in self._examples]
        return "\n".join([super().format_help(), "examples:", *lines, ""])

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """Parse all arguments. Unknown arguments are errors of the command that they belong to.

        Raises
        ------
        UsageError
            If an argument is unknown, missing or invalid.
        """
        namespace, unknown = super().parse_known_args(args, namespace)
        if unknown:
            option = next((word for word in unknown if word.startswith("-")), None)
            if option is None:
                self.error(f"unexpected argument {unknown[0]!r}")
            self.error(f"unknown option {option}", option.partition("=")[0], self._option_string_actions)
        return namespace, unknown

    def error(self, message: str, wrong: str = "", known: Iterable[str] = ()) -> NoReturn:
        """Raise the message, with the word that was perhaps meant.

        Parameters
        ----------
        message : str
        wrong : str
            Word that is not known.
        known : iterable of str
            Words that are known.

        Raises
        ------
        UsageError
            Always.
        """
        if choice := re.search(r"invalid choice: '(.*?)'", message):
            wrong = choice[1]
            known = [str(each) for action in self._actions for each in action.choices or ()]
        meant = find_nearest(wrong, known)
        if meant is None:
            raise UsageError(f"{message}; `{self.prog} --help` describes the command")
        raise UsageError(f"{message.partition(' (choose from')[0]}; did you mean {meant}?")


class _HelpFormatter(argparse.HelpFormatter):
    """Help in columns that suit long names of options."""

    def __init__(self, prog: str, **options: Any) -> None:
        width = min(shutil.get_terminal_size().columns - 2, MAX_HELP_WIDTH)
        super().__init__(prog, max_help_position=HELP_COLUMN, width=width, **options)
        self._action_max_length = MIN_NAME_COLUMN


@contextlib.contextmanager
def silence_stderr() -> Iterator[None]:
    """Discard what C and C++ code writes to standard error while the block runs.

    LiteRT announces its delegate, and ALSA and JACK complain about devices that were not requested. None of
    these libraries offers a switch. Use this for short calls at start-up only, because the lines of other
    threads are lost too.
    """
    try:
        saved = os.dup(2)
    except OSError:  # standard error is closed, so there is nothing to discard
        yield
        return
    try:
        with open(os.devnull, "w") as nowhere:
            os.dup2(nowhere.fileno(), 2)
        yield
    finally:
        os.dup2(saved, 2)
        os.close(saved)
