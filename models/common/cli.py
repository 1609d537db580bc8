"""Parse command lines with errors of one sentence, and silence the output of native libraries."""

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
"""Last column at which the help texts of options may start."""

MIN_NAME_COLUMN = 16
"""Minimum width of the column of names. Argparse ignores that names of subcommands are indented."""

MAX_HELP_WIDTH = 110
"""Maximum width of ``--help`` in characters, for wide terminals."""


class UsageError(OverheardError):
    """Command-line arguments that a command does not accept."""


class ArgumentParser(argparse.ArgumentParser):
    """Parser that raises an error of one sentence, and whose help ends with examples.

    Options cannot be abbreviated, so that a new option never changes the meaning of an old command line.

    Parameters
    ----------
    examples : sequence of (str, str)
        Command lines, each with a description.
    **options
        Parameters of ``argparse.ArgumentParser``. By default ``usage`` lists no options.
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
        lines = [f"  {line:<{width}}  # {description}" for line, description in self._examples]
        return "\n".join([super().format_help(), "examples:", *lines, ""])

    def print_help(self, file: Any = None) -> None:
        """Print the help text. Argparse itself ignores an output that cannot be written."""
        print(self.format_help(), end="", file=file)

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """Parse all arguments. Unknown arguments are errors of the command that they belong to.

        Raises
        ------
        UsageError
            If an argument is unknown, missing or invalid.
        """
        namespace, unknown = super().parse_known_args(args, namespace)
        if unknown:
            option = next((argument for argument in unknown if argument.startswith("-")), None)
            if option is None:
                self.error(f"unexpected argument {unknown[0]!r}")
            self.error(f"unknown option {option}", option.partition("=")[0], self._option_string_actions)
        return namespace, unknown

    def error(self, message: str, wrong: str = "", known: Iterable[str] = ()) -> NoReturn:
        """Raise an error with the message and the most similar name, if there is one.

        Parameters
        ----------
        message : str
        wrong : str
            Unknown name.
        known : iterable of str
            Known names.

        Raises
        ------
        UsageError
            Always.
        """
        if choice := re.search(r"invalid choice: '(.*?)'", message):
            wrong = choice[1]
            known = [str(each) for action in self._actions for each in action.choices or ()]
        nearest = find_nearest(wrong, known)
        if nearest is None:
            raise UsageError(f"{message}; `{self.prog} --help` describes the command")
        raise UsageError(f"{message.partition(' (choose from')[0]}; did you mean {nearest}?")


class _HelpFormatter(argparse.HelpFormatter):
    """Help formatter with column widths for long names of options."""

    def __init__(self, prog: str, **options: Any) -> None:
        width = min(shutil.get_terminal_size().columns - 2, MAX_HELP_WIDTH)
        super().__init__(prog, max_help_position=HELP_COLUMN, width=width, **options)
        self._action_max_length = MIN_NAME_COLUMN


@contextlib.contextmanager
def silence_stderr() -> Iterator[None]:
    """Discard everything that is written to standard error while the block runs, even by C and C++ code.

    LiteRT prints the name of its delegate, and ALSA and JACK print errors about devices that were not
    requested. None of these libraries has an option to turn this off. Use this function for short calls at
    start-up only, because the output of other threads is lost too.
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
