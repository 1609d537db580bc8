"""Read settings: file < environment < command line. Unknown keys are errors.

A key has the same name everywhere: ``half_life_seconds`` in the group ``[smoothing]`` of the TOML file,
``OVERHEARD_HALF_LIFE_SECONDS`` in the environment, ``--half-life-seconds`` as an option.
"""

from __future__ import annotations

import argparse
import os
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import Field, fields, replace
from pathlib import Path
from typing import Any

from models.common.paths import config_folder
from models.common.text import find_nearest
from realtime.config.settings import Settings
from realtime.errors import SettingsError

PREFIX = "OVERHEARD_"
BOOLEANS = dict.fromkeys(("1", "true", "yes", "on"), True) | dict.fromkeys(("0", "false", "no", "off"), False)
FILE_VARIABLE = PREFIX + "CONFIG"
"""Environment variable with the path of the settings file."""

RENAMED = {
    "offer": "allow_source",
    "keep_sound_minutes": "audio_buffer_minutes",
    "give_up_seconds": "reconnect_timeout_seconds",
    "open_browser": "browser",
}
"""Keys of files that were written for older versions, for the error that names today's key."""

ADVANCED = "advanced"

SECTIONS = {
    "source": "source",
    "dashboard": "page",
    "smoothing": "sound",
    "silence": "sound",
    "server": "server",
    "history": "history",
    "outputs": "notifications",
    "model": ADVANCED,
}
"""Heading of each group's options in ``--help``, in the order of the headings."""

MULTILINE = ("source", "allow_source")
"""Settings with line breaks between values in the environment, because device names contain commas."""


def add_options(parser: argparse.ArgumentParser, *names: str) -> None:
    """Add ``--config`` and options for settings, under the headings of ``--help``.

    Parameters
    ----------
    parser : argparse.ArgumentParser
    *names : str
        Groups, for all their settings, and single settings.
    """
    chosen = [(group, each) for group, each in _all_settings() if group in names or each.name in names]
    titles = {SECTIONS[group] for group, each in chosen if not each.metadata["advanced"]} | {ADVANCED}
    sections = {
        title: parser.add_argument_group(title)
        for title in dict.fromkeys(SECTIONS.values())
        if title in titles
    }
    for group, setting in chosen:
        _add_option(sections[ADVANCED if setting.metadata["advanced"] else SECTIONS[group]], setting)
    sections[ADVANCED].add_argument("--config", metavar="FILE", help="settings file (TOML)")


def load(options: argparse.Namespace, environment: Mapping[str, str] = os.environ) -> Settings:
    """Read settings from the file, the environment and the command line, each over the one before.

    Parameters
    ----------
    options : argparse.Namespace
        Of a parser that ``add_options`` prepared.
    environment : mapping
        Usually ``os.environ``.

    Raises
    ------
    SettingsError
        If the file cannot be read, a key is unknown, or a value has the wrong type or is out of range.
    """
    groups: dict[str, dict[str, Any]] = {}
    _read_file(groups, getattr(options, "config", None), environment)
    known = {setting.name: (group, setting) for group, setting in _all_settings()}
    for name, text in environment.items():
        if not name.startswith(PREFIX) or name == FILE_VARIABLE:
            continue
        key = name.removeprefix(PREFIX).lower()
        if key not in known:
            variables = {each: PREFIX + each.upper() for each in known}
            raise SettingsError(f"unknown setting {name} in the environment{_suggest(key, variables)}")
        group, setting = known[key]
        separator = "\n" if key in MULTILINE else ","
        several = isinstance(setting.default, tuple)
        value: Any = [part.strip() for part in text.split(separator)] if several else text
        groups.setdefault(group, {})[key] = _parse(setting, value, name)
    for key, (group, setting) in known.items():
        given = getattr(options, key, None)
        if given is not None:
            groups.setdefault(group, {})[key] = _parse(setting, given, _flag(setting))
    settings = Settings()
    for group, values in groups.items():
        try:
            settings = replace(settings, **{group: replace(getattr(settings, group), **values)})
        except ValueError as error:
            raise SettingsError(str(error)) from error
    return settings


