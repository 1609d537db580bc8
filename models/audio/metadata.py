"""Artist and title that the tags of an audio file state."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from models.common.text import clean_label, decode_text

if TYPE_CHECKING:
    import av.container


class FileMetadata(NamedTuple):
    """Artist and title of a file, each empty if the file does not state it."""

    artist: str = ""
    title: str = ""


def read_metadata(container: av.container.InputContainer, stream: av.AudioStream) -> FileMetadata:
    """Read the tags of a container that was opened with ``surrogateescape``. Ogg has them in its stream."""
    tags: dict[str, str] = {}
    for metadata in (stream.metadata, container.metadata):
        tags |= {name.casefold(): text for name, text in metadata.items() if text.strip()}
    artist = tags.get("artist") or tags.get("album_artist") or ""
    return FileMetadata(_clean(artist), _clean(tags.get("title", "")))


def _clean(tag: str) -> str:
    """Decode a tag again if it is not UTF-8, and clean it."""
    return clean_label(decode_text(tag.encode("utf-8", "surrogateescape")))
