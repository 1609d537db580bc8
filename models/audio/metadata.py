"""Artist and title that the tags of an audio file state."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from models.common.text import clean_label

if TYPE_CHECKING:
    import av.container


class FileMetadata(NamedTuple):
    """Artist and title of a file, each empty if the file does not state it."""

    artist: str = ""
    title: str = ""


def read_metadata(container: av.container.InputContainer, stream: av.AudioStream) -> FileMetadata:
    """Read the tags of a container. Ogg has them in its stream."""
    tags: dict[str, str] = {}
    for metadata in (stream.metadata, container.metadata):
        tags |= {name.casefold(): text for name, text in metadata.items() if text.strip()}
    artist = tags.get("artist") or tags.get("album_artist") or ""
    return FileMetadata(clean_label(artist), clean_label(tags.get("title", "")))
