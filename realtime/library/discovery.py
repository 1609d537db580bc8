"""The tracks of a library: found in folders, buckets (``s3://``) and lists, and brought to a local file.

Everything here is lazy: a library of ten millions is never held at once.
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
"""What is taken from folders and buckets, where covers and texts lie beside; a list may name anything."""


def find_tracks(places: Iterable[str]) -> Iterator[LibraryTrack]:
    """All tracks of these places, each place in order of name; what is named twice comes twice.

    Parameters
    ----------
    places : iterable of str
        Folders, ``s3://BUCKET/PREFIX``, sound files, and lists: files of text with a path or an ``s3://``
        address a line (M3U's comments are passed over), relative to the folder of the list.

    Raises
    ------
    SourceError
        A place does not exist or cannot be read. A track that a list names and that is missing is no
        fault here: it has one when it is heard.
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
    except OSError:  # it is a row with a fault, and asked for again
        return LibraryTrack(path, -1, -1)
    return LibraryTrack(path, found.st_size, found.st_mtime_ns // 1000)


def _in_list(path: Path) -> Iterator[LibraryTrack]:
    try:
        with path.open(encoding="utf-8-sig", errors="surrogateescape") as lines:
            for line in lines:
                entry = line.strip("\r\n")
                if "\0" in entry:
                    raise SourceError(f"{path} is no list of tracks: it is no text in UTF-8")
                if not entry.strip() or entry.startswith("#"):
                    continue
                if is_s3(entry):
                    yield _listed(entry)
                else:
                    yield _local(os.path.abspath(path.parent / entry))
    except OSError as error:
        raise SourceError(f"cannot read the list {path}: {error.strerror or error}") from error


def _listed(uri: str) -> LibraryTrack:
    """A track of a bucket that a list names."""
    filesystem, key = open_filesystem(uri)
    try:
        return _remote(filesystem.get_file_info([key])[0])
    except (OSError, ValueError):  # denied, or no key at all: it is a row with a fault
        return LibraryTrack(uri, -1, -1)


def _in_bucket(place: str) -> Iterator[LibraryTrack]:
    """One level at a time, so that no more than one folder's names are held."""
    from pyarrow import fs

    filesystem, top = open_filesystem(place)
    waiting = [top]
    while waiting:
        here = waiting.pop()
        selector = fs.FileSelector(here, recursive=False)
        try:
            found = sorted(filesystem.get_file_info(selector), key=lambda info: str(info.path))
        except FileNotFoundError as error:
            raise SourceError(f"{place} does not exist or holds nothing") from error
        except (OSError, ValueError) as error:  # ArrowInvalid is a ValueError: a key with // in it
            raise SourceError(f"cannot list {place}: {first_line(error)}") from error
        for info in found:
            if info.type == fs.FileType.File and os.path.splitext(info.path)[1].lower() in AUDIO_SUFFIXES:
                yield _remote(info)
        folders = [info.path for info in reversed(found) if info.type == fs.FileType.Directory]
        if any(folder.rstrip("/") == here for folder in folders):  # so pyarrow tells of a key with // in it
            logger.warning("s3://%s has keys with // in them, which are passed over", here)
        waiting += [folder for folder in folders if folder.rstrip("/") != here]


def _remote(info: Any) -> LibraryTrack:
    known = info.mtime_ns is not None and info.size is not None
    return LibraryTrack(
        f"s3://{info.path}", info.size if known else -1, info.mtime_ns // 1000 if known else -1
    )
