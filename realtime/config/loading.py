"""Read settings from a TOML file, the environment and the command line. Unknown keys are errors.

The environment overrides the file, and the command line overrides both. A key has the same name everywhere:
``half_life_seconds`` in the group ``[smoothing]`` of the file, ``OVERHEARD_HALF_LIFE_SECONDS`` in the
environment, ``--half-life-seconds`` as an option.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator, Mapping
from dataclasses import Field, fields, replace
from pathlib import Path
from typing import Any

from models.common.documents import read_toml
from models.common.paths import NoHomeError, config_folder
from models.common.text import MAX_QUOTED_LETTERS, find_nearest, quote, shorten
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
"""Old names of settings, so that the error about an unknown key names the present one."""

ADVANCED = "advanced"
"""Heading of the options that few users need."""

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

NEWLINE_SEPARATED = ("source", "allow_source")
"""Settings with line breaks between values in the environment, because device names contain commas."""


def add_options(parser: argparse.ArgumentParser, *names: str) -> None:
    """Add ``--config`` and options for settings, under the headings of ``--help``.

    Parameters
    ----------
    parser : argparse.ArgumentParser
    *names : str
        Names of single settings, and of groups for all their settings.
    """
    selected = [(group, each) for group, each in _all_settings() if group in names or each.name in names]
    titles = {SECTIONS[group] for group, each in selected if not each.metadata["advanced"]} | {ADVANCED}
    sections = {
        title: parser.add_argument_group(title)
        for title in dict.fromkeys(SECTIONS.values())
        if title in titles
    }
    for group, setting in selected:
        _add_option(sections[ADVANCED if setting.metadata["advanced"] else SECTIONS[group]], setting)
    sections[ADVANCED].add_argument("--config", metavar="FILE", help="settings file (TOML)")


def load(options: argparse.Namespace, environment: Mapping[str, str] = os.environ) -> Settings:
    """Read settings from the file, the environment and the command line, in ascending priority.

    Parameters
    ----------
    options : argparse.Namespace
        Options of a parser that ``add_options`` prepared.
    environment : mapping
        Usually ``os.environ``.

    Raises
    ------
    SettingsError
        If the file cannot be read, a key is unknown, or a value has the wrong type or is out of range.
    """
    groups: dict[str, dict[str, Any]] = {}
    _read_file(groups, getattr(options, "config", None), environment)
    _read_environment(groups, environment)
    _read_options(groups, options)
    settings = Settings()
    for group, values in groups.items():
        try:
            settings = replace(settings, **{group: replace(getattr(settings, group), **values)})
        except ValueError as error:
            raise SettingsError(str(error)) from error
    for group, setting in _all_settings():
        value = getattr(getattr(settings, group), setting.name)
        # No file, device or address has such a name, and the system's errors about it are no sentences.
        if "\0" in "".join(map(str, value if isinstance(value, tuple) else (value,))):
            raise SettingsError(f"{setting.name} must not contain the character NUL")
    return settings


def _read_environment(groups: dict[str, dict[str, Any]], environment: Mapping[str, str]) -> None:
    """Read all variables with the prefix ``PREFIX``, except the one that names the settings file."""
    known = {setting.name: (group, setting) for group, setting in _all_settings()}
    for name, text in environment.items():
        if not name.startswith(PREFIX) or name == FILE_VARIABLE:
            continue
        key = name.removeprefix(PREFIX).lower()
        if key not in known:
            variables = {each: PREFIX + each.upper() for each in known}
            shown = shorten(name, MAX_QUOTED_LETTERS)
            raise SettingsError(f"unknown setting {shown} in the environment{_suggest(key, variables)}")
        group, setting = known[key]
        value: Any = text
        if isinstance(setting.default, tuple):
            separator = "\n" if key in NEWLINE_SEPARATED else ","
            value = [part.strip() for part in text.split(separator)]
        groups.setdefault(group, {})[key] = _parse(setting, value, name)


def _read_options(groups: dict[str, dict[str, Any]], options: argparse.Namespace) -> None:
    for group, setting in _all_settings():
        value = getattr(options, setting.name, None)
        if value is not None:
            groups.setdefault(group, {})[setting.name] = _parse(setting, value, _flag(setting))


def _all_settings() -> Iterator[tuple[str, Field[Any]]]:
    """Yield every setting as the name of its group and its field."""
    defaults = Settings()
    for group in fields(defaults):
        for setting in fields(getattr(defaults, group.name)):
            yield group.name, setting


def _flag(setting: Field[Any]) -> str:
    return "--" + setting.name.replace("_", "-")


def _add_option(section: argparse._ArgumentGroup, setting: Field[Any]) -> None:
    help_text = f"{setting.metadata['help']}{_format_default(setting)}".replace("%", "%%")
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


def _format_default(setting: Field[Any]) -> str:
    """Format the default for ``--help``. The text is empty if the default is empty and not described."""
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
    """Read the file that an option or the environment names, or else the user's file if there is one."""
    named = option or environment.get(FILE_VARIABLE)
    try:
        path = Path(named) if named else config_folder() / "settings.toml"
    except NoHomeError:
        return
    if not named and not os.path.exists(path):  # Path.exists may raise an error
        return
    try:
        content = read_toml(path)
    except OSError as error:
        raise SettingsError(f"cannot read the settings file {path}: {error.strerror}") from error
    except ValueError as error:
        raise SettingsError(f"the settings file {path} is not valid TOML: {error}") from error
    known = {(group, setting.name): setting for group, setting in _all_settings()}
    for group, values in content.items():
        if not isinstance(values, dict):
            raise SettingsError(f"{path}: {quote(group)} stands outside a section such as [source]")
        for key, value in values.items():
            if (group, key) not in known:
                names = {name: f"[{section}] {name}" for section, name in known}
                section = shorten(group, MAX_QUOTED_LETTERS)
                raise SettingsError(
                    f"{path}: unknown setting {quote(key)} in [{section}]{_suggest(key, names)}"
                )
            groups.setdefault(group, {})[key] = _parse(known[group, key], value, f"{path}: {key}")


def _suggest(key: str, known: Mapping[str, str]) -> str:
    """Return the end of an error message: the setting with the most similar name, or all settings."""
    nearest = RENAMED.get(key) or find_nearest(key, known, 0.7)
    return f"; did you mean {known[nearest]}?" if nearest else f"; there are {', '.join(known.values())}"


def _parse(setting: Field[Any], value: Any, where: str) -> Any:
    """Convert a value to the type of the setting's default."""
    target: type = type(setting.default)
    try:
        if target is tuple:
            return tuple(str(item) for item in ([value] if isinstance(value, str) else value))
        if target is bool:
            return value if isinstance(value, bool) else BOOLEANS[str(value).lower()]
        if isinstance(value, bool) or not isinstance(value, (str, int, float)):
            raise ValueError
        if target is str and not isinstance(value, str):
            raise ValueError
        if target is int and isinstance(value, float):
            raise ValueError
        return target(value)
    except (ValueError, TypeError, KeyError) as error:
        raise SettingsError(f"{where} is {quote(value)}; it must be of type {target.__name__}") from error
