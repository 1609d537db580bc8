"""Identity of artists and songs: normalized keys under which different spellings compare equal."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from itertools import combinations
from typing import Final

from dashboard.recommendations.domain.tracks import Track

MAX_CACHED_KEYS: Final = 16_384
"""Names whose keys are cached. The pools of a session hold fewer (10 genres with some hundred songs each)."""

MAX_CREDITS: Final = 8
"""Artists of one text that are told apart. Eight give 36 groups of neighbors."""

_FEATURED: Final = re.compile(r"[\s(\[]+(?:feat|featuring|ft)\b\.?\s*", re.IGNORECASE)
_NOTE: Final = re.compile(
    r"\b(?:re-?master\w*|deluxe|anniversary|official|lyrics?|audio|video|visuali[sz]er|mv|m/v|hd|hq|4k|mono|stereo"
    r"|radio edit|single version|album version|original version|bonus track|explicit)\b|リマスター|ремастер",
    re.IGNORECASE,
)
"""Remarks about a recording or a video that do not make it another song. Live recordings, remixes and
acoustic versions are different songs."""
_BRACKETS: Final = re.compile(r"[(\[（【]([^()\[\]（）【】]*)[)\]）】]")  # noqa: RUF001 - as titles have them
_DASH: Final = re.compile(r"\s[-–—]\s(?=[^-–—]*$)")  # noqa: RUF001 - dashes as titles have them

_JOINT: Final = re.compile(r"(\s*[,;/×、]\s*|\s+(?:&|x|and|with|vs\.?)\s+)", re.IGNORECASE)  # noqa: RUF001 - as credits have them
"""Text between the names of artists. Media players join names by commas, stations and catalogs by "&"."""
_JOINTS: Final = (", ", " & ", " x ", " with ")


def normalize_title(text: str) -> str:
    """Reduce a text to its letters and digits, without case, width, or accents on Latin letters.

    Marks of other scripts stay, because か and が are different letters. A text without letters and digits
    keeps all its characters. Only its case and its outer spaces are normalized.
    """
    kept: list[str] = []
    latin = False
    for sign in unicodedata.normalize("NFKD", text.replace("&", " and ")).casefold():
        kind = unicodedata.category(sign)
        if kind.startswith("M"):
            if not latin:
                kept.append(sign)
            continue
        latin = "a" <= sign <= "z"
        if kind[0] in "LN":
            kept.append(sign)
    return unicodedata.normalize("NFC", "".join(kept)) or text.casefold().strip()


@lru_cache(maxsize=MAX_CACHED_KEYS)
def artist_key(name: str) -> str:
    """Return the key of an artist's name, without a leading "The" and without guests."""
    main = re.sub(r"^the\s+(?=\S)", "", _FEATURED.split(name)[0].strip(), flags=re.IGNORECASE)
    return normalize_title(main)


@lru_cache(maxsize=MAX_CACHED_KEYS)
def artist_keys(artists: tuple[str, ...]) -> frozenset[str]:
    """Return the keys of all credited artists, with the guests of "A feat. B" and without empty names."""
    names = [part.strip(" )]") for name in artists for part in _FEATURED.split(name)]
    return frozenset(artist_key(name) for name in names if name)


@lru_cache(maxsize=MAX_CACHED_KEYS)
def title_key(title: str) -> str:
    """Return the key of a title, without "(Remastered 2011)", "feat. B", " - Radio Edit" and punctuation."""
    bare = _BRACKETS.sub(lambda found: "" if _NOTE.search(found[1]) else found[0], title)
    bare = _BRACKETS.sub(lambda found: "" if _FEATURED.match(found[0]) else found[0], bare)
    bare = _FEATURED.split(bare)[0] or bare
    head = _DASH.split(bare)
    if len(head) == 2 and _NOTE.search(head[1]):
        bare = head[0]
    return normalize_title(bare if bare.strip() else title)


@lru_cache(maxsize=MAX_CACHED_KEYS)
def _identity_keys(isrc: str, artists: tuple[str, ...], title: str) -> frozenset[str]:
    code = re.sub(r"[^0-9A-Z]", "", isrc.upper())
    named = {f"song:{artist}|{title_key(title)}" for artist in artist_keys(artists) or {""}}
    return frozenset(named | {f"isrc:{code}"}) if code else frozenset(named)


def identity_keys(track: Track) -> frozenset[str]:
    """Return the identity keys of a song. Two tracks that share a key are the same song.

    The keys are the ISRC, if it is known, and each credited artist with the title, because providers
    disagree on the order of the artists and on the guests.
    """
    return _identity_keys(track.isrc, track.artists, track.title)


def identity_key(track: Track) -> str:
    """Return the key of a song that the page sends back with an action."""
    first = artist_key(track.artists[0]) if track.artists else ""
    return f"{first}|{title_key(track.title)}"


def playing_keys(artist: str, song: str, title: str) -> frozenset[str]:
    """Return the identity keys of the song that plays.

    A player or a station gives all artists as one text. The keys are those of the whole text, of each of its
    parts, and of the parts joined in other ways.

    Parameters
    ----------
    artist, song : str
        Parts of the title, empty if they are unknown.
    title : str
        Title as a station sends it, such as ``Artist - Song``. Some stations send the song first. A title
        without a dash has no keys.
    """
    if artist and song:
        return _identity_keys("", _credits(artist), song)
    first, _, second = re.sub(r"\s[–—]\s", " - ", title).partition(" - ")  # noqa: RUF001 - as titles have them
    if not (first.strip() and second.strip()):
        return frozenset()
    return _identity_keys("", _credits(first), second) | _identity_keys("", _credits(second), first)


def _credits(text: str) -> tuple[str, ...]:
    """Return the spellings under which a provider may credit the artists of a text.

    A neighboring group of parts may be the name of one artist, such as "Earth, Wind & Fire".
    """
    *pieces, rest = _JOINT.split(_FEATURED.split(text)[0], maxsplit=MAX_CREDITS - 1)
    parts = [*pieces[::2], rest]
    pieces.append(rest)
    groups = [
        "".join(pieces[2 * first : 2 * end - 1]) for first, end in combinations(range(len(parts) + 1), 2)
    ]
    last = [", ".join(parts[:-1]) + " & " + parts[-1]] if len(parts) > 2 else []
    return (text, *groups, *(joint.join(parts) for joint in _JOINTS), *last)
