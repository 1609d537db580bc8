"""The cache of training windows on disk, and the index of its tracks.

A cache is a folder with ``index.jsonl``, one line per track, and one ``.npz`` of ``TrackWindows`` per track.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Final

from models.common.paths import atomic_write
from models.holdout import is_held_out_artist, is_validation_artist, normalize_artist
from training.data.gtzan import LABELS
from training.data.windows import TrackWindows
from training.errors import DataError

INDEX_FILE = "index.jsonl"

HELD_OUT_ORIGINS: Final = ("pyAudioAnalysis", "ESC-10", "FmAds")
"""Origins of recordings that are evaluated and never trained on: non-music, and music from the same sets."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One track of the cache. Its fields are those of a line of the index.

    Attributes
    ----------
    name : str
    source : str
        Where the track came from: "gtzan" (published arrays), "gtzan-audio", "folder", or the name of a
        table.
    file : str
        Path of its windows, relative to the cache.
    genre, artist : str
        Empty if unknown.
    part : str
        Part of GTZAN's fault-filtered split, or empty.
    origin : str
        Set of recordings within the source.
    music : bool
        False for speech, noise and similar sounds.
    duplicate_of : str
        Track that this track repeats, or empty.
    """

    name: str
    source: str
    file: str
    genre: str = ""
    artist: str = ""
    part: str = ""
    origin: str = ""
    music: bool = True
    duplicate_of: str = ""

    @property
    def artist_key(self) -> str:
        """Normalized artist name, or empty if unknown; see ``normalize_artist``."""
        return normalize_artist(self.artist)

    @property
    def by_held_out_artist(self) -> bool:
        """True if the artist is held out in the track's source; see ``is_held_out_artist``."""
        return is_held_out_artist(self.artist, self.source)

    @property
    def by_validation_artist(self) -> bool:
        """True if the genre is known and the artist's music selects and calibrates models."""
        return self.genre in LABELS and is_validation_artist(self.artist)

    @property
    def is_held_out(self) -> bool:
        """True if the origin is one of ``HELD_OUT_ORIGINS``."""
        return any(origin in self.origin for origin in HELD_OUT_ORIGINS)


def normalize_genre(name: str) -> str:
    """Spell a genre as in ``LABELS``, ignoring case, spaces, hyphens and underscores.

    A genre that is not in ``LABELS`` is stripped and case-folded only.
    """
    folded = name.strip().casefold()
    bare = folded.translate(dict.fromkeys(map(ord, " -_")))
    return bare if bare in LABELS else folded


@dataclass(slots=True)
class Corpus:
    """Entries of a cache. Windows are read on first use and kept in memory."""

    folder: Path
    entries: list[Entry]
    _loaded: dict[str, TrackWindows] = field(default_factory=dict)

    @classmethod
    def load(cls, folder: Path) -> Corpus:
        """Read the index of a cache.

        Raises
        ------
        DataError
            If there is no index or a line of it is damaged.
        """
        path = folder / INDEX_FILE
        if not path.exists():
            raise DataError(
                f"{path} does not exist; write a cache with overheard train prepare --cache {folder}"
            )
        entries = []
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            try:
                entries.append(Entry(**json.loads(line)))
            except (TypeError, ValueError) as error:
                raise DataError(
                    f"line {number} of {path} is damaged: {error}; delete it and prepare again"
                ) from error
        return cls(folder, entries)

    def windows(self, entry: Entry) -> TrackWindows:
        """Return the windows of one track.

        Raises
        ------
        DataError
            If its file is missing or damaged.
        """
        if entry.file not in self._loaded:
            self._loaded[entry.file] = TrackWindows.load(self.folder / entry.file)
        return self._loaded[entry.file]

    def select(self, keep: Callable[[Entry], bool]) -> list[Entry]:
        """Return the entries for which ``keep`` is true, in the order of the index."""
        return [entry for entry in self.entries if keep(entry)]


def write_index(folder: Path, entries: Iterable[Entry]) -> None:
    """Replace a cache's index atomically."""
    lines = (json.dumps(asdict(entry), ensure_ascii=False) + "\n" for entry in entries)
    with atomic_write(folder / INDEX_FILE) as index:
        index.writelines(line.encode() for line in lines)


def exclude_artists_of(entries: Iterable[Entry], evaluated: Iterable[Entry]) -> list[Entry]:
    """Remove from ``entries`` the known artists and the tracks of ``evaluated``, duplicates included.

    The rule holds across all sources: an artist who is evaluated in one is not trained on in another. A track
    without a known artist stays.
    """
    evaluated = list(evaluated)
    artists = {entry.artist_key for entry in evaluated} - {""}
    names = {entry.name for entry in evaluated} | {entry.duplicate_of for entry in evaluated} - {""}
    return [
        entry
        for entry in entries
        if entry.artist_key not in artists and entry.name not in names and entry.duplicate_of not in names
    ]
