"""Store of the likes, skips and bans of the user, in one file on the user's machine.

The file holds only names and counts, and no other data of a provider. One call deletes all of it. All
users of a server share the file. By default the page is served on the loopback interface, to one person.
"""

from __future__ import annotations

import glob
import json
import logging
import os
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Annotated, Final

from msgspec import Meta, Struct, structs

from dashboard.recommendations.domain.identity import artist_key, title_key
from dashboard.recommendations.domain.localized import LocalizedMessage, localize
from dashboard.recommendations.domain.text import MAX_NAME_CHARACTERS
from models.common.documents import parse_json
from models.common.paths import NoHomeError, atomic_write, data_folder
from models.common.validation import convert

log = logging.getLogger(__name__)

VERSION: Final = 1
"""Version of the file format. A file of another version is set aside."""
MAX_ARTISTS: Final = 2_000
"""Maximum number of artists in the file. The least recently changed artist is dropped first."""
MAX_TITLES: Final = 20
"""Liked titles kept for each artist."""
MAX_COUNT: Final = 1_000
"""Maximum count of likes or skips of an artist."""
MAX_FILE_BYTES: Final = 1 << 20
"""Maximum size of the file in bytes. A larger file is set aside."""


LOCK_TIMEOUT_SECONDS: Final = 1.0
"""Seconds that another writer may hold the folder before a change is made without the lock."""
LOCK_POLL_SECONDS: Final = 0.01
"""Seconds between two attempts to lock the folder."""


@dataclass(frozen=True, slots=True)
class ArtistFeedback:
    """Likes, skips and ban of one artist. ``liked`` holds the titles, the newest last."""

    artist: str
    likes: int = 0
    skips: int = 0
    banned: bool = False
    liked: tuple[str, ...] = ()


class _Entry(Struct, frozen=True, forbid_unknown_fields=True):
    """Entry of the file: an ``ArtistFeedback`` with all of its fields."""

    artist: str
    likes: Annotated[int, Meta(ge=0)]
    skips: Annotated[int, Meta(ge=0)]
    banned: bool
    liked: tuple[str, ...]


class _File(Struct, frozen=True, forbid_unknown_fields=True):
    """Content of the file."""

    version: int
    artists: list[_Entry]


def default_feedback_path() -> Path | None:
    """Return the path of the feedback file in the user's data folder, or None without a home folder."""
    try:
        return data_folder() / "choices.json"
    except NoHomeError as error:
        log.warning("choices of songs last until the page is closed: %s", error)
        return None


def parse_feedback(text: str) -> dict[str, ArtistFeedback]:
    """Parse the content of a file.

    Returns
    -------
    dict of str to ArtistFeedback
        Feedback by artist key, the least recently changed first.

    Raises
    ------
    ValueError
        If the text is not a feedback file. The message names the fault and its place.
    """
    content = parse_json(text)
    if not isinstance(content, dict) or content.get("version") != VERSION:
        raise ValueError(f"it is not a file of version {VERSION}")
    known = [ArtistFeedback(**structs.asdict(entry)) for entry in convert(content, _File).artists]
    return {artist_key(choice.artist): choice for choice in known}


