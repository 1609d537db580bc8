"""Data of the recommendations page as JSON, in the user's language."""

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
"""Domain of the song pages of each provider."""

ARTWORK_DOMAINS: Final[Mapping[str, tuple[str, ...]]] = {
    "Spotify": ("scdn.co", "spotifycdn.com"), "YouTube": ("ytimg.com",), "iTunes": ("mzstatic.com",),
}  # fmt: skip
"""Domains of each provider's artwork. Images from other domains are not loaded."""

MAJORITY_SHARE: Final = 0.5
"""Share from which on a genre is the majority of a mix."""

MAX_LISTED_CHOICES: Final = 30
"""Choices of the user that are listed. All of them count."""

PRECISION: Final[Mapping[str, int]] = {"year": 4, "month": 7, "day": 10}
"""Length of the known part of an ISO date."""

NEED_KEYS: Final = ("Spotify", "YouTube")
NOT_CONFIGURED: Final = ProviderReport(ProviderResult(status=Status.OFF), 0)
HEALTHY_STATUSES: Final = frozenset({Status.OK, Status.EMPTY})


@dataclass(frozen=True, slots=True)
class Situation:
    """State of the page beside the list.

    Attributes
    ----------
    reports : mapping
        Last report of every provider, None before the first one.
    now : datetime
        Aware.
    """

    snapshot: Snapshot
    profile: ListeningProfile
    reports: Mapping[str, ProviderReport | None]
    now: datetime
    muted: bool = False


def song_data(
    playlist: Playlist, situation: Situation, choices: Sequence[ArtistFeedback], translator: Translator
) -> dict[str, Any]:
    """Return the data of the song list as JSON.

    Parameters
    ----------
    playlist : Playlist
    situation : Situation
    choices : sequence of ArtistFeedback
        The user's choices, the latest first.
    translator : Translator
    """
    return {
        "language": translator.language,
        "muted": translator("recommendations.muted") if situation.muted else "",
        "genre": heaviest_first(playlist.mix)[0] if playlist.mix else "",
        "cause": _cause_text(playlist, situation, translator),
        "instead": instead_of_songs(playlist, situation.profile, translator),
        "mix": [
            _genre_data(genre, translator)
            | {"share": playlist.mix[genre], "percent": f"{playlist.mix[genre]:.0%}"}
            for genre in heaviest_first(playlist.mix)
        ],
        "now": (
            now_text(situation.snapshot, translator)
            or _next_genre_text(playlist, situation.profile, translator)
        )
        if playlist.items
        else "",
        "notes": _note_texts(playlist, translator),
        "providers": [
            _provider_data(name, report, situation.now, translator)
            for name, report in _all_reports(situation.reports).items()
        ],
        "songs": [_song_data(row, situation.muted, translator) for row in playlist.items],
        "choices": choices_data(choices, translator),
        "texts": translator.part("recommendations.part."),
    }


def _genre_data(genre: str, translator: Translator) -> dict[str, str]:
    return {"genre": genre, "name": translator.genre(genre), "color": genre_color(genre)}


def _cause_text(playlist: Playlist, situation: Situation, translator: Translator) -> str:
    """Name the genre that these songs follow, and since when."""
    lead = situation.profile.leading_genre
    if lead is None or not playlist.mix:
        return ""
    if _has_turned(playlist, lead):
        return translator(
            "recommendations.cause.before", genre=translator.genre(heaviest_first(playlist.mix)[0])
        )
    values = {"genre": translator.genre(lead.genre), "time": time_text(lead.seconds, translator)}
    if len(playlist.mix) == 1:
        return translator("recommendations.cause.only", **values)
    kind = "mostly" if playlist.mix[lead.genre] >= MAJORITY_SHARE else "leading"
    return translator(f"recommendations.cause.{kind}", **values)


def _has_turned(playlist: Playlist, lead: LeadingGenre) -> bool:
    """Return True if another genre leads over the one that the songs follow."""
    return max(playlist.mix.values()) > playlist.mix.get(lead.genre, 0.0) + LEAD_MARGIN


