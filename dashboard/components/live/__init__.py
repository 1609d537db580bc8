"""Live component: current genre, recent timeline, spectrogram, and source picker."""

from dashboard.components.live.component import show_live

__all__ = ["show_live"]
