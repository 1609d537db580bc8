"""Searches for the songs of a playlist: which queries the filters need, and which of them to send."""

from __future__ import annotations

from dashboard.recommendations.domain.tracks import TrackQuery
from dashboard.recommendations.engine.playlist import Filters
from dashboard.recommendations.engine.refill import RefillPlanner
from dashboard.recommendations.engine.settings import PlaylistSettings


class Searches:
    """Searches by genre under the current filters.

    Parameters
    ----------
    filters : Filters
    settings : PlaylistSettings
    """

    def __init__(self, filters: Filters, settings: PlaylistSettings) -> None:
        self.filters = filters
        self._depth = settings.pool_depth
        self._refill = RefillPlanner(settings.retry_seconds, settings.patience_seconds)

    def queries(self, genre: str) -> tuple[TrackQuery, ...]:
        """Return the queries for a genre. Songs beyond the filters are searched once all others are found."""
        queries = self.filters.queries(genre, self._depth)
        wider = self.filters.wider_queries(genre, self._depth)
        return wider if wider and all(map(self._refill.is_exhausted, queries)) else queries

    def is_exhausted(self, genre: str) -> bool:
        """Return whether no further songs are found for a genre."""
        return all(map(self._refill.is_exhausted, self.queries(genre)))

    def is_pending(self, genre: str, now: float) -> bool:
        """Return whether songs of a genre may arrive soon."""
        return any([self._refill.is_pending(query, now) for query in self.queries(genre)])

    def next_queries(self, genre: str, now: float) -> list[TrackQuery]:
        """Return the queries for a genre to send now."""
        found = [self._refill.next_query(query, now) for query in self.queries(genre)]
        return [query for query in found if query is not None]

    def record_results(self, query: TrackQuery, found: int) -> None:
        """Record the number of songs found for a query."""
        self._refill.record_results(query, found)

    def restart(self, genre: str) -> None:
        """Search a genre again once it is exhausted, because songs of the genre have expired."""
        self._refill.restart(genre)
