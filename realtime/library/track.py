"""A track of a music library, on disk or in a bucket."""

from __future__ import annotations

from dataclasses import dataclass

from models.common.text import storable


@dataclass(frozen=True, slots=True)
class LibraryTrack:
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
