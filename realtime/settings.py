"""Settings in small frozen groups: file < environment < command line, unknown keys refused.

A key is named the same everywhere: ``half_life_seconds`` in the group ``[smoothing]`` of the TOML
file, ``OVERHEARD_HALF_LIFE_SECONDS`` in the environment, ``--half-life-seconds`` as an option.
"""

from __future__ import annotations

import argparse
import ipaddress
import os
import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import Field, dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from models.classifier import RUNTIMES
from realtime.errors import SettingsError
from realtime.pipeline.smoothing import SmoothingSettings

PREFIX = "OVERHEARD_"
SWITCHES = dict.fromkeys(("1", "true", "yes", "on"), True) | dict.fromkeys(("0", "false", "no", "off"), False)
NOT_SETTINGS = frozenset(
    {"OVERHEARD_CONFIG", "OVERHEARD_REQUIRE_ALL", "OVERHEARD_SHARED", "OVERHEARD_ITUNES"}
    | {f"OVERHEARD_{service}_URL" for service in ("SPOTIFY", "YOUTUBE", "ITUNES")}
)
"""Names with our prefix that are no settings: the file's own path, two of the test suite, the page's."""


@dataclass(frozen=True, slots=True)
class SourceSettings:
    """What is listened to: each ``source`` as ``open_source`` takes it; ``speed`` of a file against real
    time, 0 for no waiting; ``follow_default`` moves with the system's default output or input; a lost
    source is waited for ``give_up_seconds``, 0 meaning for good. ``offer`` are those that a reader of the
    page may choose besides; ``overheard run`` offers system, mic and demo where it is empty.
    """

    source: tuple[str, ...] = ("auto",)
    offer: tuple[str, ...] = ()
    speed: float = 1.0
    follow_default: bool = False
    give_up_seconds: float = 0.0

    def __post_init__(self) -> None:
        """Refuse a speed below 0, no source, and one source or offer twice.

        Raises
        ------
        ValueError
            As above.
        """
        if not self.source or len(set(self.source)) != len(self.source):
            raise ValueError(f"source is {', '.join(self.source) or 'empty'}; name at least one, each once")
        if len(set(self.offer)) != len(self.offer) or not all(map(str.strip, self.offer)):
            raise ValueError(f"offer is {', '.join(self.offer)}; name each once, and none that is empty")
        if not 0 <= self.give_up_seconds <= 1e6:
            raise ValueError(f"give_up_seconds is {self.give_up_seconds}; it must lie in 0..1000000")
        if not 0 <= self.speed <= 1000:
            raise ValueError(f"speed is {self.speed}; it must lie in 0..1000, 0 meaning as fast as possible")


@dataclass(frozen=True, slots=True)
class ModelSettings:
    """``manifest`` of the model, empty for the shipped one; ``runtime`` that runs it; ``hop_seconds``
    between updates, 0 for the manifest's.
    """

    manifest: str = ""
    runtime: str = "auto"
    hop_seconds: float = 0.0

    def __post_init__(self) -> None:
        """Refuse an unknown runtime or a hop out of range.

        Raises
        ------
        ValueError
            As above.
        """
        if self.runtime not in ("auto", *RUNTIMES):
            raise ValueError(f"runtime is {self.runtime!r}; there are auto, {', '.join(RUNTIMES)}")
        if not 0 <= self.hop_seconds <= 3600:
            raise ValueError(f"hop_seconds is {self.hop_seconds}; it must lie in 0..3600")


@dataclass(frozen=True, slots=True)
class SilenceSettings:
    """Sound below ``silence_dbfs`` for ``silence_seconds`` is silence."""

    silence_dbfs: float = -60.0
    silence_seconds: float = 2.0

    def __post_init__(self) -> None:
        """Refuse levels and times out of range.

        Raises
        ------
        ValueError
            As above.
        """
        if not -119 <= self.silence_dbfs <= 0:
            raise ValueError(f"silence_dbfs is {self.silence_dbfs}; it must lie in -119..0")
        if not 0 < self.silence_seconds <= 4.5:
            raise ValueError(
                f"silence_seconds is {self.silence_seconds}; it must lie above 0, up to 4.5, within a window"
            )


