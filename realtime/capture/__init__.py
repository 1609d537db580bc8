"""Live capture from sound devices, with one module for each platform API."""

from realtime.capture.live_source import LiveSource
from realtime.capture.platform import list_microphones, list_outputs, open_microphone, open_system

__all__ = ["LiveSource", "list_microphones", "list_outputs", "open_microphone", "open_system"]
