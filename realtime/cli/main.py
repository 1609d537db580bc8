"""Find the command that was asked for, run it, and report an error as one sentence."""

from __future__ import annotations

import io
import logging
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import NamedTuple

from models.common.text import find_nearest
from models.errors import OverheardError

EXIT_ERROR = 2
EXIT_INTERRUPTED = 130

USAGE = "usage: overheard COMMAND [OPTION ...]"


class Command(NamedTuple):
    """A command: its name, what it does, and its module.

    The module has the functions ``command(arguments)``, which runs it, and ``build_parser()``.
    """

    name: str
    module: str
    summary: str


COMMANDS = {
    "listen and watch": (
        Command("run", "realtime.cli.run", "Analyze what is playing and show it on a page"),
        Command("listen", "realtime.cli.listen", "Analyze sources and serve the estimates, without a page"),
        Command("monitor", "realtime.cli.monitor", "Analyze many radio stations at once"),
        Command("dashboard", "dashboard.cli.dashboard", "Show the page of an analyzer that already runs"),
        Command("devices", "realtime.cli.devices", "List the audio devices"),
        Command("history", "realtime.cli.history", "Show, correct, export or delete recorded sessions"),
    ),
    "files": (
        Command("analyze", "realtime.cli.analyze", "Print the genre over time of audio files"),
        Command("recommend", "dashboard.cli.recommend", "Suggest songs of a genre, or like an audio file"),
    ),
    "music library": (
        Command("library", "realtime.cli.library", "Write the genre of every track to a table"),
    ),
    "model": (
        Command("model", "realtime.cli.model", "Verify the model and describe it"),
        Command("evaluate", "realtime.cli.evaluate", "Measure the model on tracks of known genre"),
        Command("train", "training.cli", "Train the model, from recordings to the released files"),
    ),
    "shell": (
        Command("completion", "realtime.cli.completion", "Print a completion script for bash, zsh or fish"),
    ),
}
"""Commands by the headings of ``overheard --help``. A module is imported only if its command is run."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command.

    Parameters
    ----------
    arguments : sequence of str
        Without the program's name; ``sys.argv`` otherwise.

    Returns
    -------
    int
        Exit code: 0, also if listening was stopped; 2 after an error that was explained; 130 if Ctrl-C
        interrupted another command.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # file names may hold what a terminal cannot show
    words = list(sys.argv[1:] if arguments is None else arguments)
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    logging.getLogger("websockets").setLevel(logging.CRITICAL)  # each refused handshake is a traceback
    if not words or words[0] in ("-h", "--help"):
        print(help_text())
        return 0 if words else EXIT_ERROR
    if words[0] in ("-V", "--version"):
        from importlib.metadata import version

        print(f"overheard {version('overheard')}")
        return 0
    modules = {command.name: command.module for group in COMMANDS.values() for command in group}
    name = words[0]
    if name not in modules:
        print(f"overheard: {_unknown(name, sorted(modules))}", file=sys.stderr)
        return EXIT_ERROR
    try:
        return int(import_module(modules[name]).command(words[1:]))
    except OverheardError as error:
        print(f"overheard {name}: {error}", file=sys.stderr)
        return EXIT_ERROR
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED
    except BrokenPipeError:
        sys.stderr.close()  # the reader of our output has left; Python would complain while exiting
        return 0


def help_text() -> str:
    """Return the commands with what they do, one a line, under their headings."""
    lines = [USAGE]
    width = max(len(command.name) for group in COMMANDS.values() for command in group) + 2
    for title, commands in COMMANDS.items():
        lines += ["", f"{title}:"]
        lines += [f"  {command.name:<{width}}{command.summary}" for command in commands]
    return "\n".join(
        [
            *lines,
            "",
            "options:",
            "  -h, --help     show this text",
            "  -V, --version  show the version",
            "",
            "`overheard COMMAND --help` describes a command and its options.",
        ]
    )


def _unknown(word: str, commands: Sequence[str]) -> str:
    if word.startswith("-"):
        return f"unknown option {word}; `overheard --help` lists the commands"
    meant = find_nearest(word, commands)
    hint = f"did you mean {meant}?" if meant else f"there are {', '.join(commands)}"
    return f"no command {word!r}; {hint}"
