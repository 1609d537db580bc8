"""Tags of audio files."""

from __future__ import annotations

from pathlib import Path


def read_artist(path: Path) -> str:
    """Artist as the tags of a sound file name them; empty where they do not, or nothing can be read."""
    import av
    import av.error

    try:
        with av.open(str(path), metadata_errors="ignore") as container:
            tags = dict(container.metadata)
            for stream in container.streams.audio[:1]:  # where Ogg has them
                tags |= stream.metadata
    except (av.error.FFmpegError, OSError):
        return ""
    return next((value.strip() for key, value in tags.items() if key.casefold() == "artist"), "")
