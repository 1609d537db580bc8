"""Tracks of a music library, on disk or in a bucket."""

from __future__ import annotations

from dataclasses import dataclass

from models.common.text import replace_surrogates


@dataclass(frozen=True, slots=True)
class LibraryTrack:
    """Audio file of a library.

    Attributes
    ----------
    uri : str
        Absolute path or ``s3://BUCKET/KEY``.
    size : int
        Bytes, or -1 if the size is unknown.
    modified : int
        Time of the last change in microseconds since 1970, or -1 if the time is unknown.
    """

    uri: str
    size: int
    modified: int

    @property
    def name(self) -> str:
        """``uri`` with escapes for bytes that are not valid UTF-8, for files and messages."""
        return replace_surrogates(self.uri)


def is_s3(place: str) -> bool:
    """Return True if ``place`` is an S3 address."""
    return place.startswith("s3://")