@dataclass(frozen=True, slots=True)
class ServerSettings:
    """Where the websocket listens, and who may connect: web pages besides our own by ``allow_origin``,
    whoever knows ``token`` where one is set, ``max_clients`` at once. ``tls_certificate`` and
    ``tls_key`` are files in PEM.
    """

    host: str = "127.0.0.1"
    port: int = 8765
    allow_origin: tuple[str, ...] = ()
    token: str = ""
    max_clients: int = 64
    tls_certificate: str = ""
    tls_key: str = ""

    def __post_init__(self) -> None:
        """Refuse what cannot be served, and a network address without a token.

        Raises
        ------
        ValueError
            As above.
        """
        if not self.host.strip():
            raise ValueError("host is empty, which would mean every network; name 127.0.0.1 or 0.0.0.0")
        if not 0 <= self.port <= 65535:
            raise ValueError(f"port is {self.port}; it must lie in 0..65535, 0 meaning any free one")
        if not 1 <= self.max_clients <= 10_000:
            raise ValueError(f"max_clients is {self.max_clients}; it must lie in 1..10000")
        if self.token and not re.fullmatch(r"[\w.~-]{16,256}", self.token, re.ASCII):
            raise ValueError(
                f"the token has {len(self.token)} characters; it must have 16 to 256, "
                "letters, digits and . _ ~ -"
            )
        if not self.token and not is_loopback(self.host):
            raise ValueError(
                f"host {self.host} can be reached from other machines; set a token of 16 or more characters "
                "(OVERHEARD_TOKEN or token under [server]), or listen on 127.0.0.1"
            )
        if bool(self.tls_certificate) != bool(self.tls_key):
            raise ValueError("tls_certificate and tls_key belong together; name both files or none")
        for origin in self.allow_origin:
            if not re.fullmatch(r"https?://[^/\s]+", origin):
                raise ValueError(
                    f"allow_origin is {origin!r}; it must be scheme, host and port only, "
                    "such as http://radio.example:8501"
                )


@dataclass(frozen=True, slots=True)
class HistorySettings:
    """``history`` is the SQLite file that sessions are written to: ``auto`` for the usual place, ``off``;
    the last ``keep_sound_minutes`` are held in memory, for what a person corrects.
    """

    history: str = "auto"
    keep_sound_minutes: float = 3.0

    def __post_init__(self) -> None:
        """Refuse more sound than memory should hold.

        Raises
        ------
        ValueError
            As above.
        """
        if not 0 <= self.keep_sound_minutes <= 60:
            raise ValueError(f"keep_sound_minutes is {self.keep_sound_minutes}; it must lie in 0..60")


@dataclass(frozen=True, slots=True)
class OutputSettings:
    """Who else is told of genre changes: ``mqtt`` as mqtt://USER:PASSWORD@HOST:PORT/TOPIC, ``webhook`` as
    an http or https address that takes a POST; empty for nobody.
    """

    mqtt: str = ""
    webhook: str = ""

    def __post_init__(self) -> None:
        """Refuse addresses of another kind.

        Raises
        ------
        ValueError
            As above.
        """
        if self.mqtt and not re.fullmatch(r"mqtts?://([^@/\s]+@)?[^@/\s]+/\S+", self.mqtt):
            raise ValueError("mqtt must be an address such as mqtt://broker.example:1883/overheard")
        if self.webhook and not re.fullmatch(r"https?://\S+", self.webhook):
            raise ValueError("webhook must be an http or https address such as https://hooks.example/genre")