def _all_settings() -> Iterator[tuple[str, Field[Any]]]:
    """Yield the name of its group and the field of every setting."""
    defaults = Settings()
    for group in fields(defaults):
        for setting in fields(getattr(defaults, group.name)):
            yield group.name, setting


def _flag(setting: Field[Any]) -> str:
    return "--" + setting.name.replace("_", "-")


def _add_option(section: argparse._ArgumentGroup, setting: Field[Any]) -> None:
    help_text = f"{setting.metadata['help']}{_default_text(setting)}".replace("%", "%%")
    if isinstance(setting.default, bool):
        section.add_argument(
            _flag(setting), action=argparse.BooleanOptionalAction, default=None, help=help_text
        )
        return
    section.add_argument(
        _flag(setting),
        action="append" if isinstance(setting.default, tuple) else "store",
        metavar=setting.metadata["metavar"] or setting.name.rpartition("_")[2].upper(),
        help=help_text,
    )


def _default_text(setting: Field[Any]) -> str:
    """Return the default in parentheses, or nothing if the default is empty and has no words of its own."""
    default = setting.default
    if setting.metadata["default_text"]:
        text = setting.metadata["default_text"]
    elif isinstance(default, bool):
        text = "yes" if default else "no"
    elif isinstance(default, tuple):
        text = ", ".join(default)
    else:
        text = f"{default:g}" if isinstance(default, float) else str(default)
    return f" (default: {text})" if text else ""


def _read_file(groups: dict[str, dict[str, Any]], option: str | None, environment: Mapping[str, str]) -> None:
    """Read the file named by option or environment, or the one in the usual place if it exists."""
    named = option or environment.get(FILE_VARIABLE)
    path = Path(named) if named else config_folder() / "settings.toml"
    if not named and not os.path.exists(path):  # Path.exists may raise an error
        return
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise SettingsError(f"cannot read the settings file {path}: {error.strerror}") from error
    except ValueError as error:
        raise SettingsError(f"the settings file {path} is not valid TOML: {error}") from error
    known = {(group, setting.name): setting for group, setting in _all_settings()}
    for group, values in content.items():
        if not isinstance(values, dict):
            raise SettingsError(f"{path}: {group!r} stands outside a section such as [source]")
        for key, value in values.items():
            if (group, key) not in known:
                names = {name: f"[{section}] {name}" for section, name in known}
                raise SettingsError(f"{path}: unknown setting {key!r} in [{group}]{_suggest(key, names)}")
            groups.setdefault(group, {})[key] = _parse(known[group, key], value, f"{path}: {key}")


def _suggest(key: str, known: Mapping[str, str]) -> str:
    """Return the rest of a sentence: the setting that was perhaps meant, or all settings."""
    meant = RENAMED.get(key) or find_nearest(key, known, 0.7)
    return f"; did you mean {known[meant]}?" if meant else f"; there are {', '.join(known.values())}"


def _parse(setting: Field[Any], value: Any, where: str) -> Any:
    """Convert a value to the type of the setting's default."""
    wanted: type = type(setting.default)
    try:
        if wanted is tuple:
            return tuple(str(item) for item in ([value] if isinstance(value, str) else value))
        if wanted is bool:
            return value if isinstance(value, bool) else BOOLEANS[str(value).lower()]
        if isinstance(value, bool) or not isinstance(value, (str, int, float)):
            raise ValueError
        if wanted is str and not isinstance(value, str):
            raise ValueError
        if wanted is int and isinstance(value, float):
            raise ValueError
        return wanted(value)
    except (ValueError, TypeError, KeyError) as error:
        raise SettingsError(f"{where} is {value!r}; it must be of type {wanted.__name__}") from error
