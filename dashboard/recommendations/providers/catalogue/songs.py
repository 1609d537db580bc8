"""The bundled songs: ``catalogue.jsonl``, one song a line, in the order in which they are selected.

The file holds facts compiled by hand and no identifiers. Links are searches built from artist and title, so
that no link can break.

Names are written as in their own country. If a name is not in Latin letters, ``artist_romanised`` or
``title_romanised`` holds its romanization: the artist's or the record's own if it is known, else Hepburn
without long marks (Japanese), Revised Romanization (Korean), Pinyin without tones (Mandarin), or plain
transliteration (Russian). Composers known everywhere by a Latin name keep it.
"""

from __future__ import annotations

import json
import unicodedata
from dataclasses import MISSING, dataclass, fields
from functools import lru_cache
from importlib.resources import files
from urllib.parse import quote, urlencode

from dashboard.errors import CatalogueError
from dashboard.i18n.languages import LANGUAGES

SONGS_SHOWN = 6
EARLIEST_YEAR = 1600


@dataclass(frozen=True, slots=True)
class Song:
    """A song of the catalogue.

    Attributes
    ----------
    year : int
        Year of release. Older works have the year of their first performance or completion.
    language : str
        Language of the lyrics (ISO 639-1), empty for an instrumental song.
    artist_romanised, title_romanised : str
        Empty if the name itself is in Latin letters.
    """

    artist: str
    title: str
    year: int
    genre: str
    language: str
    artist_romanised: str = ""
    title_romanised: str = ""

    @property
    def romanised(self) -> str:
        """Title and artist in Latin letters, empty if both are written so."""
        if not (self.artist_romanised or self.title_romanised):
            return ""
        return f"{self.title_romanised or self.title} - {self.artist_romanised or self.artist}"

    @property
    def spotify_url(self) -> str:
        """Address of a search on Spotify."""
        return f"https://open.spotify.com/search/{quote(f'{self.artist} {self.title}', safe='')}"

    @property
    def youtube_url(self) -> str:
        """Address of a search on YouTube."""
        query = urlencode({"search_query": f"{self.artist} {self.title}"})
        return f"https://www.youtube.com/results?{query}"


@lru_cache(maxsize=1)
def load() -> tuple[Song, ...]:
    """Load all bundled songs.

    Raises
    ------
    CatalogueError
        If a line of the file is not a song.
    """
    folder = files("dashboard.recommendations.providers.catalogue")
    text = (folder / "catalogue.jsonl").read_text(encoding="utf-8")
    return parse_catalogue(text)


def parse_catalogue(text: str) -> tuple[Song, ...]:
    """Parse songs from JSON lines. Empty lines between them are allowed.

    Raises
    ------
    CatalogueError
        If a line is not a song. The message names the line and the problem.
    """
    songs: list[Song] = []
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip():
            continue
        try:
            songs.append(_song(json.loads(line)))
        except (ValueError, TypeError) as error:
            raise CatalogueError(f"line {number} of the song catalogue is wrong: {error}") from error
    return tuple(songs)


def _song(entry: object) -> Song:
    """Check and build one song. A song of another shape would appear as an odd line on the page."""
    known = {field.name for field in fields(Song)}
    needed = {field.name for field in fields(Song) if field.default is MISSING}
    if not isinstance(entry, dict) or not needed <= set(entry) <= known:
        raise ValueError(
            f"it must have exactly the fields {', '.join(sorted(needed))}, "
            f"and where needed {', '.join(sorted(known - needed))}"
        )
    song = Song(**entry)
    for name in ("artist", "title", "genre"):
        if not isinstance(getattr(song, name), str) or not getattr(song, name).strip():
            raise ValueError(f"{name} must be a text that is not empty")
    if type(song.year) is not int or song.year < EARLIEST_YEAR:
        raise ValueError(f"year {song.year!r} must be a number from {EARLIEST_YEAR} on")
    if song.language and song.language not in LANGUAGES:
        raise ValueError(f"language {song.language!r} is not one of {', '.join(sorted(LANGUAGES))} or empty")
    for name in ("artist", "title"):
        _check_romanised(name, getattr(song, name), getattr(song, f"{name}_romanised"))
    return song


def _check_romanised(name: str, native: str, romanised: object) -> None:
    """Check that a name has a romanization exactly if it is not written in Latin letters."""
    if not isinstance(romanised, str) or not is_latin(romanised):
        raise ValueError(f"{name}_romanised {romanised!r} must be a text in Latin letters")
    if is_latin(native) == bool(romanised.strip()):
        need = "needs none: it is in Latin letters" if is_latin(native) else "is needed"
        raise ValueError(f"{name}_romanised of {native!r} {need}")


def is_latin(text: str) -> bool:
    """Return True if all letters are Latin, with any accents. Digits and punctuation do not count."""
    return all(unicodedata.name(sign, "").startswith("LATIN") for sign in text if sign.isalpha())


def songs_for(
    genre: str, count: int, rotation: int = 0, songs: tuple[Song, ...] | None = None
) -> tuple[Song, ...]:
    """Return some songs of a genre, always the same for the same arguments.

    Parameters
    ----------
    genre : str
        A label of the model.
    count : int
        Largest number of songs.
    rotation : int
        The next higher number returns the next songs of the genre. After the last song it starts again.
    songs : tuple of Song, optional
        Songs to select from; the bundled catalogue by default.

    Returns
    -------
    tuple of Song
        Empty if the genre has no songs.
    """
    known = [song for song in (load() if songs is None else songs) if song.genre == genre]
    if not known:
        return ()
    first = rotation * count % len(known)
    return tuple((known[first:] + known[:first])[:count])
