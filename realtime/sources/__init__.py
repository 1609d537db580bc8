"""Every kind of audio source, and reconnection."""

from realtime.sources.factory import available_sources, open_source
from realtime.sources.file import ArraySource, FileSource
from realtime.sources.reconnecting import ReconnectingSource

__all__ = ["ArraySource", "FileSource", "ReconnectingSource", "available_sources", "open_source"]
