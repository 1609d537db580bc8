"""The command ``overheard``: finds a subcommand by name, runs it, turns faults into one sentence."""

from __future__ import annotations

import io
import logging
import sys
from collections.abc import Sequence
from importlib.metadata import EntryPoint, entry_points, version

from models.errors import OverheardError

GROUP = "overheard.commands"
EXIT_FAULT = 2

USAGE = "usage: overheard COMMAND [OPTION ...]"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one subcommand.

    Parameters
    ----------
    arguments : sequence of str
        Without the program's name; ``sys.argv`` otherwise.

    Returns
    -------
    int
        Exit code: 0, also when listening was stopped; 2 for a fault that was explained; 130 when
        Ctrl-C broke something else off.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # file names may hold what a terminal cannot show
    words = list(sys.argv[1:] if arguments is None else arguments)
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    logging.getLogger("websockets").setLevel(logging.CRITICAL)  # each refused handshake is a traceback
    if words[:1] == ["--version"]:
        print(f"overheard {version('overheard')}")
        return 0
    commands = {entry.name: entry for entry in entry_points(group=GROUP)}
    if not words or words[0] in ("-h", "--help"):
        print(_help(commands))
        return 0 if words else EXIT_FAULT
    entry = commands.get(words[0])
    if entry is None:
        print(f"overheard: no command {words[0]!r}; there are {', '.join(sorted(commands))}", file=sys.stderr)
        return EXIT_FAULT
    try:
        return int(entry.load()(words[1:]))
    except OverheardError as error:
        print(f"overheard {entry.name}: {error}", file=sys.stderr)
        return EXIT_FAULT
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        sys.stderr.close()  # whoever read our output has left; Python would complain while exiting
        return 0


def _help(commands: dict[str, EntryPoint]) -> str:
    """One line a command: the first of its docstring."""
    lines = [USAGE, "", "commands:"]
    for name, entry in sorted(commands.items()):
        summary = (entry.load().__doc__ or "").strip().splitlines()[0].split("``: ")[-1]
        lines.append(f"  {name:<11}{summary}")
    return "\n".join(
        [*lines, "", "overheard COMMAND --help tells more; overheard --version which one this is"]
    )


if __name__ == "__main__":
    sys.exit(main())
