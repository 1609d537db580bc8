"""Internet radio: HTTP, ICY, HLS and RTSP streams as audio sources."""

from realtime.network.source import StreamSource

__all__ = ["StreamSource"]
