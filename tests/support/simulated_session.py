"""Simulated evening: two hours of music with noisy estimates, invented songs, and a user who clicks.

``python -m tests.support.simulated_session`` prints the figures that the test compares with bounds.
"""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import dataclass, field
from datetime import date, timedelta
from math import inf
from statistics import median

from dashboard.i18n.languages import LANGUAGES
from dashboard.recommendations.domain.identity import artist_keys, identity_keys
from dashboard.recommendations.domain.tracks import ReleaseRange, Track, TrackQuery
from dashboard.recommendations.engine.listening_profile import ProfileSettings
from dashboard.recommendations.engine.playlist import Filters, Playlist, Reason
from dashboard.recommendations.engine.ranking import unmet_filters
from dashboard.recommendations.engine.rolling_playlist import RollingPlaylist
from dashboard.recommendations.engine.settings import PlaylistSettings
from tests.support.genres import GENRES

TODAY = date(2026, 3, 1)
STEP_SECONDS = 3.0
SONG_SECONDS = 210.0
CHANGE_CHANCE = 0.3
"""Probability that the next song has another genre, which is an assumption."""
SETTLED_SECONDS = 120.0
"""Seconds after a true change of genre from which a refresh is counted as needless."""
REST_SECONDS = 2700.0
"""Seconds after which a song that has left the list may return."""
FILTERS_AT = {
    2400.0: Filters("ja"),
    3600.0: Filters(None, ReleaseRange.YEAR),
    4500.0: Filters("ru", ReleaseRange.WEEK),
    4800.0: Filters(),
}


def library(rng: random.Random, songs_each: int = 400, artists_each: int = 150) -> dict[str, list[Track]]:
    """Return invented songs by genre. Two providers have every tenth song, with different spellings."""
    made: dict[str, list[Track]] = {}
    for genre in GENRES:
        tracks = made[genre] = []
        for number in range(songs_each):
            artist = f"{genre.title()} Artist {rng.randrange(artists_each)}"
            language = rng.choices(list(LANGUAGES), (6, 1, 1, 1, 1))[0]
            published = TODAY - timedelta(days=round(10 ** rng.uniform(0, 3.8)))
            track = Track(
                "First", f"Song {number}", (artist,), "https://first.example/", genre, language, "provider",
                published, "day", rank=number,
            )  # fmt: skip
            tracks.append(track)
            if number % 10 == 0:
                title, artists = f"SONG {number} (Remastered 2011)", (artist.upper(), "Guest")
                tracks.append(
                    Track("Second", title, artists, "https://second.example/", genre, language, "hint")
                )
    return made


@dataclass(slots=True)
class Report:
    """Events of the evening."""

    hours: float
    accuracy: float
    refreshes: Counter[str] = field(default_factory=Counter)
    queries: list[TrackQuery] = field(default_factory=list)
    shown: int = 0
    repeats: int = 0
    artists_twice: int = 0
    banned_shown: int = 0
    artists: set[str] = field(default_factory=set)
    relaxed: int = 0
    changes: int = 0
    delays: list[float] = field(default_factory=list)
    needless: int = 0

    def table(self) -> str:
        """Return the figures as a table."""
        kinds = ", ".join(f"{count} {kind}" for kind, count in sorted(self.refreshes.items()))
        rows = {
            "classifier right": f"{self.accuracy:.0%} of the windows",
            "new lists": f"{sum(self.refreshes.values())} ({kinds})",
            "songs shown": f"{self.shown} by {len(self.artists)} artists",
            "repeats": str(self.repeats),
            "an artist twice in a list": str(self.artists_twice),
            "banned artists shown": str(self.banned_shown),
            "songs beyond the filters": str(self.relaxed),
            "provider queries wanted": str(len(self.queries)),
            "true changes of genre": f"{self.changes}, {self.changes - len(self.delays)} missed",
            "refresh after a change": f"median {median(self.delays):.0f} s, longest {max(self.delays):.0f} s",
            "needless refreshes": f"{self.needless / self.hours:.1f} an hour",
        }
        return "\n".join(f"{name:<28}{value}" for name, value in rows.items())


