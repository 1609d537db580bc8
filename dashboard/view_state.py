"""What the page says: plain words for what the analyzer reports. Values in, values out.

The live part of the page gets the tables below as data and the songs ask the functions, so a
state, a genre or a confidence reads the same wherever it stands.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from dashboard.feed import Snapshot
from dashboard.recommendations.playlist import Playlist, Row
from dashboard.recommendations.tracks import Range
from realtime.estimates import StreamState


@dataclass(frozen=True, slots=True)
class StateWords:
    """How one state is said.

    ``title`` stands in the state line, ``headline`` in large type where the genre would be (empty:
    the genre stands there), ``advice`` tells what happens or what to do next.
    """

    title: str
    headline: str
    advice: str


STATE_WORDS: Mapping[StreamState, StateWords] = {
    StreamState.CONNECTING: StateWords(
        "Opening the sound source", "one moment", "The analyzer is opening what it will listen to."
    ),
    StreamState.WARMING_UP: StateWords(
        "Warming up", "listening in", "Sound arrives. The first answer needs about five seconds of it."
    ),
    StreamState.LISTENING: StateWords("Playing now", "", ""),
    StreamState.UNSURE: StateWords(
        "Not sure yet", "", "No genre stands out. It may be a mix, a quiet passage, or another style."
    ),
    StreamState.NOT_MUSIC: StateWords(
        "This does not sound like music", "no music", "Genres appear again as soon as music plays."
    ),
    StreamState.SILENT: StateWords(
        "Nothing is playing", "silence", "Play some music, or turn up what the analyzer listens to."
    ),
    StreamState.STALLED: StateWords(
        "No sound arrives",
        "no signal",
        "The source delivers nothing at all. Check that it is plugged in and not muted.",
    ),
    StreamState.RECOVERING: StateWords(
        "The sound source was lost",
        "coming back",
        "The analyzer is opening it again. Nothing needs to be done.",
    ),
    StreamState.ENDED: StateWords(
        "The file has ended", "the end", "Start the analyzer with another file to go on listening."
    ),
    StreamState.FAILED: StateWords(
        "The analyzer has stopped", "stopped", "Mend what is said below, then start the analyzer again."
    ),
}

AWAY = StateWords(
    "Analyzer is away \N{EN DASH} trying again",
    "away",
    "This page finds it by itself as soon as it runs again.",
)
MISMATCH = StateWords(
    "Analyzer and page are of different versions",
    "two versions",
    "Install the same version of overheard for both, then reload this page.",
)

SURENESS = ((0.9, "very sure"), (0.7, "fairly sure"), (0.5, "rather sure"), (0.0, "leaning to it"))
"""From which confidence on which words hold while a genre is heard, highest first."""

GENRE_COLOURS: Mapping[str, str] = {
    "blues": "#1e4dff",
    "classical": "#b6cba3",
    "country": "#ca7209",
    "disco": "#a581e9",
    "hiphop": "#a40cb3",
    "jazz": "#ffa200",
    "metal": "#566164",
    "pop": "#2bd2ff",
    "reggae": "#19a68c",
    "rock": "#be1209",
}
"""The ten genres in their order on the page.

Found by a random search for the largest smallest distance (OKLab, at least 0.11) between any two as
normal, red-blind, green-blind and blue-blind eyes see them, with contrast to both themes' backgrounds.
A test repeats the measurement, so a colour can be changed without an expert.
"""

DISPLAY_NAMES: Mapping[str, str] = {"hiphop": "hip hop"}


def display_name(genre: str) -> str:
    """The genre as people write it."""
    return DISPLAY_NAMES.get(genre, genre)


def live_data(analyzer: str, token: str = "") -> dict[str, Any]:
    """What the live part needs to know, as JSON; the same on every run, so it is mounted once.

    Parameters
    ----------
    analyzer : str
        The websocket that the browser connects to.
    token : str
        What it has to show there; empty when none is needed.
    """
    return {
        "analyzer": analyzer,
        "token": token,
        "states": {state.value: asdict(words) for state, words in STATE_WORDS.items()},
        "away": asdict(AWAY),
        "mismatch": asdict(MISMATCH),
        "sureness": [list(step) for step in SURENESS],
        "genres": [
            {"label": genre, "name": display_name(genre), "colour": colour}
            for genre, colour in GENRE_COLOURS.items()
        ],
    }


def heard_genre(snapshot: Snapshot) -> str | None:
    """The genre that is playing with confidence at this moment, if any."""
    if snapshot.connected and snapshot.state is StreamState.LISTENING:
        return snapshot.stable_label
    return None


LANGUAGE_CHOICES: Mapping[str, str | None] = {
    "Any language": None, "English": "en", "日本語": "ja", "한국어": "ko", "中文": "zh", "Русский": "ru",
}  # fmt: skip
RANGE_CHOICES: Mapping[str, Range] = {
    "Any age": Range.ANY, "Last week": Range.WEEK, "Last month": Range.MONTH, "Last year": Range.YEAR,
}  # fmt: skip


def song_data(playlist: Playlist, snapshot: Snapshot, sentences: Sequence[str]) -> dict[str, Any]:
    """What the song list lays out, as JSON.

    Parameters
    ----------
    playlist : Playlist
    snapshot : Snapshot
    sentences : sequence of str
        What the providers say of themselves.
    """
    return {
        "genre": max(playlist.mix, key=lambda genre: playlist.mix[genre]) if playlist.mix else "",
        "why": why_these_songs(playlist, snapshot),
        "notes": [*playlist.notes, *sentences],
        "songs": [_song(row) for row in playlist.rows],
    }


def why_these_songs(playlist: Playlist, snapshot: Snapshot) -> str:
    """One sentence under the heading of the songs."""
    if not playlist.mix:
        return "Songs appear here after half a minute of music."
    parts = sorted(playlist.mix.items(), key=lambda part: -part[1])
    names = [f"{display_name(genre)} {share:.0%}" for genre, share in parts[:3]]
    mix = display_name(parts[0][0]) if len(parts) == 1 else ", ".join(names)
    if heard_genre(snapshot) is not None:
        return f"For what was heard in the last minutes: {mix}."
    if not snapshot.connected:
        return f"The analyzer is away. What was heard before: {mix}."
    return f"{STATE_WORDS[snapshot.state].title}. What was heard before: {mix}."


def _song(row: Row) -> dict[str, Any]:
    track = row.track
    searches = {"Spotify": track.spotify_search, "YouTube": track.youtube_search}
    own = {track.provider: track.url} if track.provider in PLACES else {}
    links = own | {place: address for place, address in searches.items() if place not in own}
    return {
        "key": row.key,
        "title": track.title,
        "romanised": track.romanised,
        "artist": ", ".join(track.artists),
        "published": str(track.published or "")[: PRECISION.get(track.precision, 0)],
        "language": track.language or "",
        "why": _sentence(row.why.replace(row.genre, display_name(row.genre))),
        "links": [list(link) for link in links.items()],
        "marks": [name for name, on in (("like", row.liked), ("pin", row.pinned)) if on],
    }


def _sentence(words: str) -> str:
    return words[:1].upper() + words[1:]


PLACES = ("Spotify", "YouTube", "iTunes")
"""Providers whose songs have a page of their own there."""

PRECISION: Mapping[str, int] = {"year": 4, "month": 7, "day": 10}
"""How much of an ISO date is known."""
