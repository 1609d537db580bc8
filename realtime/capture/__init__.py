"""Live capture from sound devices; one module per platform API."""

from realtime.capture.live_source import LiveSource

__all__ = ["LiveSource"]
