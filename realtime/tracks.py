"""The tracks of a library: found in folders, buckets (``s3://``) and lists, and brought to a local file.

Everything here is lazy: a library of ten millions is never held at once.
"""

from __future__ import annotations

import logging
import os
import stat
import threading
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from models.common.text import first_line, storable
from realtime.errors import SourceError

logger = logging.getLogger(__name__)

SOUND_SUFFIXES = frozenset(
    ".3gp .aac .aif .aifc .aiff .alac .ape .au .caf .dsf .flac .m4a .m4b .mka .mp2 .mp3 .mp4 .mpc .oga .ogg "
    ".opus .ra .snd .spx .tta .wav .webm .wma .wv".split()
)
"""What is taken from folders and buckets, where covers and texts lie beside; a list may name anything."""

MOST_BYTES = 2_000_000_000
"""Of one track that is fetched; more would fill the disks of a cluster."""

FETCH_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Track:
    """One file of sound.

    ``uri`` is an absolute path or ``s3://BUCKET/KEY``; ``size`` in bytes and ``modified`` in microseconds
    since 1970 tell whether it is still the same, -1 where it could not be asked.
    """

    uri: str
    size: int
    modified: int

    @property
    def name(self) -> str:
        """``uri`` as it can be written anywhere: what is no Unicode in a file's name is escaped."""
        return storable(self.uri)


def is_s3(place: str) -> bool:
    """Whether a place is a bucket or lies in one."""
    return place.startswith("s3://")


def find_tracks(places: Iterable[str]) -> Iterator[Track]:
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
        elif Path(place).suffix.lower() in SOUND_SUFFIXES:
            yield _local(os.path.abspath(place))
        else:
            yield from _in_list(Path(place))


def _in_folder(folder: str) -> Iterator[Track]:
    def refuse(error: OSError) -> None:
        if error.filename == folder:
            raise SourceError(f"cannot read the folder {folder}: {error.strerror}") from error

    for place, folders, names in os.walk(folder, onerror=refuse):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            if not name.startswith(".") and os.path.splitext(name)[1].lower() in SOUND_SUFFIXES:
                yield _local(os.path.join(place, name))


def _local(path: str) -> Track:
    try:
        found = os.stat(path)
    except OSError:  # it is a row with a fault, and asked for again
        return Track(path, -1, -1)
    return Track(path, found.st_size, found.st_mtime_ns // 1000)


def why_away(track: Track) -> str | None:
    """Why a local track cannot be heard on this computer now, one sentence; None where it can.

    It may be another computer's, or in a folder that is not mounted here.
    """
    try:
        found = os.stat(track.uri)
        if stat.S_ISREG(found.st_mode):
            open(track.uri, "rb").close()
    except OSError as error:
        return f"{track.name} does not exist or cannot be read: {error.strerror}"
    if track.size >= 0 and (found.st_size, found.st_mtime_ns // 1000) != (track.size, track.modified):
        return f"{track.name} has changed since it was found, or is another file where it is heard"
    return None


def _in_list(path: Path) -> Iterator[Track]:
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


def _listed(uri: str) -> Track:
    """A track of a bucket that a list names."""
    filesystem, key = filesystem_of(uri)
    try:
        return _remote(filesystem.get_file_info([key])[0])
    except (OSError, ValueError):  # denied, or no key at all: it is a row with a fault
        return Track(uri, -1, -1)


def _in_bucket(place: str) -> Iterator[Track]:
    """One level at a time, so that no more than one folder's names are held."""
    from pyarrow import fs

    filesystem, top = filesystem_of(place)
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
            if info.type == fs.FileType.File and os.path.splitext(info.path)[1].lower() in SOUND_SUFFIXES:
                yield _remote(info)
        folders = [info.path for info in reversed(found) if info.type == fs.FileType.Directory]
        if any(folder.rstrip("/") == here for folder in folders):  # so pyarrow tells of a key with // in it
            logger.warning("s3://%s has keys with // in them, which are passed over", here)
        waiting += [folder for folder in folders if folder.rstrip("/") != here]


def _remote(info: Any) -> Track:
    known = info.mtime_ns is not None and info.size is not None
    return Track(f"s3://{info.path}", info.size if known else -1, info.mtime_ns // 1000 if known else -1)


def filesystem_of(uri: str) -> tuple[Any, str]:
    """pyarrow's file system of a place, and the path in it.

    ``s3://`` takes region and credentials as every AWS client does, from the environment, the user's files
    or the machine's role; ``AWS_ENDPOINT_URL`` names another service that speaks S3.

    Raises
    ------
    SourceError
        ``AWS_ENDPOINT_URL`` is no address.
    """
    from pyarrow import fs

    if not is_s3(uri):
        return fs.LocalFileSystem(), os.path.abspath(uri)
    options: dict[str, Any] = {}
    if endpoint := os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL"):
        try:
            parts = urlsplit(endpoint)
        except ValueError:
            parts = urlsplit("")
        if parts.scheme not in ("http", "https") or not parts.netloc:
            raise SourceError(
                f"AWS_ENDPOINT_URL is {endpoint}; it must be an address such as https://s3.example.org:9000"
            )
        options = {"endpoint_override": parts.netloc, "scheme": parts.scheme, "region": "us-east-1"}
    if region := os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION"):
        options["region"] = region
    retries = fs.AwsStandardS3RetryStrategy(max_attempts=5)
    filesystem = fs.S3FileSystem(connect_timeout=10, request_timeout=60, retry_strategy=retries, **options)
    return filesystem, uri.removeprefix("s3://").rstrip("/")


class Fetched:
    """A track as a local file: itself, or a copy in a folder that is removed by ``close``.

    Parameters
    ----------
    track : Track
    folder : Path
        For the copy; at most ``MOST_BYTES``.
    stop : threading.Event
        Once set, no further piece of ``FETCH_BYTES`` is fetched.

    Raises
    ------
    SourceError
        It cannot be fetched, or is larger, or was stopped.
    """

    def __init__(
        self,
        track: Track,
        folder: Path,
        most_bytes: int = MOST_BYTES,
        stop: threading.Event | None = None,
    ) -> None:
        self.path = track.uri
        self._stop = stop or threading.Event()
        self._copy: Path | None = None
        if is_s3(track.uri):
            self._copy = folder / f"{os.urandom(8).hex()}{Path(track.uri).suffix[:8]}"
            self.path = str(self._copy)
            try:
                self._fetch(track, self._copy, most_bytes)
            except BaseException:
                self.close()
                raise

    def _fetch(self, track: Track, copy: Path, most_bytes: int) -> None:
        filesystem, key = filesystem_of(track.uri)
        taken = 0
        try:
            with filesystem.open_input_stream(key) as stream, copy.open("wb") as file:
                while part := stream.read(FETCH_BYTES):
                    taken += len(part)
                    if self._stop.is_set():
                        raise SourceError(f"{track.name} was not fetched: the run was stopped")
                    if taken > most_bytes:
                        raise SourceError(f"{track.name} has more than {most_bytes:,} bytes")
                    file.write(part)
        except (OSError, ValueError) as error:  # ArrowInvalid is a ValueError: a key with // in it
            raise SourceError(f"cannot fetch {track.name}: {first_line(error)}") from error

    def close(self) -> None:
        """Remove the copy; harmless when repeated."""
        if self._copy is not None:
            self._copy.unlink(missing_ok=True)
