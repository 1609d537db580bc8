"""Store of the likes, skips and bans of the user, in one file on the user's machine.

The file holds only names and counts, and no other data of a provider. One call deletes all of it. All
users of a server share the file. By default the page is served on the loopback interface, to one person.
"""

from __future__ import annotations

import errno
import glob
import json
import logging
import os
import random
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
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


LOCK_TIMEOUT_SECONDS: Final = 2.0
"""Seconds that a page waits for another writer. After them a change stays in memory and is saved later."""
LOCK_POLL_SECONDS: Final = (0.0005, 0.005)
"""Shortest and longest time in seconds between two attempts to lock the folder."""
UNLOCKED_SECONDS: Final = 0.006
"""Pause in seconds after an unlock. It is longer than the longest poll, so that a waiting writer gets the
lock before this writer locks again."""
MAX_UNSAVED: Final = 1_000
"""Maximum number of changes that wait to be saved. The oldest is no longer repeated when another page has
changed the file."""


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
    programs do not undo each other's changes. After a disk error, or while another program holds the lock,
    changes are kept in memory and ``error`` holds a message. The next change saves them, and after a held
    lock also the next reload.

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
        self._unsaved: deque[Callable[[], None]] = deque(maxlen=MAX_UNSAVED)
        """Changes that are in memory only. They are repeated on the file of another page."""
        self._was_locked_out = False
        self.revision = 0
        """Number that grows with every change."""
        self.error: LocalizedMessage | None = None
        """Message for the page about an error of the file, or None."""
        self._read()

    def like(self, artist: str, title: str) -> None:
        """Count a liked song. A second like of the same song does not count."""

        def change() -> None:
            before = self._get(artist)
            if title_key(_short(title)) not in map(title_key, before.liked):
                liked = (*before.liked, _short(title))[-MAX_TITLES:]
                self._put(replace(before, likes=min(before.likes + 1, MAX_COUNT), liked=liked))

        self._change(change)

    def skip(self, artist: str) -> None:
        """Count a skipped song."""

        def change() -> None:
            before = self._get(artist)
            self._put(replace(before, skips=min(before.skips + 1, MAX_COUNT)))

        self._change(change)

    def ban(self, artist: str) -> None:
        """Ban an artist from all playlists."""
        self._change(lambda: self._put(replace(self._get(artist), banned=True)))

    def delete(self, artist: str) -> None:
        """Delete the feedback about one artist."""
        self._change(lambda: self._put(ArtistFeedback(_short(artist))))

    def delete_all(self) -> None:
        """Delete all feedback: the file, and the damaged copies that were set aside."""
        self._artists, self._stamp, self.error = {}, None, None
        self._unsaved.clear()
        self._was_locked_out = False
        self.revision += 1
        if self._path is None:
            return
        self._may_write = True
        try:
            with self._locked(self._path, LOCK_TIMEOUT_SECONDS) as locked:
                if not locked:  # another program would write back what it has read
                    raise OSError(errno.EBUSY, os.strerror(errno.EBUSY))
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
        """Read the file again if another page changed or deleted it, and save what waits for the lock."""
        self._read()
        if self._was_locked_out and self._path is not None and self._may_write:
            with self._locked(self._path, 0.0) as locked:
                if locked:
                    self._was_locked_out = False
                    self._read()
                    if self._may_write:
                        self._save(self._path)

    def _read(self) -> None:
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
            self._repeat_unsaved()
        except FileNotFoundError:
            if self._stamp is not None:  # another page deleted the file, so the feedback is deleted here too
                self._artists, self._stamp = {}, None
                self._unsaved.clear()
                self.revision += 1
        except OSError as error:
            self._may_write = False  # do not overwrite a file that cannot be read
            self._fail(localize("choices.unread", error=str(error.strerror), path=str(self._path)))
        except (ValueError, RecursionError) as error:
            self._set_aside(self._path, error)

    def _repeat_unsaved(self) -> None:
        self.revision += 1
        for change in self._unsaved:
            change()

    def _change(self, change: Callable[[], None]) -> None:
        """Make a change and save it, or keep the change in memory while another program holds the lock."""
        if self._path is None or not self._may_write:
            change()
            return
        with self._locked(self._path, LOCK_TIMEOUT_SECONDS) as locked:
            self._read()
            change()
            self._unsaved.append(change)
            if not self._may_write:
                return  # the file has just become unreadable
            self._was_locked_out = not locked
            if locked:
                self._save(self._path)
            else:
                self._fail(localize("choices.waiting"))

    @contextmanager
    def _locked(self, path: Path, seconds: float) -> Iterator[bool]:
        """Keep other writers out. Yield False if another writer holds the lock for so many seconds.

        Without a lock, as on Windows, the change is made all the same.
        """
        try:
            folder = _lock_folder(path.parent, seconds)
        except TimeoutError:
            yield False
            return
        try:
            yield True
        finally:
            if folder is not None:
                os.close(folder)
                time.sleep(UNLOCKED_SECONDS)

    def _get(self, artist: str) -> ArtistFeedback:
        return self._artists.get(artist_key(_short(artist)), ArtistFeedback(_short(artist)))

    def _put(self, choice: ArtistFeedback) -> None:
        self.revision += 1
        key = artist_key(choice.artist)
        self._artists.pop(key, None)
        if choice != ArtistFeedback(choice.artist):
            self._artists[key] = choice
        while len(self._artists) > self._max_artists:
            self._drop_oldest()

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
            self._unsaved.clear()
        except OSError as error:
            self._fail(localize("choices.unsaved", error=str(error.strerror)))

    def _set_aside(self, path: Path, error: Exception) -> None:
        """Rename a damaged file, so that its content is not overwritten."""
        self._artists, self._stamp = {}, None
        self._repeat_unsaved()
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


def _lock_folder(path: Path, seconds: float) -> int | None:
    """Lock a folder, which leaves no file in it. Return its descriptor, or None if it cannot be locked.

    Raises
    ------
    TimeoutError
        If another program holds the lock for this number of seconds.
    """
    try:
        import fcntl
    except ImportError:
        return None
    try:
        path.mkdir(parents=True, exist_ok=True, mode=0o700)
        folder = os.open(path, os.O_RDONLY)
    except OSError:
        return None  # the change itself reports the reason
    deadline = time.monotonic() + seconds
    while True:
        try:
            fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return folder
        except BlockingIOError:
            if time.monotonic() >= deadline:
                os.close(folder)
                raise TimeoutError(f"{path} is locked by another program") from None
            time.sleep(random.uniform(*LOCK_POLL_SECONDS))
        except OSError:  # a file system without locks
            os.close(folder)
            return None


def _short(name: str) -> str:
    return " ".join(name.split())[:MAX_NAME_CHARACTERS]
