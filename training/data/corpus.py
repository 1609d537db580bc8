"""The cache of windows on disk, and which of them may train, choose and test.

A cache is a folder with ``index.jsonl``, one line a track, and one ``.npz`` of ``Windows`` a track.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Final

from models.common.paths import atomic_write
from models.holdout import normalize_artist
from training.data.gtzan import LABELS
from training.data.windows import TrackWindows
from training.errors import DataError

INDEX_FILE = "index.jsonl"

HELD_OUT_ORIGINS: Final = ("pyAudioAnalysis", "ESC-10", "FmAds")
"""Recordings that are no music, and the music beside them, from here are scored and never trained on."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One track of the cache.

    ``source`` names where it came from ("gtzan", "folder", ...); ``genre`` and ``artist`` are empty
    where unknown; ``music`` is False for speech, noise and the like; ``part`` is GTZAN's fault-filtered
    part or empty; ``origin`` tells sets of recordings apart within a source; ``file`` is relative to the
    cache.
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
        """Name that tells artists apart; see ``fold_artist``. Empty where unknown."""
        return normalize_artist(self.artist)

    @property
    def held_out(self) -> bool:
        """Whether it comes from one of ``HELD_OUT_ORIGINS``."""
        return any(origin in self.origin for origin in HELD_OUT_ORIGINS)


def normalize_genre(name: str) -> str:
    """A genre as ``LABELS`` spells it, whatever its capitals, spaces, hyphens and underscores.

    One that is none of them is only stripped and case-folded.
    """
    folded = name.strip().casefold()
    bare = folded.translate(dict.fromkeys(map(ord, " -_")))
    return bare if bare in LABELS else folded


@dataclass(slots=True)
class Corpus:
    """A cache's entries; windows are read when first asked for and kept."""

    folder: Path
    entries: list[Entry]
    _read: dict[str, TrackWindows] = field(default_factory=dict)

    @classmethod
    def load(cls, folder: Path) -> Corpus:
        """Read the index.

        Raises
        ------
        DataError
            There is none, or a line of it is damaged.
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
        """Windows of one track.

        Raises
        ------
        DataError
            Its file is missing or damaged.
        """
        if entry.file not in self._read:
            self._read[entry.file] = TrackWindows.load(self.folder / entry.file)
        return self._read[entry.file]

    def where(self, keep: Callable[[Entry], bool]) -> list[Entry]:
        """Entries for which ``keep`` holds, in the index's order."""
        return [entry for entry in self.entries if keep(entry)]


def write_index(folder: Path, entries: Iterable[Entry]) -> None:
    """Replace a cache's index, whole or not at all."""
    with atomic_write(folder / INDEX_FILE) as index:
        index.writelines(_format_line(entry).encode() for entry in entries)


def append(folder: Path, entries: Iterable[Entry]) -> None:
    """Add lines to a cache's index."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / INDEX_FILE).open("a", encoding="utf-8") as index:
        index.writelines(map(_format_line, entries))


def _format_line(entry: Entry) -> str:
    return json.dumps(asdict(entry), ensure_ascii=False) + "\n"


def exclude_artists_of(entries: Iterable[Entry], scored: Iterable[Entry]) -> list[Entry]:
    """Entries by no known artist of ``scored``, and none of its tracks under another number.

    Whatever the set: an artist who is scored in one is not trained on in another. A track whose artist
    is not known stays.
    """
    scored = list(scored)
    artists = {entry.artist_key for entry in scored} - {""}
    names = {entry.name for entry in scored} | {entry.duplicate_of for entry in scored} - {""}
    return [
        entry
        for entry in entries
        if entry.artist_key not in artists and entry.name not in names and entry.duplicate_of not in names
    ]
