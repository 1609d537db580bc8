"""When two names mean the same artist, or the same song: folded texts that can be compared."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from typing import Final

from dashboard.recommendations.domain.tracks import Track

REMEMBERED: Final = 16_384
"""Names whose folded form is kept: more than a session's pools hold (10 genres of some hundred songs)."""

_FEATURED: Final = re.compile(r"[\s(\[]+(?:feat|featuring|ft)\b\.?\s*", re.IGNORECASE)
_NOTE: Final = re.compile(
    r"\b(?:re-?master\w*|deluxe|anniversary|official|lyrics?|audio|video|visuali[sz]er|mv|m/v|hd|hq|4k|mono|stereo"
    r"|radio edit|single version|album version|original version|bonus track|explicit)\b|リマスター|ремастер",
    re.IGNORECASE,
)
"""What says something about a recording or a video and does not make it another song. Live recordings,
remixes and acoustic versions stay songs of their own."""
_BRACKETS: Final = re.compile(r"[(\[（【]([^()\[\]（）【】]*)[)\]）】]")  # noqa: RUF001 - as titles have them
_DASH: Final = re.compile(r"\s[-–—]\s(?=[^-–—]*$)")  # noqa: RUF001 - dashes as titles have them


def normalize_title(text: str) -> str:
    """Letters and digits only, without case, width, or accents on Latin letters.

    Marks of other scripts stay: か and が are different letters. A text without letters and digits
    is returned as it is, but for case and outer spaces.
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


@lru_cache(maxsize=REMEMBERED)
def artist_key(name: str) -> str:
    """One artist's name, without a leading "The" and without guests."""
    main = re.sub(r"^the\s+(?=\S)", "", _FEATURED.split(name)[0].strip(), flags=re.IGNORECASE)
    return normalize_title(main)


@lru_cache(maxsize=REMEMBERED)
def artist_keys(artists: tuple[str, ...]) -> frozenset[str]:
    """Everyone credited, guests of "A feat. B" too; names that are empty do not count."""
    names = [part.strip(" )]") for name in artists for part in _FEATURED.split(name)]
    return frozenset(artist_key(name) for name in names if name)


@lru_cache(maxsize=REMEMBERED)
def title_key(title: str) -> str:
    """A title without "(Remastered 2011)", "feat. B", "[Official Video]", " - Radio Edit", punctuation."""
    bare = _BRACKETS.sub(lambda found: "" if _NOTE.search(found[1]) else found[0], title)
    bare = _BRACKETS.sub(lambda found: "" if _FEATURED.match(found[0]) else found[0], bare)
    bare = _FEATURED.split(bare)[0] or bare
    head = _DASH.split(bare)
    if len(head) == 2 and _NOTE.search(head[1]):
        bare = head[0]
    return normalize_title(bare if bare.strip() else title)


@lru_cache(maxsize=REMEMBERED)
def _identity_keys(isrc: str, artists: tuple[str, ...], title: str) -> frozenset[str]:
    code = re.sub(r"[^0-9A-Z]", "", isrc.upper())
    named = {f"song:{artist}|{title_key(title)}" for artist in artist_keys(artists) or {""}}
    return frozenset(named | {f"isrc:{code}"}) if code else frozenset(named)


def identity_keys(track: Track) -> frozenset[str]:
    """What a song is known by: two tracks that share one of these are one song.

    The ISRC if there is one, and every credited artist with the title: providers disagree on
    the order of artists and on who is a guest.
    """
    return _identity_keys(track.isrc, track.artists, track.title)


def identity_key(track: Track) -> str:
    """One short name of the song, for a page to send back."""
    first = artist_key(track.artists[0]) if track.artists else ""
    return f"{first}|{title_key(track.title)}"
