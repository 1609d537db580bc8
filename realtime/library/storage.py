"""Files and S3 buckets that a music library lies in."""

from __future__ import annotations

import os
import stat
import threading
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from models.common.text import first_line
from realtime.errors import SourceError
from realtime.library.track import LibraryTrack, is_s3

MAX_FILE_BYTES = 2_000_000_000
"""Of one track that is fetched; more would fill the disks of a cluster."""


FETCH_BYTES = 1 << 20


def describe_missing(track: LibraryTrack) -> str | None:
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


def open_filesystem(uri: str) -> tuple[Any, str]:
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


class FetchedFile:
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
        track: LibraryTrack,
        folder: Path,
        most_bytes: int = MAX_FILE_BYTES,
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

    def _fetch(self, track: LibraryTrack, copy: Path, most_bytes: int) -> None:
        filesystem, key = open_filesystem(track.uri)
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
