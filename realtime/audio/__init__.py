"""Audio blocks and the AudioSource interface."""

from realtime.audio.source import AudioBlock, AudioSource, AudioWindow

__all__ = ["AudioBlock", "AudioSource", "AudioWindow"]