@dataclass(frozen=True, slots=True)
class DashboardSettings:
    """Where ``overheard run`` serves the page, and whether it opens it in the browser."""

    dashboard_port: int = 8501
    open_browser: bool = True

    def __post_init__(self) -> None:
        """Refuse a port out of range.

        Raises
        ------
        ValueError
            As above.
        """
        if not 1 <= self.dashboard_port <= 65535:
            raise ValueError(f"dashboard_port is {self.dashboard_port}; it must lie in 1..65535")


@dataclass(frozen=True, slots=True)
class Settings:
    """All groups; a group's name is its section in the file."""

    source: SourceSettings = field(default_factory=SourceSettings)
    model: ModelSettings = field(default_factory=ModelSettings)
    smoothing: SmoothingSettings = field(default_factory=SmoothingSettings)
    silence: SilenceSettings = field(default_factory=SilenceSettings)
    server: ServerSettings = field(default_factory=ServerSettings)
    history: HistorySettings = field(default_factory=HistorySettings)
    outputs: OutputSettings = field(default_factory=OutputSettings)
    dashboard: DashboardSettings = field(default_factory=DashboardSettings)


HELP = {
    "source": "auto, system, system:NAME, mic, mic:NAME, a path, a URL, or demo; repeatable (default auto)",
    "offer": "a source that the page may change to; repeatable (default of run: system, mic and demo)",
    "speed": "how fast a file plays: 1 is real time, 0 as fast as possible (default 1)",
    "follow_default": "move with the system's default device",
    "give_up_seconds": "how long a lost device or station is waited for, 0 for good (default 0)",
    "manifest": "manifest of another model (default: the shipped one)",
    "runtime": "auto, litert or tflite-runtime (default auto)",
    "hop_seconds": "seconds between updates, to the nearest spectrogram column (default: the model's)",
    "half_life_seconds": "how long until an old prediction counts half (default 3)",
    "switch_margin": "lead in probability that a new genre needs (default 0.05)",
    "hold_seconds": "how long it must keep that lead (default 1.5)",
    "silence_dbfs": "level below which sound counts as silence (default -60)",
    "silence_seconds": "how long it must stay below (default 2)",
    "host": "address the websocket listens on (default 127.0.0.1)",
    "port": "its port, 0 for any free one (default 8765)",
    "allow_origin": "a web page's origin that may connect, such as http://radio.example; may be repeated",
    "token": "secret that clients must show; better set as OVERHEARD_TOKEN, for others can read options",
    "max_clients": "websockets at a time (default 64)",
    "tls_certificate": "certificate file (PEM), to serve wss and https",
    "tls_key": "its private key (PEM)",
    "history": "SQLite file for the history of sessions, auto for the usual place, or off (default auto)",
    "keep_sound_minutes": "minutes of sound held in memory for corrections, 0 for none (default 3)",
    "mqtt": "tell genre changes to a broker: mqtt://USER:PASSWORD@HOST:PORT/TOPIC",
    "webhook": "tell genre changes by POST to this address",
    "dashboard_port": "port of the page (default 8501)",
    "open_browser": "open the page in the browser (default: where there is a screen)",
}


def add_options(parser: argparse.ArgumentParser, *groups: str) -> None:
    """Add ``--config`` and an option for every setting of these groups."""
    parser.add_argument("--config", metavar="FILE", help="settings file (TOML)")
    for group, setting in _settings(Settings()):
        if group not in groups:
            continue
        flag = "--" + setting.name.replace("_", "-")
        repeatable = isinstance(setting.default, tuple)
        if isinstance(setting.default, bool):
            action = argparse.BooleanOptionalAction
            parser.add_argument(flag, dest=setting.name, help=HELP[setting.name], action=action, default=None)
            continue
        parser.add_argument(
            flag,
            dest=setting.name,
            metavar="VALUE",
            help=HELP[setting.name],
            action="append" if repeatable else "store",
        )


