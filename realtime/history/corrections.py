"""Label corrections with the audio of the corrected segments, and deletion of the whole history.

The audio of a correction is saved beside the history as ``corrections/GENRE/SESSION-SEGMENT.wav``, readable
by this user only. Histories in the same folder share the folder ``corrections``.
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
from realtime.history.errors import (
    DAMAGE_CODES,
    HistoryError,
    describe_error,
    sqlite_error_code,
    suggest_remedy,
)
from realtime.history.queries import MAX_ROW_NUMBER, require_session
from realtime.history.store import HistoryStore
from realtime.protocol.codes import ResponseCode
from realtime.protocol.estimate import StreamState
from realtime.protocol.requests import Outcome

logger = logging.getLogger(__name__)

CLIPS_FOLDER = "corrections"
CLIP_NAME = re.compile(r"\.?\d+-\d+\.wav(\.[0-9a-f]+\.part)?")
"""Pattern of the files written below ``CLIPS_FOLDER``. Files with other names are never deleted."""

SAVED_CLIP = re.compile(rf"{CLIPS_FOLDER}/[\w&+ -]+/\d+-\d+\.wav", re.ASCII)
"""Pattern of the clips that rows name. A history from elsewhere may name any other file."""

TIME_ROUNDING_SECONDS = 1e-3
"""Seconds by which a segment of one window may seem shorter, since times in messages are rounded."""


@dataclass(frozen=True, slots=True)
class _StoredSegment:
    """Segment in the file. ``genre`` and ``saved`` (the column ``sound``) belong to its correction."""

    source: str
    started: float
    state: str
    span_seconds: tuple[float, float] | None
    played_file: str
    genre: str | None
    saved: str

    @property
    def seconds(self) -> float:
        """Length of the audio, infinite if an older program did not record the position in the stream."""
        return float("inf") if self.span_seconds is None else self.span_seconds[1] - self.span_seconds[0]


class LabelCorrections:
    """Editor for the corrections of one history, to be used on the thread of its ``HistoryStore``.

    Parameters
    ----------
    store : HistoryStore
    manifest : ModelManifest
        Manifest of the model. A correction names one of its labels, and audio shorter than its window is not
        saved.
    audio : RecentAudioBuffer, optional
        Audio of the running sessions.
    """

    def __init__(
        self, store: HistoryStore, manifest: ModelManifest, audio: RecentAudioBuffer | None = None
    ) -> None:
        self._store = store
        self._labels = manifest.labels
        self._window_seconds = manifest.audio.window_seconds
        self._audio = audio

    def correct(self, session: int, segment: int, genre: str | None, unix: float) -> Outcome:
        """Record the genre of a segment and save its audio, or remove the correction if the genre is None.

        Parameters
        ----------
        session, segment : int
            Numbers in the file.
        genre : str or None
        unix : float
            Unix seconds of the correction.

        Raises
        ------
        HistoryError
            If there is no such segment, genre or correction, if the segment is silent, or if the file cannot
            be written.
        """
        if genre is not None and genre not in self._labels:
            raise HistoryError(f"{genre!r} is not a genre of the model; choose {', '.join(self._labels)}")
        try:
            return self._correct(session, segment, genre, unix)
        except (sqlite3.Error, OSError) as error:
            raise HistoryError(
                f"the history {self._store.path} cannot be written: {describe_error(error)}; "
                f"{suggest_remedy(error)}"
            ) from error

    def _correct(self, session: int, segment: int, genre: str | None, unix: float) -> Outcome:
        written: list[Path] = []  # clips to delete if the transaction fails
        outdated = ""
        outcome = Outcome(ResponseCode.LABEL_REMOVED, "")

        def update(connection: sqlite3.Connection) -> None:
            nonlocal outdated, outcome
            stored = _read_segment(connection, session, segment)
            if genre is None:
                if stored.genre is None:
                    raise HistoryError(f"session {session}, segment {segment} has no correction to remove")
                connection.execute(
                    "DELETE FROM corrections WHERE session = ? AND number = ?", (session, segment)
                )
                outdated = stored.saved
                return
            if stored.state == StreamState.SILENT:
                raise HistoryError(f"session {session}, segment {segment} is silence, which has no genre")
            name = f"{CLIPS_FOLDER}/{genre_folder_name(genre)}/{session}-{segment}.wav"
            saved, outcome = self._save_audio(stored, name, written)
            connection.execute(
                "INSERT OR REPLACE INTO corrections VALUES (?, ?, ?, ?, ?)",
                (session, segment, genre, unix, saved),
            )
            outdated = stored.saved if stored.saved != saved else ""

        try:
            self._store.run_transaction(update)
        except BaseException:
            for path in written:
                _remove_clip(path)
            raise
        if clip := locate_clip(self._store.path, outdated):
            _remove_clip(clip)
        if genre is None:
            return Outcome(outcome.code, f"the correction of session {session}, segment {segment} is removed")
        text = f"session {session}, segment {segment} is now {genre}; {outcome.detail}"
        return Outcome(outcome.code, text)

    def _save_audio(self, stored: _StoredSegment, name: str, written: list[Path]) -> tuple[str, Outcome]:
        """Save the audio of a segment as ``name``, unless the file that was played still has it.

        Returns
        -------
        tuple of str and Outcome
            New value of the column ``sound``, and the outcome with a text about the audio.
        """
        code = ResponseCode.LABEL_SAVED_WITH_AUDIO
        if stored.played_file and os.path.isfile(stored.played_file) and self._fills_window(stored):
            return stored.played_file, Outcome(code, "its audio is in the file that was played")
        path = self._store.path.parent / name
        if os.path.isabs(stored.saved):  # perhaps on a disk that is not mounted now
            return stored.saved, Outcome(
                code, "its audio is in the file that was played, which is missing now"
            )
        clip = locate_clip(self._store.path, stored.saved)
        if stored.saved == name and clip is not None and clip.exists():
            return name, Outcome(code, "its audio is saved")
        try:
            content = self._read_audio(stored)
            if content:
                _write_clip(path, content)
                written.append(path)
                return name, Outcome(code, "its audio is saved")
        except OSError as error:
            # A clip that was saved before stays, in the folder of the old genre.
            verb = "moved" if stored.saved else "saved"
            text = f"its audio could not be {verb}: {describe_error(error)}"
            return stored.saved, Outcome(ResponseCode.LABEL_SAVED_AUDIO_FAILED, text)
        if not self._fills_window(stored):
            window = f"{self._window_seconds:.2f} s"
            text = f"its audio is shorter than a window of {window} and is not saved"
            return "", Outcome(ResponseCode.LABEL_SAVED_TOO_SHORT, text)
        return "", Outcome(ResponseCode.LABEL_SAVED_WITHOUT_AUDIO, "its audio is no longer in memory")

    def _fills_window(self, stored: _StoredSegment) -> bool:
        return stored.seconds >= self._window_seconds - TIME_ROUNDING_SECONDS

    def _read_audio(self, stored: _StoredSegment) -> bytes:
        """Return a WAV file from the present correction or from memory, empty if neither has the audio."""
        if saved := locate_clip(self._store.path, stored.saved):
            with contextlib.suppress(FileNotFoundError):
                return saved.read_bytes()
        if stored.span_seconds is None or self._audio is None:
            return b""
        clip = self._audio.clip(stored.source, stored.started, *stored.span_seconds)
        return encode_wav(clip) if clip else b""

    def delete_all(self, unix: float) -> Outcome:
        """Delete all rows, quarantined files, saved clips and the audio in memory.

        Parameters
        ----------
        unix : float
            Unix seconds, for the name of a file that turns out to be damaged.

        Raises
        ------
        HistoryError
            If the file belongs to another program, or if something cannot be deleted. Everything else is
            deleted nevertheless.
        """
        path = self._store.path
        file_remains = False
        try:
            try:
                file_remains = self._delete_rows(unix)
                clips = self._delete_files()
            except (sqlite3.Error, OSError):  # on a full disk, deleted files make room
                clips = self._delete_files()
                file_remains = self._delete_rows(unix)
                self._delete_files()
            finally:
                # The files are deleted first, since a full disk has no room to shrink the database. The
                # database is shrunk even if a file cannot be deleted, since its log still has the rows.
                released = self._store.compact() if file_remains else True
        except (sqlite3.Error, OSError) as error:
            raise HistoryError(
                f"not all of the history {path} could be deleted: {describe_error(error)}; "
                f"{suggest_remedy(error)}"
            ) from error
        text = f"the history is deleted (saved clips: {clips})"
        if not released:
            text += "; another program still reads it, and the deleted rows leave the disk when it ends"
        return Outcome(ResponseCode.HISTORY_DELETED, text)

    def _delete_rows(self, unix: float) -> bool:
        """Delete all rows, or quarantine a damaged file. Return False if the file was quarantined."""
        try:
            self._store.delete_rows()
        except sqlite3.DatabaseError as error:
            if sqlite_error_code(error) not in DAMAGE_CODES:
                raise
            if self._store.quarantine(unix) is not None:
                return False
            self._store.delete_rows()  # another program has started a new file
        return True

    def _delete_files(self) -> int:
        """Delete the audio in memory, the clips and the quarantined files. Return the number of clips."""
        if self._audio is not None:
            self._audio.clear()
        path = self._store.path
        clips = saved_clips(path)
        for each in [*clips, *quarantined_files(path)]:
            each.unlink(missing_ok=True)
        for folder in [*(path.parent / CLIPS_FOLDER).glob("*/"), path.parent / CLIPS_FOLDER]:
            with contextlib.suppress(OSError):  # the folder holds other files, or does not exist
                folder.rmdir()
        return sum(each.suffix == ".wav" for each in clips)


def locate_clip(path: Path, saved: str) -> Path | None:
    """Return the path of the clip that a row of the history at ``path`` names.

    Parameters
    ----------
    path : Path
        File of the history.
    saved : str
        Column ``sound``.

    Returns
    -------
    Path or None
        None if the row names no clip of this program, or if a link leads to a file elsewhere.
    """
    if not SAVED_CLIP.fullmatch(saved):
        return None
    clip = path.parent / saved
    inside = os.path.realpath(path.parent / CLIPS_FOLDER)
    return clip if os.path.commonpath((inside, os.path.realpath(clip))) == inside else None


def saved_clips(path: Path) -> list[Path]:
    """List the clips saved beside the history at ``path``, including unfinished files after a crash."""
    return [each for each in (path.parent / CLIPS_FOLDER).glob("*/*") if CLIP_NAME.fullmatch(each.name)]


def quarantined_files(path: Path) -> list[Path]:
    """List the damaged files that were renamed and replaced by the history at ``path``."""
    return [each for each in path.parent.iterdir() if each.name.startswith(f"{path.name}.damaged-")]


def genre_folder_name(genre: str) -> str:
    """Convert a genre to the name of a folder that every operating system accepts."""
    return re.sub(r"[^\w&+ -]", "_", genre).strip() or "_"


def encode_wav(clip: AudioClip) -> bytes:
    """Encode a clip as a mono WAV file with 16 bits per sample."""
    content = io.BytesIO()
    with wave.open(content, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(clip.sample_rate)
        file.writeframes(clip.samples.astype("<i2").tobytes())
    return content.getvalue()


def _read_segment(connection: sqlite3.Connection, session: int, segment: int) -> _StoredSegment:
    """Read a segment with its correction.

    Raises
    ------
    HistoryError
        If there is no segment with these numbers.
    """
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
        hint = f"its segments are {first} to {last}" if count else "it has no segments"
        raise HistoryError(f"session {session} has no segment {segment}; {hint}")
    span = None if row["from_seconds"] is None else (row["from_seconds"], row["to_seconds"])
    return _StoredSegment(
        row["source"], row["started"], row["state"], span, row["file"], row["correction"], row["sound"]
    )


def _write_clip(path: Path, content: bytes) -> None:
    """Write a file atomically and readable by this user only."""
    for folder in (path.parent.parent, path.parent):
        folder.mkdir(mode=0o700, exist_ok=True)
    try:
        with atomic_write(path, mode=0o600) as file:
            file.write(content)
    except BaseException:
        with contextlib.suppress(OSError):  # the folder holds other clips
            path.parent.rmdir()
        raise


def _remove_clip(path: Path) -> None:
    """Delete a clip, and its folder if the folder is then empty. Log a clip that cannot be deleted."""
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        logger.warning("%s cannot be deleted: %s", path, describe_error(error))
    with contextlib.suppress(OSError):
        path.parent.rmdir()
