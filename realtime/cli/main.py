"""Entry point of ``overheard``: run a command, and report an error as one sentence."""

from __future__ import annotations

import atexit
import contextlib
import errno
import io
import logging
import os
import sys
import threading
from collections.abc import Sequence
from importlib import import_module
from typing import NamedTuple, NoReturn

from models.common.logs import configure_logging
from models.common.text import escape_control, find_nearest
from models.errors import OverheardError

EXIT_ERROR = 2
EXIT_INTERRUPTED = 130

WRITE_ERRORS = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO)
"""System errors of a full or broken disk."""

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
        Command("similar", "dashboard.cli.similar", "Find tracks of the library that sound alike"),
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


MEMORY_IS_FULL = "the memory of this machine, or the memory that this program may use, is full"
SIGNS_OF_FULL_MEMORY = ("failed to map segment", "Cannot allocate memory", "can't start new thread")
"""Parts of the errors that a library which cannot be loaded, or a thread that cannot be started, raises."""


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
    argv = list(sys.argv[1:] if arguments is None else arguments)
    name = f"overheard {argv[0]}" if argv and argv[0] in _modules() else "overheard"
    open_missing_streams()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # File names may contain characters that the terminal cannot show.
            stream.reconfigure(errors="backslashreplace")
    configure_logging(logging.INFO)
    logging.getLogger("websockets").setLevel(logging.CRITICAL)  # it logs a traceback per failed handshake
    error: str
    try:
        code = _run(argv)
        sys.stdout.flush()  # here, where an error can be reported
        return code
    except OverheardError as failure:
        error = str(failure)
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED
    except BrokenPipeError:
        _discard_output()
        return 0
    except MemoryError:
        error = MEMORY_IS_FULL
    except (ImportError, RuntimeError) as failure:
        if not any(sign in str(failure) for sign in SIGNS_OF_FULL_MEMORY):
            raise
        error = MEMORY_IS_FULL
    except OSError as failure:
        error = _describe_os_error(failure)
    _print_error(f"{name}: {error}")
    return EXIT_ERROR


def run_program() -> NoReturn:
    """Run the command of this process, and end the process with the exit code.

    Threads may still wait for an address or a driver. Python would end the program around them, and native
    libraries would report the objects that the threads hold as leaks. The process then ends without that.
    """
    code = main()
    others = [thread for thread in threading.enumerate() if thread is not threading.main_thread()]
    if others and all(thread.daemon for thread in others):
        atexit._run_exitfuncs()
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(OSError):
                stream.flush()
        os._exit(code)
    sys.exit(code)


def _run(argv: Sequence[str]) -> int:
    """Run the command, or print the help or the version, and return the exit code."""
    if not argv or argv[0] in ("-h", "--help"):
        print(format_help())
        return 0 if argv else EXIT_ERROR
    if argv[0] in ("-V", "--version"):
        from importlib.metadata import version

        print(f"overheard {version('overheard')}")
        return 0
    modules = _modules()
    if argv[0] not in modules:
        raise OverheardError(_describe_unknown(argv[0], sorted(modules)))
    try:
        return int(import_module(modules[argv[0]]).command(argv[1:]))
    except SystemExit as end:  # argparse ends --help in this way
        return end.code if isinstance(end.code, int) else EXIT_ERROR


def _modules() -> dict[str, str]:
    return {command.name: command.module for group in COMMANDS.values() for command in group}


def open_missing_streams() -> None:
    """Open the null device in place of standard streams that the caller has closed.

    Otherwise the next file that the program opens, such as the history, would get the number of a standard
    stream, and libraries would print into it.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)  # gets the lowest free number
    for name in ("stdin", "stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, "r" if name == "stdin" else "w"))


def _describe_os_error(error: OSError) -> str:
    """Describe an error of the system in one sentence, without a traceback."""
    reason = error.strerror or str(error)
    if error.filename:
        return f"{error.filename}: {reason}"
    # Writing to an open file or to the standard output raises errors without a name.
    return f"the output cannot be written: {reason}" if error.errno in WRITE_ERRORS else reason


def _discard_output() -> None:
    """Write the rest of the output to the null device, so that Python reports no error at the exit."""
    with contextlib.suppress(OSError, ValueError):
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, sys.stdout.fileno())
        os.close(null)


def _print_error(text: str) -> None:
    try:
        sys.stdout.flush()
    except OSError:
        _discard_output()
    with contextlib.suppress(OSError):  # nobody reads the errors either
        print(escape_control(text), file=sys.stderr, flush=True)


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
