"""Find the tracks of a library in folders, S3 buckets and playlists.

Tracks are yielded one by one, so that a library of ten million tracks is never in memory as a whole.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from models.common.text import first_line
from realtime.errors import SourceError
from realtime.library.storage import open_filesystem
from realtime.library.track import LibraryTrack, is_s3

logger = logging.getLogger(__name__)

AUDIO_SUFFIXES = frozenset(
    ".3gp .aac .aif .aifc .aiff .alac .ape .au .caf .dsf .flac .m4a .m4b .mka .mp2 .mp3 .mp4 .mpc .oga .ogg "
    ".opus .ra .snd .spx .tta .wav .webm .wma .wv".split()
)
"""Suffixes by which audio files are found in folders and buckets. A list may name any file."""


def find_tracks(places: Iterable[str]) -> Iterator[LibraryTrack]:
    """Yield the tracks of each place, sorted by name within the place.

    A track that is named twice is yielded twice. A missing track of a list is yielded too, so that its row
    in the table contains the error.

    Parameters
    ----------
    places : iterable of str
        Folders, ``s3://BUCKET/PREFIX``, audio files, and lists. A list is a text file with one path or
        ``s3://`` address a line. Paths are relative to the folder of the list. Comments of M3U are skipped.

    Raises
    ------
    SourceError
        If a place does not exist or cannot be read.
    """
    for place in places:
        if is_s3(place):
            yield from _find_in_bucket(place)
        elif os.path.isdir(place):
            yield from _find_in_folder(os.path.abspath(place))
        elif not os.path.exists(place):
            raise SourceError(
                f"{place} does not exist; name a folder, s3://BUCKET/PREFIX, or a list of tracks"
            )
        elif Path(place).suffix.lower() in AUDIO_SUFFIXES:
            yield _local_track(os.path.abspath(place))
        else:
            yield from _read_list(Path(place))


def _find_in_folder(top: str) -> Iterator[LibraryTrack]:
    def raise_for_top(error: OSError) -> None:
        """Raise an error about the folder itself. Folders below it that cannot be read are skipped."""
        if error.filename == top:
            raise SourceError(f"cannot read the folder {top}: {error.strerror}") from error

    for folder, subfolders, names in os.walk(top, onerror=raise_for_top):
        subfolders[:] = sorted(name for name in subfolders if not name.startswith("."))
        for name in sorted(names):
            if not name.startswith(".") and os.path.splitext(name)[1].lower() in AUDIO_SUFFIXES:
                yield _local_track(os.path.join(folder, name))


def _local_track(path: str) -> LibraryTrack:
    try:
        status = os.stat(path)
    except OSError:  # the track becomes a row with an error, and the next run tries again
        return LibraryTrack(path, -1, -1)
    return LibraryTrack(path, status.st_size, status.st_mtime_ns // 1000)


def _read_list(path: Path) -> Iterator[LibraryTrack]:
    try:
        with path.open(encoding="utf-8-sig", errors="surrogateescape") as lines:
            for line in lines:
                entry = line.strip("\r\n")
                if "\0" in entry:
                    raise SourceError(f"{path} is not a list of tracks: it is not UTF-8 text")
                if not entry.strip() or entry.startswith("#"):
                    continue
                if is_s3(entry):
                    yield _look_up_track(entry)
                else:
                    yield _local_track(os.path.abspath(path.parent / entry))
    except OSError as error:
        raise SourceError(f"cannot read the list {path}: {error.strerror or error}") from error


def _look_up_track(uri: str) -> LibraryTrack:
    """Look up a track in a bucket. Size and time are unknown if the lookup fails."""
    filesystem, key = open_filesystem(uri)
    try:
        return _bucket_track(filesystem.get_file_info([key])[0])
    except (OSError, ValueError):  # access denied or invalid key: the track becomes a row with an error
        return LibraryTrack(uri, -1, -1)


def _find_in_bucket(place: str) -> Iterator[LibraryTrack]:
    """Yield the tracks of a bucket. One folder is listed at a time to limit the memory."""
    from pyarrow import fs

    filesystem, top = open_filesystem(place)
    pending = [top]
    while pending:
        folder = pending.pop()
        selector = fs.FileSelector(folder, recursive=False)
        try:
            entries = sorted(filesystem.get_file_info(selector), key=lambda info: str(info.path))
        except FileNotFoundError as error:
            raise SourceError(f"{place} does not exist or is empty") from error
        except (OSError, ValueError) as error:  # ArrowInvalid, a ValueError, for a key that contains //
            raise SourceError(f"cannot list {place}: {first_line(error)}") from error
        for info in entries:
            if info.type == fs.FileType.File and os.path.splitext(info.path)[1].lower() in AUDIO_SUFFIXES:
                yield _bucket_track(info)
        subfolders = [info.path for info in reversed(entries) if info.type == fs.FileType.Directory]
        # PyArrow lists a key that contains // as the folder itself.
        if any(subfolder.rstrip("/") == folder for subfolder in subfolders):
            logger.warning("s3://%s has keys that contain //, which are skipped", folder)
        pending += [subfolder for subfolder in subfolders if subfolder.rstrip("/") != folder]


def _bucket_track(info: Any) -> LibraryTrack:
    known = info.mtime_ns is not None and info.size is not None
    return LibraryTrack(
        f"s3://{info.path}", info.size if known else -1, info.mtime_ns // 1000 if known else -1
    )