def _next_genre_text(playlist: Playlist, profile: ListeningProfile, translator: Translator) -> str:
    """Name the current genre if the songs do not follow it yet, else return an empty text."""
    lead = profile.leading_genre
    if lead is None or not playlist.mix or not _has_turned(playlist, lead):
        return ""
    values = {"genre": translator.genre(lead.genre), "time": time_text(lead.seconds, translator)}
    return translator("recommendations.cause.turning", **values)


def instead_of_songs(playlist: Playlist, profile: ListeningProfile, translator: Translator) -> str:
    """Return the message in place of an empty list, else an empty text."""
    if playlist.items:
        return ""
    if not playlist.mix:
        wanted = profile.settings.first_music_seconds
        return translator(
            "recommendations.cause.waiting", wanted=f"{wanted:.0f}", received=f"{profile.music_seconds:.0f}"
        )
    looking = any(note.key == f"note.{SearchOutcome.LOOKING}" for note in playlist.notes)
    return translator(f"recommendations.instead.{'looking' if looking else 'none'}")


def now_text(snapshot: Snapshot, translator: Translator) -> str:
    """Return a message if nothing plays that the songs could follow, else an empty text."""
    if not snapshot.connected:
        return translator("recommendations.now.away")
    if snapshot.state in (StreamState.LISTENING, StreamState.UNSURE):
        return ""
    own = {StreamState.SILENT: "silent", StreamState.NOT_MUSIC: "not_music"}
    return translator(f"recommendations.now.{own.get(snapshot.state, 'other')}")


