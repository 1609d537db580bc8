"""Timer of the playlist, which runs only while the page is seen and music plays."""

from __future__ import annotations


class RefreshTimer:
    """Times since the last refresh and since the last change of the songs or of their order.

    Parameters
    ----------
    interval_seconds : float
        Seconds for which the page must be seen until the timer is due.
    music_seconds : float
        Seconds of music that must have played since the last refresh.
    reorder_seconds : float
        Seconds without a change after which the order may change.
    """

    def __init__(self, interval_seconds: float, music_seconds: float, reorder_seconds: float) -> None:
        self._interval_seconds = interval_seconds
        self._music_seconds = min(music_seconds, interval_seconds)
        self._reorder_seconds = reorder_seconds
        self._now: float | None = None
        self._seen_at = 0.0
        self._refreshed_at = 0.0
        self._music_at_refresh = 0.0
        self._changed_at = 0.0

    def advance(self, now: float, *, is_seen: bool) -> None:
        """Move the clock of the page to ``now``, without the time since the last call unless it is seen."""
        if self._now is None or is_seen:
            self._seen_at += now - (self._now or 0.0)
        self._now = now

    def is_due(self, music_seconds: float) -> bool:
        """Return whether a refresh is due, with ``music_seconds`` of music so far."""
        enough = music_seconds - self._music_at_refresh >= self._music_seconds
        return enough and self._seen_at - self._refreshed_at >= self._interval_seconds

    @property
    def may_reorder(self) -> bool:
        """True if nothing has changed for so long that the order may change."""
        return self._seen_at - self._changed_at >= self._reorder_seconds

    def mark_refreshed(self, music_seconds: float) -> None:
        """Start the timer again."""
        self._refreshed_at, self._music_at_refresh = self._seen_at, music_seconds

    def mark_changed(self) -> None:
        """Record that the songs or their order have changed."""
        self._changed_at = self._seen_at
