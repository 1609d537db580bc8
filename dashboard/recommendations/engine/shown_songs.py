"""Store of the times at which songs were last shown, so that no song returns too soon.

The file holds hashes of songs with times, and no names. All pages of a server share the file.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable, Iterable
from functools import lru_cache
from hashlib import blake2b
from math import inf
from pathlib import Path
from typing import Final

from msgspec import Struct

from dashboard.recommendations.domain.identity import MAX_CACHED_KEYS, identity_keys
from dashboard.recommendations.domain.tracks import Track
from models.common.documents import parse_json
from models.common.paths import NoHomeError, atomic_write, data_folder
from models.common.validation import convert

log = logging.getLogger(__name__)

MAX_KEYS: Final = 10_000
"""Keys in the file, of which a song has one or more. The songs shown longest ago are dropped first."""
MAX_FILE_BYTES: Final = 1 << 20
"""Maximum size of the file in bytes. A larger file is ignored and replaced."""
MAX_AHEAD_SECONDS: Final = 60.0
"""Seconds by which a time in the file may lie ahead of the clock. Songs with a later time were recorded while
the clock was wrong. They are forgotten, since they would stay hidden until that time."""


class _File(Struct, frozen=True, forbid_unknown_fields=True):
    """Content of the file: seconds since 1970 by hash of a key."""

    version: int
    shown: dict[str, float]


def default_shown_path() -> Path | None:
    """Return the path of the file in the user's data folder, or None without a home folder."""
    try:
        return data_folder() / "shown-songs.json"
    except NoHomeError:
        return None


class ShownSongs:
    """Songs that were shown, with the time at which each was last in the playlist.

    Times are seconds of the playlist's clock. Times of earlier sessions are negative. After a disk error,
    songs are remembered until the page is closed.

    Parameters
    ----------
    path : Path or None
        File to read and write, or None to keep the songs in memory only.
    started_at : float
        Seconds since 1970 at second 0 of the playlist's clock.
    max_keys : int
        Maximum number of keys.
    unix_time : callable
        Returns the seconds since 1970.
    """

    def __init__(
        self,
        path: Path | None = None,
        started_at: float = 0.0,
        max_keys: int = MAX_KEYS,
        unix_time: Callable[[], float] = time.time,
    ) -> None:
        self._unix_time = unix_time
        self.path = path
        self._started_at = started_at
        self._max_keys = max_keys
        self.revision = 0
        """Number that grows with every change."""
        self._shown_at = self._read()
        self._was_saved = bool(self._shown_at)

    def __len__(self) -> int:
        """Return the number of keys."""
        return len(self._shown_at)

    def shown_at(self, track: Track) -> float:
        """Return the time at which a song was last shown, or minus infinity if it never was."""
        return max((self._shown_at.get(_hash(key), -inf) for key in identity_keys(track)), default=-inf)

    def add(self, tracks: Iterable[Track], now: float) -> None:
        """Record that songs are in the playlist now, or have just left it."""
        self.add_keys({key for track in tracks for key in identity_keys(track)}, now)

    def add_keys(self, keys: Iterable[str], now: float) -> None:
        """Record songs by their identity keys."""
        self._change({_hash(key): now for key in keys})

    def withdraw(self, tracks: Iterable[Track]) -> None:
        """Let songs return at once, because the user changed the filters and may change them back."""
        self._change({_hash(key): -inf for track in tracks for key in identity_keys(track)})

    def delete_all(self) -> None:
        """Forget all songs and delete the file."""
        self._shown_at.clear()
        self._was_saved = False
        self.revision += 1
        try:
            if self.path is not None:
                self.path.unlink(missing_ok=True)
        except OSError as error:
            log.warning("the songs that were shown could not be deleted: %s", error)

    def _change(self, changed: dict[str, float]) -> None:
        """Change the times and save them together with those that another page has saved."""
        if not changed:
            return
        if self.path is not None:
            saved = self._read()
            if self._was_saved and not self.path.exists():
                self._shown_at.clear()  # another page deleted the songs
            for key, at in saved.items():
                self._shown_at[key] = max(at, self._shown_at.get(key, -inf))
        self._shown_at |= changed
        newest = sorted(self._shown_at.items(), key=lambda each: each[1])[-self._max_keys :]
        self._shown_at = {key: at for key, at in newest if at > -inf}
        self.revision += 1
        self._save()

    def _read(self) -> dict[str, float]:
        try:
            if self.path is None or self.path.stat().st_size > MAX_FILE_BYTES:
                return {}
            content = convert(parse_json(self.path.read_text(encoding="utf-8")), _File)
        except FileNotFoundError:
            return {}
        except (OSError, ValueError, RecursionError) as error:
            log.warning("the songs that were shown could not be read: %s", error)
            return {}
        if content.version != 1:
            return {}
        latest = self._unix_time() + MAX_AHEAD_SECONDS
        return {key: at - self._started_at for key, at in content.shown.items() if at <= latest}

    def _save(self) -> None:
        """Write the file with access for this user only."""
        if self.path is None:
            return
        shown = {key: round(at + self._started_at, 1) for key, at in self._shown_at.items()}
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            with atomic_write(self.path, mode=0o600) as file:
                file.write(json.dumps({"version": 1, "shown": shown}).encode())
            self._was_saved = True
        except OSError as error:
            log.warning("the songs that were shown could not be saved: %s", error)


@lru_cache(maxsize=MAX_CACHED_KEYS)
def _hash(key: str) -> str:
    return blake2b(key.encode("utf-8", errors="replace"), digest_size=8).hexdigest()
