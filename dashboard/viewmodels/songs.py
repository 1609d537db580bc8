"""The songs as the page lays them out, in the reader's words. Values in, JSON out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from dashboard.analyzer.snapshot import Snapshot
from dashboard.i18n.translator import Translator
from dashboard.recommendations.domain.genre_mix import heaviest_first
from dashboard.recommendations.domain.text import parse_link
from dashboard.recommendations.domain.tracks import Relaxed, Track
from dashboard.recommendations.engine.feedback import ArtistFeedback
from dashboard.recommendations.engine.listening_profile import LEAD_MARGIN, LeadingGenre, ListeningProfile
from dashboard.recommendations.engine.playlist import Playlist, PlaylistItem, SearchOutcome
from dashboard.recommendations.providers.base import ProviderResult, Status
from dashboard.recommendations.providers.catalogue.provider import NAME as OWN_LIST
from dashboard.recommendations.service import ProviderReport
from dashboard.viewmodels.theme import genre_color
from realtime.protocol.estimate import StreamState

PAGE_DOMAINS: Final[Mapping[str, str]] = {
    "Spotify": "open.spotify.com", "YouTube": "youtube.com", "iTunes": "apple.com",
}  # fmt: skip
"""Where a provider's songs have a page of their own."""

ARTWORK_DOMAINS: Final[Mapping[str, tuple[str, ...]]] = {
    "Spotify": ("scdn.co", "spotifycdn.com"), "YouTube": ("ytimg.com",), "iTunes": ("mzstatic.com",),
}  # fmt: skip
"""Where a provider keeps its pictures; others are not loaded."""

MOSTLY: Final = 0.5
"""From which share on a genre is most of a mix."""

MOST_CHOICES: Final = 30
"""Of a reader's own that are listed; all of them count."""

PRECISION: Final[Mapping[str, int]] = {"year": 4, "month": 7, "day": 10}
"""How much of an ISO date is known."""

NEED_KEYS: Final = ("Spotify", "YouTube")
OFF: Final = ProviderReport(ProviderResult(status=Status.OFF), 0)
FINE: Final = frozenset({Status.OK, Status.EMPTY})


@dataclass(frozen=True, slots=True)
class Situation:
    """What the page knows beside the list.

    ``told`` holds what every provider said last, None while it has not said anything; ``now`` is aware.
    """

    snapshot: Snapshot
    evidence: ListeningProfile
    told: Mapping[str, ProviderReport | None]
    now: datetime
    muted: bool = False


def song_data(
    playlist: Playlist, situation: Situation, choices: Sequence[ArtistFeedback], words: Translator
) -> dict[str, Any]:
    """What the songs' part of the page lays out, as JSON.

    Parameters
    ----------
    playlist : Playlist
    situation : Situation
    choices : sequence of ArtistChoice
        The reader's own, the latest first.
    words : Words
        Their language.
    """
    return {
        "language": words.language,
        "muted": words("recommendations.muted") if situation.muted else "",
        "genre": heaviest_first(playlist.mix)[0] if playlist.mix else "",
        "cause": _cause(playlist, situation, words),
        "instead": instead_of_songs(playlist, situation.evidence, words),
        "mix": [
            _coloured(genre, words) | {"share": playlist.mix[genre], "percent": f"{playlist.mix[genre]:.0%}"}
            for genre in heaviest_first(playlist.mix)
        ],
        "now": (now_text(situation.snapshot, words) or _turning(playlist, situation.evidence, words))
        if playlist.rows
        else "",
        "notes": _notes(playlist, words),
        "providers": [
            _provider(name, told, situation.now, words) for name, told in _asked(situation.told).items()
        ],
        "songs": [_song(row, situation.muted, words) for row in playlist.rows],
        "choices": choices_data(choices, words),
        "words": words.part("recommendations.part."),
    }


def _coloured(genre: str, words: Translator) -> dict[str, str]:
    return {"genre": genre, "name": words.genre(genre), "color": genre_color(genre)}


