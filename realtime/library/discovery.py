"""Find the tracks of a library in folders, S3 buckets and playlists.

Tracks are yielded one by one, so a library of ten million tracks is never held in memory.
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
"""Suffixes of audio files. Folders and buckets also hold covers and texts, but a list may name any file."""


def find_tracks(places: Iterable[str]) -> Iterator[LibraryTrack]:
    """Yield the tracks of each place, sorted by name within the place.

    A track that is named twice is yielded twice. A missing track of a list is yielded too, because its row
    in the table shall name the error.

    Parameters
    ----------
    places : iterable of str
        Folders, ``s3://BUCKET/PREFIX``, audio files, and lists. A list is a text file with one path or
        ``s3://`` address a line, relative to the folder of the list. Comments of M3U are skipped.

    Raises
    ------
    SourceError
        If a place does not exist or cannot be read.
    """
    for place in places:
        if is_s3(place):
            yield from _in_bucket(place)
        elif os.path.isdir(place):
            yield from _in_folder(os.path.abspath(place))
        elif not os.path.exists(place):
            raise SourceError(
                f"{place} does not exist; name a folder, s3://BUCKET/PREFIX, or a list of tracks"
            )
        elif Path(place).suffix.lower() in AUDIO_SUFFIXES:
            yield _local(os.path.abspath(place))
        else:
            yield from _in_list(Path(place))


def _in_folder(folder: str) -> Iterator[LibraryTrack]:
    def refuse(error: OSError) -> None:
        if error.filename == folder:
            raise SourceError(f"cannot read the folder {folder}: {error.strerror}") from error

    for place, folders, names in os.walk(folder, onerror=refuse):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            if not name.startswith(".") and os.path.splitext(name)[1].lower() in AUDIO_SUFFIXES:
                yield _local(os.path.join(place, name))


def _local(path: str) -> LibraryTrack:
    try:
        found = os.stat(path)
    except OSError:  # the track becomes a row with an error, and the next run tries again
        return LibraryTrack(path, -1, -1)
    return LibraryTrack(path, found.st_size, found.st_mtime_ns // 1000)


def _in_list(path: Path) -> Iterator[LibraryTrack]:
    try:
        with path.open(encoding="utf-8-sig", errors="surrogateescape") as lines:
            for line in lines:
                entry = line.strip("\r\n")
                if "\0" in entry:
                    raise SourceError(f"{path} is not a list of tracks: it is not UTF-8 text")
                if not entry.strip() or entry.startswith("#"):
                    continue
                if is_s3(entry):
                    yield _listed(entry)
                else:
                    yield _local(os.path.abspath(path.parent / entry))
    except OSError as error:
        raise SourceError(f"cannot read the list {path}: {error.strerror or error}") from error


def _listed(uri: str) -> LibraryTrack:
    """Return a track in a bucket that a list names."""
    filesystem, key = open_filesystem(uri)
    try:
        return _remote(filesystem.get_file_info([key])[0])
    except (OSError, ValueError):  # access denied or invalid key: the track becomes a row with an error
        return LibraryTrack(uri, -1, -1)


def _in_bucket(place: str) -> Iterator[LibraryTrack]:
    """Yield the tracks of a bucket, listing one folder at a time to bound the memory."""
    from pyarrow import fs

    filesystem, top = open_filesystem(place)
    waiting = [top]
    while waiting:
        here = waiting.pop()
        selector = fs.FileSelector(here, recursive=False)
        try:
            found = sorted(filesystem.get_file_info(selector), key=lambda info: str(info.path))
        except FileNotFoundError as error:
            raise SourceError(f"{place} does not exist or is empty") from error
        except (OSError, ValueError) as error:  # ArrowInvalid is a ValueError: a key with // in it
            raise SourceError(f"cannot list {place}: {first_line(error)}") from error
        for info in found:
            if info.type == fs.FileType.File and os.path.splitext(info.path)[1].lower() in AUDIO_SUFFIXES:
                yield _remote(info)
        folders = [info.path for info in reversed(found) if info.type == fs.FileType.Directory]
        if any(
            folder.rstrip("/") == here for folder in folders
        ):  # pyarrow lists a key with // in it like this
            logger.warning("s3://%s has keys with // in them, which are skipped", here)
        waiting += [folder for folder in folders if folder.rstrip("/") != here]


def _remote(info: Any) -> LibraryTrack:
    known = info.mtime_ns is not None and info.size is not None
    return LibraryTrack(
        f"s3://{info.path}", info.size if known else -1, info.mtime_ns // 1000 if known else -1
    )
