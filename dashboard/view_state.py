"""What the page says: plain words for what the analyzer reports. Values in, values out.

The live part of the page gets the tables below as data and the songs ask the functions, so a
state, a genre or a confidence reads the same wherever it stands.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from dashboard.feed import Snapshot
from dashboard.recommendations import SONGS_SHOWN, Song, songs_for
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


@dataclass(frozen=True, slots=True)
class SongPanel:
    """The song list as shown; ``rotations`` counts how often each genre has been dealt."""

    genre: str | None = None
    songs: tuple[Song, ...] = ()
    rotations: tuple[tuple[str, int], ...] = ()


def next_panel(panel: SongPanel, snapshot: Snapshot, other_songs: bool = False) -> SongPanel:
    """The panel after one look at the feed.

    The list changes only when another genre is heard, or when somebody asked for other songs, so it
    can be read in peace; silence and doubt leave it as it is.
    """
    heard = heard_genre(snapshot) or panel.genre or _heard_before(snapshot)
    if heard is None or (heard == panel.genre and not other_songs):
        return panel
    rotations = dict(panel.rotations)
    rotation = rotations.get(heard, 0)
    songs = songs_for(heard, SONGS_SHOWN, rotation)
    if not songs:  # a model with genres that the catalogue does not know
        return panel
    return SongPanel(heard, songs, tuple((rotations | {heard: rotation + 1}).items()))


def heard_genre(snapshot: Snapshot) -> str | None:
    """The genre that is playing with confidence at this moment, if any."""
    if snapshot.connected and snapshot.state is StreamState.LISTENING:
        return snapshot.stable_label
    return None


def _heard_before(snapshot: Snapshot) -> str | None:
    """What the last estimate was sure of: who opens the page after the file's end finds songs, too."""
    if snapshot.estimate is not None and snapshot.estimate["state"] == StreamState.LISTENING:
        return snapshot.stable_label
    return None


def why_these_songs(panel: SongPanel, snapshot: Snapshot) -> str:
    """One sentence under the heading of the songs."""
    if panel.genre is None:
        return "Songs appear here as soon as a genre is heard."
    name = display_name(panel.genre)
    if heard_genre(snapshot) == panel.genre:
        return f"Because {name} is playing."
    if not snapshot.connected:
        reason = "The analyzer is away"
    elif snapshot.state is StreamState.LISTENING:
        reason = "There are no songs for this genre"
    else:
        reason = STATE_WORDS[snapshot.state].title
    return f"{reason}. The last genre heard was {name}."