def load(options: argparse.Namespace, environment: Mapping[str, str] = os.environ) -> Settings:
    """Settings from the file, the environment and the command line, each over the one before.

    Parameters
    ----------
    options : argparse.Namespace
        Of a parser that ``add_options`` prepared.
    environment : mapping
        Usually ``os.environ``.

    Raises
    ------
    SettingsError
        A file that cannot be read, an unknown key, or a value of the wrong type or range.
    """
    groups: dict[str, dict[str, Any]] = {}
    _read_file(groups, getattr(options, "config", None), environment)
    known = {setting.name: (group, setting) for group, setting in _settings(Settings())}
    for name, text in environment.items():
        if not name.startswith(PREFIX) or name in NOT_SETTINGS:
            continue
        key = name.removeprefix(PREFIX).lower()
        if key not in known:
            raise SettingsError(f"unknown setting {name} in the environment; there are {_names(known)}")
        group, setting = known[key]
        several = isinstance(setting.default, tuple)
        separator = "\n" if key in ("source", "offer") else ","  # names of devices may have commas
        value: Any = [part.strip() for part in text.split(separator)] if several else text
        groups.setdefault(group, {})[key] = _parse(setting, value, name)
    for key, (group, setting) in known.items():
        given = getattr(options, key, None)
        if given is not None:
            groups.setdefault(group, {})[key] = _parse(setting, given, "--" + key.replace("_", "-"))
    settings = Settings()
    for group, values in groups.items():
        try:
            settings = replace(settings, **{group: replace(getattr(settings, group), **values)})
        except ValueError as error:
            raise SettingsError(str(error)) from error
    return settings


def is_loopback(host: str) -> bool:
    """Whether an address to listen on is out of other machines' reach."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def _settings(settings: Settings) -> Iterator[tuple[str, Field[Any]]]:
    for group in fields(settings):
        for setting in fields(getattr(settings, group.name)):
            yield group.name, setting


def _read_file(groups: dict[str, dict[str, Any]], option: str | None, environment: Mapping[str, str]) -> None:
    """Read the file named by option or environment, or the one in the usual place if it is there."""
    named = option or environment.get("OVERHEARD_CONFIG")
    home = environment.get("XDG_CONFIG_HOME") or os.path.expanduser("~/.config")
    path = Path(named or os.path.join(home, "overheard", "settings.toml"))
    if not named and not os.path.exists(path):  # Path.exists raises where this says no
        return
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise SettingsError(f"cannot read the settings file {path}: {error.strerror}") from error
    except ValueError as error:
        raise SettingsError(f"the settings file {path} is not valid TOML: {error}") from error
    known = {(group, setting.name): setting for group, setting in _settings(Settings())}
    for group, values in content.items():
        if not isinstance(values, dict):
            raise SettingsError(f"{path}: {group!r} stands outside a section such as [source]")
        for key, value in values.items():
            if (group, key) not in known:
                raise SettingsError(
                    f"{path}: unknown setting {key!r} in [{group}]; there are "
                    + ", ".join(f"[{section}] {name}" for section, name in known)
                )
            groups.setdefault(group, {})[key] = _parse(known[group, key], value, f"{path}: {key}")


def _parse(setting: Field[Any], value: Any, where: str) -> Any:
    """Bring a value to the type of the setting's default."""
    wanted: type = type(setting.default)
    try:
        if wanted is tuple:
            return tuple(str(item) for item in ([value] if isinstance(value, str) else value))
        if wanted is bool:
            return value if isinstance(value, bool) else SWITCHES[str(value).lower()]
        if isinstance(value, bool) or not isinstance(value, (str, int, float)):
            raise ValueError
        if wanted is str and not isinstance(value, str):
            raise ValueError
        if wanted is int and isinstance(value, float):
            raise ValueError
        return wanted(value)
    except (ValueError, TypeError, KeyError) as error:
        raise SettingsError(f"{where} is {value!r}; it must be of type {wanted.__name__}") from error


def _names(known: Mapping[str, object]) -> str:
    return ", ".join(PREFIX + name.upper() for name in known)
