"""Audio sources of every kind behind one interface, with reconnection of lost devices and stations.

``ReconnectingSource`` is imported from ``realtime.sources.reconnecting``, because not every start needs it.
"""

from realtime.sources.factory import available_sources, open_source
from realtime.sources.file import ArraySource, FileSource

__all__ = ["ArraySource", "FileSource", "available_sources", "open_source"]
