"""Read the file of monitored stations, and divide the stations into groups."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

from models.common.documents import read_toml
from models.common.text import quote
from models.common.urls import is_url
from realtime.errors import SettingsError

GROUP_SIZE = 8
"""Default number of stations in one process. A core of the year 2020 can analyze twelve stations."""

MAX_STATIONS = 10_000
"""Maximum number of stations in a file."""
MAX_STATION_NAME_CHARACTERS = 120
"""Maximum length of a station's name."""


@dataclass(frozen=True, slots=True)
class Station:
    """Station with its public name and its address, which may contain a password."""

    name: str
    url: str


Group: TypeAlias = tuple[Station, ...]


def read_stations(path: Path) -> list[Group]:
    """Read a file of stations, and divide them into groups of ``group_size``.

    The file is TOML. It has an optional ``group_size`` and a ``[[station]]`` with ``name`` and ``url`` for
    each station.

    Raises
    ------
    SettingsError
        If the file cannot be read, or has unknown keys, no station, a repeated name or an invalid address.
    """
    try:
        content = read_toml(path)
    except OSError as error:
        raise SettingsError(f"cannot read the file of stations {path}: {error.strerror}") from error
    except ValueError as error:
        raise SettingsError(f"the file of stations {path} is not valid TOML: {error}") from error
    if unknown := sorted(content.keys() - {"group_size", "station"}):
        raise SettingsError(f"{path}: unknown key {quote(unknown[0])}; there are group_size and [[station]]")
    size = content.get("group_size", GROUP_SIZE)
    if not isinstance(size, int) or isinstance(size, bool) or not 1 <= size <= 100:
        raise SettingsError(f"{path}: group_size is {quote(size)}; it must be a whole number in 1..100")
    listed = content.get("station", [])
    if not isinstance(listed, list) or not 1 <= len(listed) <= MAX_STATIONS:
        raise SettingsError(f"{path} must have 1 to {MAX_STATIONS} sections [[station]] with name and url")
    stations = [_parse_station(path, number, fields) for number, fields in enumerate(listed, 1)]
    names = [station.name for station in stations]
    if duplicates := [name for name, count in Counter(names).items() if count > 1]:
        raise SettingsError(f"{path}: two stations are called {duplicates[0]}; each needs a unique name")
    return make_groups(stations, size)


def make_groups(stations: Sequence[Station], size: int) -> list[Group]:
    """Divide stations into groups of at most ``size``, as evenly as possible."""
    count = -(-len(stations) // size)
    return [tuple(stations[number::count]) for number in range(count)]


def _parse_station(path: Path, number: int, fields: Any) -> Station:
    if not isinstance(fields, dict) or fields.keys() != {"name", "url"}:
        raise SettingsError(f"{path}: station {number} must have name and url and nothing else")
    name, url = fields["name"], fields["url"]
    if not isinstance(name, str) or not name.strip() or len(name) > MAX_STATION_NAME_CHARACTERS:
        raise SettingsError(
            f"{path}: the name of station {number} must have 1 to {MAX_STATION_NAME_CHARACTERS} characters"
        )
    if not isinstance(url, str) or not is_url(url):
        raise SettingsError(f"{path}: the url of station {name} must begin with http, https, rtsp or rtsps")
    return Station(name, url)
