"""What a person says of the history: a segment's right genre with its sound, and that all be forgotten.

Kept sound lies beside the history as ``corrections/GENRE/SESSION-SEGMENT.wav``, readable by its user alone.
Two histories in one folder share it.
"""

from __future__ import annotations

import contextlib
import io
import logging
import os
import re
import sqlite3
import wave
from dataclasses import dataclass
from pathlib import Path

from models.common.paths import atomic_write
from models.manifest import ModelManifest
from realtime.history.audio_buffer import AudioClip, RecentAudioBuffer
from realtime.history.errors import DAMAGE_CODES, HistoryError, code, reason, remedy
from realtime.history.queries import MAX_ROW_NUMBER, require_session
from realtime.history.store import HistoryStore

logger = logging.getLogger(__name__)

FOLDER = "corrections"
OURS = re.compile(r"\.?\d+-\d+\.wav(\.[0-9a-f]+\.part)?")
"""Names of the files that are written below ``FOLDER``; no others are ever deleted."""

SILENT = "SILENT"


@dataclass(frozen=True, slots=True)
class _Known:
    """A segment as the file has it; ``kept`` is the ``sound`` of its present correction, if it has one."""

    source: str
    started: float
    state: str
    stretch: tuple[float, float] | None
    file: str
    genre: str | None
    kept: str

    @property
    def seconds(self) -> float:
        """How long its sound is; without a limit where an older program did not write it down."""
        return float("inf") if self.stretch is None else self.stretch[1] - self.stretch[0]


class LabelCorrections:
    """Changes that a person makes to one history; on the thread that its ``HistoryStore`` belongs to.

    Parameters
    ----------
    store : HistoryStore
    manifest : ModelManifest
        Of the model: its genres are those that there are, and its window is the shortest sound of use.
    kept : RecentAudioBuffer
        Where the running sessions' sound is.
    """

    def __init__(
        self, store: HistoryStore, manifest: ModelManifest, kept: RecentAudioBuffer | None = None
    ) -> None:
        self._store = store
        self._labels = manifest.labels
        self._window_seconds = manifest.audio.window_seconds
        self._kept = kept

    def correct(self, session: int, segment: int, genre: str | None, unix: float) -> str:
        """Note what a segment was, at ``unix``, and keep its sound; None takes that back.

        Returns
        -------
        str
            A sentence that says what was done.

        Raises
        ------
        HistoryError
            There is no such segment or genre, it was silent, or the file cannot be written.
        """
        if genre is not None and genre not in self._labels:
            raise HistoryError(f"{genre!r} is no genre; there are {', '.join(self._labels)}")
        try:
            return self._correct(session, segment, genre, unix)
        except (sqlite3.Error, OSError) as error:
            raise _unwritten(self._store.path, error) from error

    def _correct(self, session: int, segment: int, genre: str | None, unix: float) -> str:
        folder = self._store.path.parent
        written: list[Path] = []  # before the file knows of it
        outdated = about = ""

        def work(connection: sqlite3.Connection) -> None:
            nonlocal outdated, about
            known = _known(connection, session, segment)
            if genre is None:
                if known.genre is None:
                    raise HistoryError(f"session {session}, segment {segment} has no correction to take back")
                gone = "DELETE FROM corrections WHERE session = ? AND number = ?"
                connection.execute(gone, (session, segment))
                outdated = known.kept
                return
            if known.state == SILENT:
                raise HistoryError(f"session {session}, segment {segment} is silence, which has no genre")
            name = f"{FOLDER}/{genre_folder_name(genre)}/{session}-{segment}.wav"
            sound, about = self._keep(known, name, written)
            connection.execute(
                "INSERT OR REPLACE INTO corrections VALUES (?, ?, ?, ?, ?)",
                (session, segment, genre, unix, sound),
            )
            outdated = known.kept if known.kept != sound else ""

        try:
            self._store.change(work)
        except BaseException:
            for path in written:
                _remove(path)
            raise
        if outdated and not os.path.isabs(outdated):
            _remove(folder / outdated)
        if genre is None:
            return f"the correction of session {session}, segment {segment} is taken back"
        return f"session {session}, segment {segment} is {genre} now; {about}"

    def _keep(self, known: _Known, name: str, written: list[Path]) -> tuple[str, str]:
        """Where the segment's sound is from now on, and words about it; ``name`` is what to write it as."""
        if known.file and os.path.isfile(known.file) and self._long_enough(known):
            return known.file, "its file is noted"
        path = self._store.path.parent / name
        if os.path.isabs(known.kept):  # on a disk that is not there at present, perhaps
            return known.kept, "its file is noted, but not there now"
        if known.kept == name and path.exists():
            return name, "its sound is kept"
        try:
            content = self._sound(known)
            if content:
                _write(path, content)
                written.append(path)
                return name, "its sound is kept"
        except OSError as error:
            # What is kept already stays where it is: nothing but its folder's name is of the old genre.
            return known.kept, f"its sound could not be {'moved' if known.kept else 'kept'}: {reason(error)}"
        if not self._long_enough(known):
            return "", f"its sound is shorter than a window of {self._window_seconds:.2f} s and not kept"
        return "", "its sound is not in memory any more"

    def _long_enough(self, known: _Known) -> bool:
        return known.seconds >= self._window_seconds - 1e-3  # times in messages are rounded

    def _sound(self, known: _Known) -> bytes:
        """The WAV file of a segment: the one of its present correction, or what is still in memory."""
        if known.kept:
            with contextlib.suppress(FileNotFoundError):
                return (self._store.path.parent / known.kept).read_bytes()
        if known.stretch is None or self._kept is None:
            return b""
        sound = self._kept.clip(known.source, known.started, *known.stretch)
        return encode_wav(sound) if sound else b""

    def delete_all(self, unix: float) -> str:
        """Delete everything: all rows, files that were set aside as damaged, and kept sound.

        Returns
        -------
        str
            A sentence that says what was done.

        Raises
        ------
        HistoryError
            The file is not ours, or something cannot be deleted; the rest is.
        """
        path = self._store.path
        try:
            try:
                done = self._erase(unix)
                gone = self._delete_files()
            except (sqlite3.Error, OSError):  # of a full disk, where deleted files make room
                gone = self._delete_files()
                done = self._erase(unix)
                self._delete_files()
        except (sqlite3.Error, OSError) as error:
            raise HistoryError(
                f"not all of the history {path} could be deleted: {reason(error)}; {remedy(error)}"
            ) from error
        rest = "" if done else "; another program reads it, and what was deleted leaves the disk when it ends"
        return f"the history is forgotten (kept sounds deleted: {gone}){rest}"

    def _erase(self, unix: float) -> bool:
        try:
            return self._store.delete_all()
        except sqlite3.DatabaseError as error:
            if code(error) not in DAMAGE_CODES:
                raise
        # Deleted with the others of its kind; unless another program has put a new one in its place.
        return self._store.quarantine(unix) is not None or self._store.delete_all()

    def _delete_files(self) -> int:
        """Delete what lies beside the history; how many kept sounds there were."""
        if self._kept is not None:
            self._kept.clear()
        path = self._store.path
        sounds = saved_clips(path)
        for each in [*sounds, *quarantined_files(path)]:
            each.unlink(missing_ok=True)
        for folder in [*(path.parent / FOLDER).glob("*/"), path.parent / FOLDER]:
            with contextlib.suppress(OSError):  # it holds something that is not ours, or was never there
                folder.rmdir()
        return sum(each.suffix == ".wav" for each in sounds)