def _cause(playlist: Playlist, situation: Situation, words: Translator) -> str:
    """What was heard that these songs follow, and since when."""
    lead = situation.evidence.lead
    if lead is None or not playlist.mix:
        return ""
    if _has_turned(playlist, lead):
        return words("recommendations.cause.before", genre=words.genre(heaviest_first(playlist.mix)[0]))
    said = {"genre": words.genre(lead.genre), "time": time_text(lead.seconds, words)}
    if len(playlist.mix) == 1:
        return words("recommendations.cause.only", **said)
    kind = "mostly" if playlist.mix[lead.genre] >= MOSTLY else "leading"
    return words(f"recommendations.cause.{kind}", **said)


def _has_turned(playlist: Playlist, lead: LeadingGenre) -> bool:
    """Whether more is heard of another genre than of the one that the songs follow."""
    return max(playlist.mix.values()) > playlist.mix.get(lead.genre, 0.0) + LEAD_MARGIN


def _turning(playlist: Playlist, evidence: ListeningProfile, words: Translator) -> str:
    """What is heard now that the songs do not follow yet; else empty."""
    lead = evidence.lead
    if lead is None or not playlist.mix or not _has_turned(playlist, lead):
        return ""
    said = {"genre": words.genre(lead.genre), "time": time_text(lead.seconds, words)}
    return words("recommendations.cause.turning", **said)


def instead_of_songs(playlist: Playlist, evidence: ListeningProfile, words: Translator) -> str:
    """The sentence in the place of a list that has no song; else empty."""
    if playlist.rows:
        return ""
    if not playlist.mix:
        wanted = evidence.settings.first_music_seconds
        return words(
            "recommendations.cause.waiting", wanted=f"{wanted:.0f}", heard=f"{evidence.music_seconds:.0f}"
        )
    looking = any(note.key == f"note.{SearchOutcome.LOOKING}" for note in playlist.notes)
    return words(f"recommendations.instead.{'looking' if looking else 'none'}")


def now_text(snapshot: Snapshot, words: Translator) -> str:
    """A sentence where nothing is heard that the songs could follow; else empty."""
    if not snapshot.connected:
        return words("recommendations.now.away")
    if snapshot.state in (StreamState.LISTENING, StreamState.UNSURE):
        return ""
    own = {StreamState.SILENT: "silent", StreamState.NOT_MUSIC: "not_music"}
    return words(f"recommendations.now.{own.get(snapshot.state, 'other')}")


