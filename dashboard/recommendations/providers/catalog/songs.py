"""Bundled songs, from ``catalog.jsonl`` with one song in each line.

The file holds facts compiled by hand and no identifiers of services. Links to the songs are searches for
artist and title, so that no link can break.

Names are written as in their own country. If a name is not in Latin letters, ``artist_romanized`` or
``title_romanized`` holds its romanization: the artist's or the record's own if it is known, else Hepburn
without long marks (Japanese), Revised Romanization (Korean), Pinyin without tones (Mandarin), or plain
transliteration (Russian). Composers known everywhere by a Latin name keep it.
"""

from __future__ import annotations

import json
import unicodedata
from dataclasses import MISSING, dataclass, fields
from functools import cache, lru_cache
from importlib.resources import files

from dashboard.errors import CatalogError
from dashboard.i18n.languages import LANGUAGES

EARLIEST_YEAR = 1600
"""Earliest credible year of a song."""


@dataclass(frozen=True, slots=True)
class Song:
    """A song of the catalog.

    Attributes
    ----------
    year : int
        Year of release. Older works have the year of their first performance or completion.
    language : str
        Language of the lyrics (ISO 639-1), empty for an instrumental song.
    artist_romanized, title_romanized : str
        Empty if the name itself is in Latin letters.
    """

    artist: str
    title: str
    year: int
    genre: str
    language: str
    artist_romanized: str = ""
    title_romanized: str = ""

    @property
    def romanized(self) -> str:
        """Title and artist in Latin letters, or empty if both are written in Latin letters."""
        if not (self.artist_romanized or self.title_romanized):
            return ""
        return f"{self.title_romanized or self.title} - {self.artist_romanized or self.artist}"


KNOWN_FIELDS = frozenset(field.name for field in fields(Song))
NEEDED_FIELDS = frozenset(field.name for field in fields(Song) if field.default is MISSING)


@lru_cache(maxsize=1)
def load() -> tuple[Song, ...]:
    """Load all bundled songs.

    Raises
    ------
    CatalogError
        If a line of the file is not a song.
    """
    folder = files("dashboard.recommendations.providers.catalog")
    text = (folder / "catalog.jsonl").read_text(encoding="utf-8")
    return parse_catalog(text)


def parse_catalog(text: str) -> tuple[Song, ...]:
    """Parse songs from JSON lines. Empty lines between them are allowed.

    Raises
    ------
    CatalogError
        If a line is not a song. The message names the line and the problem.
    """
    songs: list[Song] = []
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip():
            continue
        try:
            songs.append(_song(json.loads(line)))
        except (ValueError, TypeError) as error:
            raise CatalogError(f"line {number} of the song catalog is wrong: {error}") from error
    return tuple(songs)


def _song(entry: object) -> Song:
    """Build one song after checking its fields."""
    if not isinstance(entry, dict) or not NEEDED_FIELDS <= entry.keys() <= KNOWN_FIELDS:
        raise ValueError(
            f"it must have exactly the fields {', '.join(sorted(NEEDED_FIELDS))}, "
            f"and where needed {', '.join(sorted(KNOWN_FIELDS - NEEDED_FIELDS))}"
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
        _check_romanized(name, getattr(song, name), getattr(song, f"{name}_romanized"))
    return song


def _check_romanized(name: str, native: str, romanized: object) -> None:
    """Check that a name has a romanization exactly if it is not written in Latin letters."""
    if not isinstance(romanized, str) or not is_latin(romanized):
        raise ValueError(f"{name}_romanized {romanized!r} must be a text in Latin letters")
    if is_latin(native) == bool(romanized.strip()):
        need = "needs none: it is in Latin letters" if is_latin(native) else "is needed"
        raise ValueError(f"{name}_romanized of {native!r} {need}")


def is_latin(text: str) -> bool:
    """Return True if all letters are Latin, with any accents. Digits and punctuation do not count."""
    return text.isascii() or all(_is_latin_letter(sign) for sign in text if sign.isalpha())


@cache
def _is_latin_letter(sign: str) -> bool:
    """Return True if a letter is Latin. The result is kept: a catalog repeats its letters."""
    return unicodedata.name(sign, "").startswith("LATIN")
