"""``overheard completion``: print a script that lets a shell complete commands and options."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from importlib import import_module

from models.common.cli import ArgumentParser
from realtime.cli.main import COMMANDS

SHELLS = ("bash", "zsh", "fish")

COMPLETED_METAVARS = {"FILE": "file", "PLACE": "file", "FOLDER": "directory"}
"""Placeholders of values that a shell completes, with shtab's names of the completions."""


def build_parser() -> ArgumentParser:
    """Return the parser of the command line."""
    parser = ArgumentParser(
        prog="overheard completion",
        usage="%(prog)s SHELL",
        description="Print a script that lets a shell complete the commands and options of overheard.",
        examples=[
            ("overheard completion bash > ~/.local/share/bash-completion/completions/overheard", "bash"),
            ("overheard completion zsh > ~/.zfunc/_overheard", "zsh, with ~/.zfunc in fpath"),
            ("overheard completion fish > ~/.config/fish/completions/overheard.fish", "fish"),
        ],
    )
    parser.add_argument("shell", choices=SHELLS, metavar="SHELL", help=", ".join(SHELLS))
    return parser


def command(arguments: Sequence[str]) -> int:
    """Print the script."""
    options = build_parser().parse_args(arguments)
    import shtab  # only this command needs it

    print(shtab.complete(build_complete_parser(), shell=options.shell))
    return 0


def build_complete_parser() -> argparse.ArgumentParser:
    """Build one parser with all commands and their options, which imports every command."""
    parser = ArgumentParser(prog="overheard")
    parser.add_argument("-V", "--version", action="store_true", help="show the version")
    subparsers = parser.add_subparsers(metavar="COMMAND")
    for each in (command for group in COMMANDS.values() for command in group):
        subparsers.add_parser(each.name, help=each.summary)
        subparsers.choices[each.name] = import_module(each.module).build_parser()
    _mark_paths(parser)
    return parser


def _mark_paths(parser: argparse.ArgumentParser) -> None:
    """Mark the values of a parser and its subparsers that are paths, for shtab."""
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for subparser in action.choices.values():
                _mark_paths(subparser)
        elif action.metavar in COMPLETED_METAVARS:
            action.complete = COMPLETED_METAVARS[action.metavar]  # type: ignore[attr-defined]