class FeedbackStore:
    """Feedback of the user in memory and, with a path, in a file.

    The file is read again before every change, and locked until the change is written, so that two pages or
    programs do not undo each other's changes. After a disk error, feedback is kept in memory and ``error``
    holds a message.

    Parameters
    ----------
    path : Path or None
        File to read and write, or None to keep the feedback in memory only.
    """

    def __init__(
        self,
        path: Path | None = None,
        *,
        max_artists: int = MAX_ARTISTS,
        max_file_bytes: int = MAX_FILE_BYTES,
    ) -> None:
        self._path = path
        self._max_artists = max_artists
        self._max_file_bytes = max_file_bytes
        self._may_write = path is not None
        self._artists: dict[str, ArtistFeedback] = {}
        self._stamp: tuple[int, int, int] | None = None
        self.revision = 0
        """Number that grows with every change."""
        self.error: LocalizedMessage | None = None
        """Message for the page about an error of the file, or None."""
        self.reload()

    def like(self, artist: str, title: str) -> None:
        """Count a liked song. A second like of the same song does not count."""
        with self._locked():
            before = self._get(artist)
            if title_key(_short(title)) in map(title_key, before.liked):
                return
            liked = (*before.liked, _short(title))[-MAX_TITLES:]
            self._put(replace(before, likes=min(before.likes + 1, MAX_COUNT), liked=liked))

    def skip(self, artist: str) -> None:
        """Count a skipped song."""
        with self._locked():
            before = self._get(artist)
            self._put(replace(before, skips=min(before.skips + 1, MAX_COUNT)))

    def ban(self, artist: str) -> None:
        """Ban an artist from all playlists."""
        with self._locked():
            self._put(replace(self._get(artist), banned=True))

    def delete(self, artist: str) -> None:
        """Delete the feedback about one artist."""
        with self._locked():
            self.reload()
            self._put(ArtistFeedback(_short(artist)))

    def delete_all(self) -> None:
        """Delete all feedback: the file, and the damaged copies that were set aside."""
        self._artists, self._stamp, self.error = {}, None, None
        self.revision += 1
        if self._path is None:
            return
        self._may_write = True
        try:
            name = glob.escape(self._path.name)
            for pattern in (name, f"{name}.broken-*", f".{name}.*.part"):
                for path in self._path.parent.glob(pattern):
                    path.unlink(missing_ok=True)
        except OSError as error:
            self._fail(localize("choices.undeleted", error=str(error.strerror), path=str(self._path)))

    def list_artists(self) -> tuple[ArtistFeedback, ...]:
        """Return the feedback about all artists, the latest change first."""
        return tuple(reversed(self._artists.values()))

    def is_banned(self, keys: Iterable[str]) -> bool:
        """Return whether one of these artist keys is banned."""
        return any(key in self._artists and self._artists[key].banned for key in keys)

    def preference(self, keys: Iterable[str]) -> float:
        """Return the probability that the user likes a song of these artists, which is 0.5 without feedback.

        The result is the mean of Beta(1 + likes, 1 + skips): Laplace's rule of succession, with a uniform
        prior.
        """
        known = [self._artists[key] for key in keys if key in self._artists]
        likes, skips = sum(each.likes for each in known), sum(each.skips for each in known)
        return (1 + likes) / (2 + likes + skips)

    def reload(self) -> None:
        """Read the file again if another page changed or deleted it."""
        if self._path is None or not self._may_write:
            return
        try:
            state = self._path.stat()
            stamp = (state.st_mtime_ns, state.st_size, state.st_ino)
            if stamp == self._stamp:
                return
            if state.st_size > self._max_file_bytes:
                raise ValueError(f"it has {state.st_size} bytes; at most {self._max_file_bytes} are allowed")
            self._artists = parse_feedback(self._path.read_text(encoding="utf-8"))
            self._stamp = stamp
            self.revision += 1
        except FileNotFoundError:
            if self._stamp is not None:  # another page deleted the file, so the feedback is deleted here too
                self._artists, self._stamp = {}, None
                self.revision += 1
        except OSError as error:
            self._may_write = False  # do not overwrite a file that cannot be read
            self._fail(localize("choices.unread", error=str(error.strerror), path=str(self._path)))
        except (ValueError, RecursionError) as error:
            self._set_aside(self._path, error)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """Keep other writers out. Without a lock, as on Windows, the change is made all the same."""
        if self._path is None or not self._may_write:
            yield
            return
        folder = _lock_folder(self._path.parent)
        try:
            yield
        finally:
            if folder is not None:
                os.close(folder)

    def _get(self, artist: str) -> ArtistFeedback:
        self.reload()
        return self._artists.get(artist_key(_short(artist)), ArtistFeedback(_short(artist)))

    def _put(self, choice: ArtistFeedback) -> None:
        self.revision += 1
        key = artist_key(choice.artist)
        self._artists.pop(key, None)
        if choice != ArtistFeedback(choice.artist):
            self._artists[key] = choice
        while len(self._artists) > self._max_artists:
            self._drop_oldest()
        if self._path is not None and self._may_write:
            self._save(self._path)

    def _drop_oldest(self) -> None:
        """Drop the least recently changed artist, and a banned artist only if all artists are banned."""
        unbanned = (key for key, choice in self._artists.items() if not choice.banned)
        del self._artists[next(unbanned, next(iter(self._artists)))]

    def _encoded(self) -> bytes:
        entries = [asdict(choice) for choice in self._artists.values()]
        text = json.dumps({"version": VERSION, "artists": entries}, ensure_ascii=False, indent=1)
        return text.encode("utf-8", errors="replace")

    def _save(self, path: Path) -> None:
        """Write the file with access for this user only. Drop the oldest artists if it would be too large."""
        while len(content := self._encoded()) > self._max_file_bytes:
            for _ in range(max(1, len(self._artists) // 10)):
                self._drop_oldest()
        try:
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            with atomic_write(path, fsync=True, mode=0o600) as file:
                file.write(content)
            state = path.stat()
            self._stamp, self.error = (state.st_mtime_ns, state.st_size, state.st_ino), None
        except OSError as error:
            self._fail(localize("choices.unsaved", error=str(error.strerror)))

    def _set_aside(self, path: Path, error: Exception) -> None:
        """Rename a damaged file, so that its content is not overwritten."""
        self._artists, self._stamp = {}, None
        self.revision += 1
        number = 1
        try:
            while (aside := path.with_name(f"{path.name}.broken-{number}")).exists():
                number += 1
            path.rename(aside)
            self._fail(localize("choices.damaged", path=str(aside)))
        except OSError:
            self._fail(localize("choices.stuck", path=str(path)))
            self._may_write = False
        log.warning("the feedback file is damaged: %s", error)

    def _fail(self, error: LocalizedMessage) -> None:
        self.error = error
        log.warning("%s", error)


def _lock_folder(path: Path) -> int | None:
    """Lock a folder, which leaves no file in it. Return its descriptor, or None if it cannot be locked."""
    try:
        import fcntl
    except ImportError:
        return None
    try:
        path.mkdir(parents=True, exist_ok=True, mode=0o700)
        folder = os.open(path, os.O_RDONLY)
    except OSError:
        return None  # the change itself reports the reason
    deadline = time.monotonic() + LOCK_TIMEOUT_SECONDS
    while True:
        try:
            fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if isinstance(error, BlockingIOError) and time.monotonic() < deadline:
                time.sleep(LOCK_POLL_SECONDS)
                continue
            os.close(folder)
            return None
        return folder


def _short(name: str) -> str:
    return " ".join(name.split())[:MAX_NAME_CHARACTERS]