class _Evening:
    def __init__(self, seed: int, report: Report, settings: PlaylistSettings, songs_each: int) -> None:
        self.rng = random.Random(seed)
        self.library = library(self.rng, songs_each)
        self.session = RollingPlaylist(settings)
        self.report = report
        self.pools: dict[str, list[Track]] = {genre: [] for genre in GENRES}
        self.genre, self.changed_at, self.noticed = "jazz", 0.0, True
        self.now = 0.0
        self.seen: dict[str, float] = {}
        self.before = Playlist()

    def run(self) -> Report:
        steps = round(self.report.hours * 3600 / STEP_SECONDS)
        pending: list[TrackQuery] = []
        for step in range(1, steps + 1):
            now = self.now = step * STEP_SECONDS
            self.play(now)
            for query in pending:
                self.arrive(query)
            pending = self.session.next_queries(now)
            self.report.queries += pending
            if now in FILTERS_AT:
                self.session.set_filters(FILTERS_AT[now])
            refreshed = self.session.profile.fast
            playlist = self.session.update(self.pools, now, TODAY)
            self.look(playlist)
            self.time(playlist, refreshed, now)
            self.click(step)
        return self.report

    def play(self, now: float) -> None:
        """Add an estimate: music that is mostly recognized, and talk for a minute in each half hour."""
        if now % SONG_SECONDS < STEP_SECONDS and self.rng.random() < CHANGE_CHANCE:
            self.genre = self.rng.choice([genre for genre in GENRES if genre != self.genre])
            self.changed_at, self.noticed = now, False
            self.report.changes += 1
        in_break = now % 1800 > 1740
        right = self.rng.random() < self.report.accuracy
        predicted = self.genre if right else self.rng.choice(GENRES)
        confidence = self.rng.uniform(0.5, 0.95) if right else self.rng.uniform(0.25, 0.7)
        rest = (1 - confidence) / (len(GENRES) - 1)
        state = "NOT_MUSIC" if in_break else "LISTENING" if confidence > 0.4 else "UNSURE"
        self.session.add_estimate(now, dict.fromkeys(GENRES, rest) | {predicted: confidence}, state)

    def arrive(self, query: TrackQuery) -> None:
        """Add the songs that a provider finds for a query."""
        fitting = [track for track in self.library[query.genre] if not unmet_filters(track, query, TODAY)]
        page = fitting[query.offset : query.offset + query.limit]
        self.pools[query.genre] += page
        self.session.record_results(query, len(page))

    def look(self, playlist: Playlist) -> None:
        """Count the songs that are shown for the first time."""
        old = {id(row.track) for row in self.before.items}
        if playlist.items == self.before.items:
            return
        left = [row.track for row in self.before.items if row not in playlist.items]
        self.report.refreshes[playlist.reason.value] += 1
        names = [name for row in playlist.items for name in artist_keys(row.track.artists)]
        self.report.artists_twice += sum(count - 1 for count in Counter(names).values() if count > 1)
        for row in playlist.items:
            if id(row.track) in old:
                continue
            self.report.shown += 1
            self.report.repeats += self.returns_too_soon(row.track)
            self.report.relaxed += bool(row.relaxed)
            self.report.banned_shown += self.session.feedback.is_banned(artist_keys(row.track.artists))
            self.report.artists |= artist_keys(row.track.artists[:1])
        for track in left:
            unmet = self.session.filters.unmet(track, TODAY)  # such a song may return with the next filters
            self.seen |= dict.fromkeys(identity_keys(track), -inf if unmet else self.now)
        self.before = playlist

    def returns_too_soon(self, track: Track) -> bool:
        """Return True if a song left the list less than 45 minutes ago."""
        left_at = max(self.seen.get(key, -inf) for key in identity_keys(track))
        return self.now - left_at < REST_SECONDS

    def time(self, playlist: Playlist, fast: dict[str, float], now: float) -> None:
        """Compare the refreshes with the true changes of genre."""
        if self.session.refreshed_at != now:
            return
        leading = max(fast, key=lambda genre: fast[genre], default="")
        if not self.noticed and leading == self.genre:
            self.noticed = True
            self.report.delays.append(now - self.changed_at)
        elif self.session.refresh_reason is Reason.SHIFT and now - self.changed_at > SETTLED_SECONDS:
            self.report.needless += 1

    def click(self, step: int) -> None:
        """Skip a song every 4 minutes, like one every 20, unpin all every 30 and ban one every 40."""
        rows = self.session.current.items
        if not rows:
            return
        key = rows[step % len(rows)].key
        for every, click in ((80, self.session.skip), (400, self.session.like), (800, self.session.ban)):
            if step % every == 0:
                self.look(click(key))
        if step % 600 == 0:
            for row in self.session.current.items:
                self.look(self.session.pin(row.key, on=False))


def simulate(
    seed: int = 1,
    accuracy: float = 0.75,
    hours: float = 2.0,
    settings: PlaylistSettings | None = None,
    songs_each: int = 400,
) -> Report:
    """Simulate one evening."""
    return _Evening(seed, Report(hours, accuracy), settings or PlaylistSettings(), songs_each).run()


def sweep() -> str:
    """Return a table of delays and needless refreshes by threshold of change, for three evenings each."""
    lines = ["distance  right  median delay  missed  needless/h"]
    for distance in (0.18, 0.25, 0.3, 0.35, 0.4, 0.5):
        settings = PlaylistSettings(profile=ProfileSettings(change_distance=distance))
        for accuracy in (0.6, 0.75, 0.9):
            runs = [simulate(seed, accuracy, 2.0, settings, songs_each=0) for seed in (1, 2, 3)]
            delay = median(delay for run in runs for delay in run.delays)
            changes = sum(run.changes for run in runs)
            missed = (changes - sum(len(run.delays) for run in runs)) / changes
            needless = sum(run.needless for run in runs) / 6
            lines.append(
                f"{distance:>8}  {accuracy:>4.0%}  {delay:>10.0f} s  {missed:>5.0%}  {needless:>10.1f}"
            )
    return "\n".join(lines)


if __name__ == "__main__":
    print(simulate().table())
    print()
    print(sweep())
