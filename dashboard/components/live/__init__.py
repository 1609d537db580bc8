"""The live part of the page: current genre, timeline, spectrogram, and choice of the source."""

from dashboard.components.live.component import show_live

__all__ = ["show_live"]
