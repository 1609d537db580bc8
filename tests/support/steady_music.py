"""Two hours of steady music on a movable clock, with the bundled catalog and without keys.

``python -m tests.support.steady_music`` prints a line for each genre and language.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from dashboard.analyzer.snapshot import ReceivedEstimate
from dashboard.i18n.languages import LANGUAGES
from dashboard.recommendations.domain.identity import identity_keys
from dashboard.recommendations.engine.playlist import Filters, PlaylistItem
from dashboard.recommendations.engine.rolling_playlist import RollingPlaylist
from dashboard.recommendations.providers.catalog.provider import CatalogProvider
from dashboard.recommendations.providers.catalog.songs import Song, load
from dashboard.recommendations.providers.registry import ProviderGroup
from dashboard.recommendations.service import RecommendationService
from tests.support.genres import GENRES
from tests.support.protocol import estimate_message
from tests.support.services.faulty_http import MovableClock

STEP_SECONDS = 5.0
"""Seconds between two estimates. Longer steps count as a gap in the music."""
LOOK_SECONDS = 20.0
"""Seconds between two looks at the page."""
HOURS = 2.0
REPEAT_SECONDS = 45 * 60.0
"""Seconds for which a song that has left the list must not return."""


@dataclass(slots=True)
class TwoHours:
    """Events of two hours.

    Attributes
    ----------
    fitting : list of float
        Share of the rows that pass the filters, at each minute with rows.
    rows : list of int
        Number of rows at each minute, from the first rows on.
    repeats : int
        Songs that returned within ``REPEAT_SECONDS`` after they had left the list.
    longest_still : float
        Longest time in seconds without another song or another order.
    songs : set of str
        Keys of all songs.
    languages, first_languages
        Languages of all songs, and of the songs of the first list.
    """

    fitting: list[float] = field(default_factory=list)
    rows: list[int] = field(default_factory=list)
    repeats: int = 0
    longest_still: float = 0.0
    songs: set[str] = field(default_factory=set)
    languages: set[str | None] = field(default_factory=set)
    first_languages: list[str | None] = field(default_factory=list)

    @property
    def worst(self) -> float:
        """Smallest share of rows that pass the filters at any minute."""
        return min(self.fitting, default=1.0)

    def line(self, name: str, available: int) -> str:
        """Return the figures as a line of a table."""
        return (
            f"{name:<16}{available:>6}{self.worst:>9.0%}{min(self.rows, default=0):>6}{self.repeats:>9}"
            f"{self.longest_still / 60:>9.1f}{len(self.songs):>7}"
        )


HEADER = f"{'cell':<16}{'songs':>6}{'worst':>9}{'rows':>6}{'repeats':>9}{'still':>9}{'shown':>7}"


def play_two_hours(genre: str, filters: Filters, songs: tuple[Song, ...] | None = None) -> TwoHours:
    """Play steady music of one genre for two hours and look at the list all the time."""
    clock = MovableClock()
    providers = ProviderGroup([], CatalogProvider(clock, songs, seed=3), clock)
    service = RecommendationService(providers, RollingPlaylist(filters=filters), clock)
    probabilities = {each: 0.8 if each == genre else 0.2 / (len(GENRES) - 1) for each in GENRES}
    estimate = estimate_message(genre, probabilities=probabilities).estimate
    seen, left_at, changed_at = TwoHours(), dict[str, float](), 0.0
    before: tuple[PlaylistItem, ...] = ()
    for look in range(1, round(HOURS * 3600 / LOOK_SECONDS) + 1):
        clock.move(LOOK_SECONDS)
        now = look * LOOK_SECONDS
        steps = range(round(LOOK_SECONDS / STEP_SECONDS))
        received = [ReceivedEstimate(0, now - STEP_SECONDS * step, estimate) for step in reversed(steps)]
        items = service.update(received, filters).items
        keys, old = [item.key for item in items], [item.key for item in before]
        for item in before:
            if item.key not in keys:
                left_at |= dict.fromkeys(identity_keys(item.track), now)
        for item in items:
            if item.key not in old:
                back = [left_at[key] for key in identity_keys(item.track) if key in left_at]
                seen.repeats += any(now - at < REPEAT_SECONDS for at in back)
        seen.songs.update(keys)
        languages = [item.track.language for item in items]
        seen.languages.update(languages)
        seen.first_languages = seen.first_languages or languages
        if keys != old:
            changed_at = now
        if items:
            seen.longest_still = max(seen.longest_still, now - changed_at)
        if items and now % 60 == 0:
            today = clock.now().date()
            misses = sum(bool(filters.unmet(item.track, today)) for item in items)
            seen.fitting.append(1 - misses / len(items))
            seen.rows.append(len(items))
        before = items
    return seen


def main() -> None:
    """Print the table of all genres and languages."""
    print(HEADER)
    for genre in GENRES:
        for language in (None, *LANGUAGES):
            available = sum(song.genre == genre and language in (None, song.language) for song in load())
            print(
                play_two_hours(genre, Filters(language)).line(f"{genre} {language or 'any'}", available),
                flush=True,
            )


if __name__ == "__main__":
    main()
