"""Entry point of ``overheard``: run a command, and report an error as one sentence."""

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
    """Name, module and summary of a command.

    The module has the functions ``command(arguments)``, which runs the command, and ``build_parser()``.
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
"""Commands by their headings in ``overheard --help``. A module is imported only if its command is run."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command.

    Parameters
    ----------
    arguments : sequence of str
        Arguments without the program's name. By default those of ``sys.argv``.

    Returns
    -------
    int
        Exit code: 0 after success and after a live command was stopped, 2 after an error that was explained,
        130 if Ctrl-C interrupted another command.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # File names may contain characters that the terminal cannot show.
            stream.reconfigure(errors="backslashreplace")
    argv = list(sys.argv[1:] if arguments is None else arguments)
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    logging.getLogger("websockets").setLevel(logging.CRITICAL)  # it logs a traceback per failed handshake
    if not argv or argv[0] in ("-h", "--help"):
        print(format_help())
        return 0 if argv else EXIT_ERROR
    if argv[0] in ("-V", "--version"):
        from importlib.metadata import version

        print(f"overheard {version('overheard')}")
        return 0
    modules = {command.name: command.module for group in COMMANDS.values() for command in group}
    name = argv[0]
    if name not in modules:
        print(f"overheard: {_describe_unknown(name, sorted(modules))}", file=sys.stderr)
        return EXIT_ERROR
    try:
        return int(import_module(modules[name]).command(argv[1:]))
    except OverheardError as error:
        print(f"overheard {name}: {error}", file=sys.stderr)
        return EXIT_ERROR
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED
    except BrokenPipeError:
        sys.stderr.close()  # otherwise Python would print an error about the closed pipe at exit
        return 0


def format_help() -> str:
    """Format the help of ``overheard`` with all commands and their summaries."""
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


def _describe_unknown(argument: str, commands: Sequence[str]) -> str:
    if argument.startswith("-"):
        return f"unknown option {argument}; `overheard --help` lists the commands"
    nearest = find_nearest(argument, commands)
    hint = f"did you mean {nearest}?" if nearest else f"there are {', '.join(commands)}"
    return f"no command {argument!r}; {hint}"
