"""A track of a music library, on disk or in a bucket."""

from __future__ import annotations

from dataclasses import dataclass

from models.common.text import storable


@dataclass(frozen=True, slots=True)
class LibraryTrack:
    """An audio file of the library.

    Attributes
    ----------
    uri : str
        Absolute path or ``s3://BUCKET/KEY``.
    size : int
        Bytes, or -1 if the size is unknown.
    modified : int
        Microseconds since 1970 of the last change, or -1 if it is unknown.
    """

    uri: str
    size: int
    modified: int

    @property
    def name(self) -> str:
        """``uri`` with escapes for bytes that are not valid Unicode, so that it can be stored anywhere."""
        return storable(self.uri)


def is_s3(place: str) -> bool:
    """Return whether ``place`` is an S3 address."""
    return place.startswith("s3://")