def saved_clips(path: Path) -> list[Path]:
    """Sound that was kept beside the history at ``path``, also what a crash left of it."""
    return [each for each in (path.parent / FOLDER).glob("*/*") if OURS.fullmatch(each.name)]


def quarantined_files(path: Path) -> list[Path]:
    """Histories of this name that were damaged."""
    return [each for each in path.parent.iterdir() if each.name.startswith(f"{path.name}.damaged-")]


def genre_folder_name(genre: str) -> str:
    """A genre as the name of a folder, on every system."""
    return re.sub(r"[^\w&+ -]", "_", genre).strip() or "_"


def encode_wav(sound: AudioClip) -> bytes:
    """A WAV file of 16-bit mono."""
    content = io.BytesIO()
    with wave.open(content, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(sound.sample_rate)
        file.writeframes(sound.samples.astype("<i2").tobytes())
    return content.getvalue()


def _known(connection: sqlite3.Connection, session: int, segment: int) -> _Known:
    """The segment; HistoryError where there is none of these numbers."""
    require_session(connection, session)
    row = (
        abs(segment) < MAX_ROW_NUMBER
        and connection.execute(
            "SELECT source, sessions.started, state, from_seconds, to_seconds, coalesce(file, '') AS file, "
            "corrections.genre AS correction, coalesce(sound, '') AS sound FROM segments "
            "JOIN sessions ON sessions.id = segments.session "
            "LEFT JOIN segment_audio USING (session, number) LEFT JOIN corrections USING (session, number) "
            "WHERE segments.session = ? AND segments.number = ?",
            (session, segment),
        ).fetchone()
    )
    if not row:
        numbers = "SELECT count(*), min(number), max(number) FROM segments WHERE session = ?"
        count, first, last = connection.execute(numbers, (session,)).fetchone()
        there_are = f"there are {first} to {last}" if count else "it has none"
        raise HistoryError(f"session {session} has no segment {segment}; {there_are}")
    stretch = None if row["from_seconds"] is None else (row["from_seconds"], row["to_seconds"])
    return _Known(
        row["source"], row["started"], row["state"], stretch, row["file"], row["correction"], row["sound"]
    )


def _write(path: Path, content: bytes) -> None:
    """Write a file for this user only, whole or not at all."""
    for folder in (path.parent.parent, path.parent):
        folder.mkdir(mode=0o700, exist_ok=True)
    try:
        with atomic_write(path, mode=0o600) as file:
            file.write(content)
    except BaseException:
        with contextlib.suppress(OSError):
            path.parent.rmdir()  # unless older files are in it
        raise


def _remove(path: Path) -> None:
    """Delete a file of ours, and its folder with the last one; one that stays is told of."""
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        logger.warning("%s cannot be deleted: %s", path, reason(error))
    with contextlib.suppress(OSError):
        path.parent.rmdir()


def _unwritten(path: Path, error: sqlite3.Error | OSError) -> HistoryError:
    return HistoryError(f"the history {path} cannot be written: {reason(error)}; {remedy(error)}")
