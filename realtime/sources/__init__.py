"""Every kind of audio source, and reconnection, which is imported from ``reconnecting`` if it is needed."""

from realtime.sources.factory import available_sources, open_source
from realtime.sources.file import ArraySource, FileSource

__all__ = ["ArraySource", "FileSource", "available_sources", "open_source"]