def time_text(seconds: float, translator: Translator) -> str:
    """Format a duration in whole minutes, rounded down."""
    hours, minutes = divmod(int(seconds // 60), 60)
    if hours:
        return translator("recommendations.time.hours", hours=hours, minutes=minutes)
    if minutes > 1:
        return translator("recommendations.time.minutes", minutes=minutes)
    return translator("recommendations.time.minute" if minutes else "recommendations.time.moment")


def _note_texts(playlist: Playlist, translator: Translator) -> list[str]:
    """Return the playlist's notes, and the filters that some of its songs do not pass."""
    relaxed = frozenset[Relaxed]().union(*(row.relaxed for row in playlist.items))
    # Shown in place of an empty list.
    instead = () if playlist.items else ("note.waiting", f"note.{SearchOutcome.LOOKING}")
    notes = [note.translate(translator) for note in playlist.notes if note.key not in instead]
    return (
        [*notes, translator("recommendations.relaxed.list", filters=_filter_names(relaxed, translator))]
        if relaxed
        else notes
    )


def _filter_names(relaxed: frozenset[Relaxed], translator: Translator) -> str:
    return translator("recommendations.comma").join(
        translator(f"recommendations.relaxed.{each}") for each in Relaxed if each in relaxed
    )


def _all_reports(reports: Mapping[str, ProviderReport | None]) -> dict[str, ProviderReport | None]:
    """Return the reports of all providers, including those without a key."""
    return {name: NOT_CONFIGURED for name in NEED_KEYS if name not in reports} | dict(reports)


def _provider_data(
    name: str, report: ProviderReport | None, now: datetime, translator: Translator
) -> dict[str, str]:
    """Return a provider's name, its last status, and the tone: ``fine``, ``fault`` or ``quiet``."""
    shown = translator("recommendations.provider.own") if name == OWN_LIST else name
    if report is None:
        return {"name": shown, "status": translator("recommendations.status.waiting"), "tone": "quiet"}
    result = report.result
    unneeded = result.status is Status.OK and not report.songs
    status = "unneeded" if unneeded else result.status.value
    parts = [translator(f"recommendations.status.{status}", count=report.songs)]
    if Relaxed.GENRE in result.relaxed:
        parts.append(translator("recommendations.status.keywords"))
    if Relaxed.RANGE in result.relaxed:
        parts.append(translator("recommendations.status.any_age"))
    if result.retry_at is not None and result.retry_at > now:
        seconds = (result.retry_at - now).total_seconds()
        parts.append(translator("recommendations.status.again", time=time_text(seconds, translator)))
    tone = (
        "quiet"
        if unneeded or result.status is Status.OFF
        else "fine"
        if result.status in HEALTHY_STATUSES
        else "fault"
    )
    return {"name": shown, "status": " ".join(parts), "tone": tone}


def _song_data(row: PlaylistItem, muted: bool, translator: Translator) -> dict[str, Any]:
    track = row.track
    marks = {"like": row.liked, "pin": row.pinned, "open": row.opened}
    origin = "recommendations.song.from.itunes" if track.provider == "iTunes" else "recommendations.song.from"
    return _genre_data(row.genre, translator) | {
        "key": row.key,
        "title": track.title,
        "romanized": track.romanised,
        "artist": ", ".join(track.artists),
        "first_artist": next(iter(track.artists), ""),
        "published": str(track.published or "")[: PRECISION.get(track.precision, 0)],
        "language": track.language or "",
        "reason": reason_text(row, translator),
        "relaxed": translator("recommendations.relaxed.row", filters=_filter_names(row.relaxed, translator))
        if row.relaxed
        else "",
        "artwork": "" if muted else artwork_url(track),
        "from": "" if track.provider == OWN_LIST else translator(origin, provider=track.provider),
        "links": links_data(track, translator),
        "marks": [name for name, on in marks.items() if on],
    }


def reason_text(row: PlaylistItem, translator: Translator) -> str:
    """Return the reason for a song as a sentence without its full stop."""
    text = translator("recommendations.comma").join(part.translate(translator) for part in row.reasons)
    return text[:1].upper() + text[1:]


def artwork_url(track: Track) -> str:
    """Return the artwork's address if it is on the provider's own domain, else an empty text."""
    return parse_link(track.artwork_url, *ARTWORK_DOMAINS.get(track.provider, ()))


def song_links(track: Track) -> dict[str, str]:
    """Return the links to a song by service: its own page first, then searches."""
    domain = PAGE_DOMAINS.get(track.provider)
    own = parse_link(track.url, domain) if domain else ""
    searches = {"Spotify": track.spotify_search, "YouTube": track.youtube_search}
    return ({track.provider: own} if own else {}) | {
        service: address for service, address in searches.items() if not (own and service == track.provider)
    }


def links_data(track: Track, translator: Translator) -> list[dict[str, str]]:
    """Return the links as data. A search is labeled as one, since the service may not have the song."""
    searches = (track.spotify_search, track.youtube_search)
    links = []
    for service, address in song_links(track).items():
        kind, tip = ("search", "recommendations.link.tip") if address in searches else ("open", "")
        label = translator(f"recommendations.link.{kind}", title=track.title, place=service)
        links.append(
            {
                "service": service,
                "address": address,
                "label": label,
                "tooltip": translator(tip, place=service) if tip else "",
            }
        )
    return links


def choices_data(choices: Sequence[ArtistFeedback], translator: Translator) -> dict[str, Any]:
    """Return the box of the user's choices. Bans come first, since they hide songs."""
    ordered = sorted(choices, key=lambda each: not each.banned)
    hidden = len(ordered) - MAX_LISTED_CHOICES
    return {
        "count": len(ordered),
        "title": translator("recommendations.choices.title", count=len(ordered)),
        "more": translator("recommendations.choices.more", count=hidden) if hidden > 0 else "",
        "listed": [
            {"artist": each.artist, "summary": _choice_text(each, translator)}
            for each in ordered[:MAX_LISTED_CHOICES]
        ],
    }


def _choice_text(choice: ArtistFeedback, translator: Translator) -> str:
    parts = [translator("recommendations.choices.banned")] if choice.banned else []
    for kind, count in (("liked", choice.likes), ("skipped", choice.skips)):
        parts += [translator(f"recommendations.choices.{kind}", count=count)] if count else []
    return translator("recommendations.comma").join(parts)
