"""Times at which songs were last shown, so that a song does not return too soon."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from math import inf

from dashboard.recommendations.domain.identity import identity_keys
from dashboard.recommendations.domain.tracks import Track


class ShownSongs:
    """Songs that were shown, with the time at which each was last in the playlist.

    Times are seconds of the playlist's clock.
    """

    def __init__(self) -> None:
        self._shown_at: dict[str, float] = {}
        self.revision = 0
        """Number that grows with every change."""

    def shown_at(self, track: Track) -> float:
        """Return the time at which a song was last shown, or minus infinity if it never was."""
        return max((self._shown_at.get(key, -inf) for key in identity_keys(track)), default=-inf)

    def add(self, tracks: Iterable[Track], now: float) -> None:
        """Record that songs are in the playlist now, or have just left it."""
        self.add_keys({key for track in tracks for key in identity_keys(track)}, now)

    def withdraw(self, tracks: Iterable[Track]) -> None:
        """Let songs return at once, because the user changed the filters and may change them back."""
        for track in tracks:
            for key in identity_keys(track):
                self._shown_at.pop(key, None)
        self.revision += 1

    def add_keys(self, keys: Collection[str], now: float) -> None:
        """Record songs by their identity keys."""
        if keys:
            self._shown_at |= dict.fromkeys(keys, now)
            self.revision += 1