def time_text(seconds: float, words: Translator) -> str:
    """A time span in whole minutes, rounded down."""
    hours, minutes = divmod(int(seconds // 60), 60)
    if hours:
        return words("recommendations.time.hours", hours=hours, minutes=minutes)
    if minutes > 1:
        return words("recommendations.time.minutes", minutes=minutes)
    return words("recommendations.time.minute" if minutes else "recommendations.time.moment")


def _notes(playlist: Playlist, words: Translator) -> list[str]:
    """What the list says of itself, and which filters some of its songs do not pass."""
    relaxed = frozenset[Relaxed]().union(*(row.relaxed for row in playlist.rows))
    instead = (
        () if playlist.rows else ("note.waiting", f"note.{SearchOutcome.LOOKING}")
    )  # said in the list's place
    notes = [note.in_words(words) for note in playlist.notes if note.key not in instead]
    return (
        [*notes, words("recommendations.relaxed.list", filters=_filters(relaxed, words))]
        if relaxed
        else notes
    )


def _filters(relaxed: frozenset[Relaxed], words: Translator) -> str:
    return words("recommendations.comma").join(
        words(f"recommendations.relaxed.{each}") for each in Relaxed if each in relaxed
    )


def _asked(told: Mapping[str, ProviderReport | None]) -> dict[str, ProviderReport | None]:
    """All that could be asked, those without a key too."""
    return {name: OFF for name in NEED_KEYS if name not in told} | dict(told)


def _provider(name: str, told: ProviderReport | None, now: datetime, words: Translator) -> dict[str, str]:
    """One provider, what it said last, and how well that is: ``fine``, ``fault`` or ``quiet``."""
    shown = words("recommendations.provider.own") if name == OWN_LIST else name
    if told is None:
        return {"name": shown, "status": words("recommendations.status.waiting"), "tone": "quiet"}
    result = told.result
    unneeded = result.status is Status.OK and not told.songs
    status = "unneeded" if unneeded else result.status.value
    parts = [words(f"recommendations.status.{status}", count=told.songs)]
    if Relaxed.GENRE in result.relaxed:
        parts.append(words("recommendations.status.keywords"))
    if Relaxed.RANGE in result.relaxed:
        parts.append(words("recommendations.status.any_age"))
    if result.retry_at is not None and result.retry_at > now:
        seconds = (result.retry_at - now).total_seconds()
        parts.append(words("recommendations.status.again", time=time_text(seconds, words)))
    tone = (
        "quiet" if unneeded or result.status is Status.OFF else "fine" if result.status in FINE else "fault"
    )
    return {"name": shown, "status": " ".join(parts), "tone": tone}


def _song(row: PlaylistItem, muted: bool, words: Translator) -> dict[str, Any]:
    track = row.track
    marks = {"like": row.liked, "pin": row.pinned, "open": row.opened}
    origin = "recommendations.song.from.itunes" if track.provider == "iTunes" else "recommendations.song.from"
    return _coloured(row.genre, words) | {
        "key": row.key,
        "title": track.title,
        "romanized": track.romanised,
        "artist": ", ".join(track.artists),
        "first_artist": next(iter(track.artists), ""),
        "published": str(track.published or "")[: PRECISION.get(track.precision, 0)],
        "language": track.language or "",
        "reason": reason_text(row, words),
        "relaxed": words("recommendations.relaxed.row", filters=_filters(row.relaxed, words))
        if row.relaxed
        else "",
        "artwork": "" if muted else artwork_of(track),
        "from": "" if track.provider == OWN_LIST else words(origin, provider=track.provider),
        "links": links_data(track, words),
        "marks": [name for name, on in marks.items() if on],
    }


def reason_text(row: PlaylistItem, words: Translator) -> str:
    """Why this song is here, as a sentence without its stop."""
    said = words("recommendations.comma").join(part.in_words(words) for part in row.why)
    return said[:1].upper() + said[1:]


def artwork_of(track: Track) -> str:
    """Its picture's address, if that is one of its own provider's; else empty."""
    return parse_link(track.artwork_url, *ARTWORK_DOMAINS.get(track.provider, ()))


def links_of(track: Track) -> dict[str, str]:
    """Where the song can be opened, by the place's name: its own page first, then searches."""
    domain = PAGE_DOMAINS.get(track.provider)
    own = parse_link(track.url, domain) if domain else ""
    searches = {"Spotify": track.spotify_search, "YouTube": track.youtube_search}
    return ({track.provider: own} if own else {}) | {
        place: address for place, address in searches.items() if not (own and place == track.provider)
    }


def links_data(track: Track, words: Translator) -> list[dict[str, str]]:
    """The links as they are laid out; a search says that it is one, for its place may not have the song."""
    searches = (track.spotify_search, track.youtube_search)
    laid_out = []
    for place, address in links_of(track).items():
        kind, tip = ("search", "recommendations.link.tip") if address in searches else ("open", "")
        said = words(f"recommendations.link.{kind}", title=track.title, place=place)
        laid_out.append(
            {
                "service": place,
                "address": address,
                "label": said,
                "tooltip": words(tip, place=place) if tip else "",
            }
        )
    return laid_out


def choices_data(choices: Sequence[ArtistFeedback], words: Translator) -> dict[str, Any]:
    """The box of a reader's own choices: bans first, for those hide songs."""
    ordered = sorted(choices, key=lambda each: not each.banned)
    hidden = len(ordered) - MOST_CHOICES
    return {
        "count": len(ordered),
        "title": words("recommendations.choices.title", count=len(ordered)),
        "more": words("recommendations.choices.more", count=hidden) if hidden > 0 else "",
        "listed": [
            {"artist": each.artist, "summary": _chosen(each, words)} for each in ordered[:MOST_CHOICES]
        ],
    }


def _chosen(choice: ArtistFeedback, words: Translator) -> str:
    said = [words("recommendations.choices.banned")] if choice.banned else []
    for kind, count in (("liked", choice.likes), ("skipped", choice.skips)):
        said += [words(f"recommendations.choices.{kind}", count=count)] if count else []
    return words("recommendations.comma").join(said)
