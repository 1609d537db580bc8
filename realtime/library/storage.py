"""Access to the files and S3 buckets of a music library."""

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
"""Size of the largest track that is fetched. Larger tracks could fill the disks of a cluster."""

FETCH_BYTES = 1 << 20
"""Bytes of one read. A stopped run ends after the current read."""


def describe_missing(track: LibraryTrack) -> str | None:
    """Describe why a local track cannot be read on this computer at present.

    The track may belong to another computer, or its folder may not be mounted on this computer.

    Returns
    -------
    str or None
        One sentence, or None if the track can be read.
    """
    try:
        status = os.stat(track.uri)
        if stat.S_ISREG(status.st_mode):
            open(track.uri, "rb").close()
    except OSError as error:
        return f"{track.name} does not exist or cannot be read: {error.strerror}"
    if track.size >= 0 and (status.st_size, status.st_mtime_ns // 1000) != (track.size, track.modified):
        return f"{track.name} has changed since it was found, or is another file on this computer"
    return None


def open_filesystem(uri: str) -> tuple[Any, str]:
    """Open the file system of an address.

    Region and credentials of S3 come from the environment, the user's files or the machine's role, as in
    every AWS client. ``AWS_ENDPOINT_URL`` names another S3-compatible service.

    Returns
    -------
    filesystem : pyarrow.fs.FileSystem
    path : str
        Path within the file system.

    Raises
    ------
    SourceError
        If ``AWS_ENDPOINT_URL`` is not an HTTP address.
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
    """Local file of a track. A track in a bucket is copied, and ``close`` removes the copy.

    Parameters
    ----------
    track : LibraryTrack
    folder : Path
        Folder for the copy.
    max_bytes : int
        Size of the largest track that is copied.
    stop : threading.Event, optional
        Event that ends the fetching with an error.

    Attributes
    ----------
    path : str
        Path of the file.

    Raises
    ------
    SourceError
        If the track cannot be fetched or is too large, or if fetching was stopped.
    """

    def __init__(
        self,
        track: LibraryTrack,
        folder: Path,
        max_bytes: int = MAX_FILE_BYTES,
        stop: threading.Event | None = None,
    ) -> None:
        self.path = track.uri
        self._stop = stop or threading.Event()
        self._copy: Path | None = None
        if is_s3(track.uri):
            self._copy = folder / f"{os.urandom(8).hex()}{Path(track.uri).suffix[:8]}"
            self.path = str(self._copy)
            try:
                self._fetch(track, self._copy, max_bytes)
            except BaseException:
                self.close()
                raise

    def _fetch(self, track: LibraryTrack, copy: Path, max_bytes: int) -> None:
        filesystem, key = open_filesystem(track.uri)
        fetched = 0
        try:
            with filesystem.open_input_stream(key) as stream, copy.open("wb") as file:
                while part := stream.read(FETCH_BYTES):
                    fetched += len(part)
                    if self._stop.is_set():
                        raise SourceError(f"{track.name} was not fetched: the run was stopped")
                    if fetched > max_bytes:
                        raise SourceError(f"{track.name} has more than {max_bytes:,} bytes")
                    file.write(part)
        except (OSError, ValueError) as error:  # ArrowInvalid, a ValueError, for a key that contains //
            raise SourceError(f"cannot fetch {track.name}: {first_line(error)}") from error

    def close(self) -> None:
        """Remove the copy. Later calls have no effect."""
        if self._copy is not None:
            self._copy.unlink(missing_ok=True)
