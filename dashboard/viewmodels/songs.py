"""Data of the recommendations page as JSON, in the user's language."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from dashboard.analyzer.snapshot import Snapshot
from dashboard.i18n.translator import Translator
from dashboard.recommendations.domain.genre_mix import heaviest_first
from dashboard.recommendations.domain.text import parse_link
from dashboard.recommendations.domain.tracks import DECADES, Relaxed, Track
from dashboard.recommendations.engine.feedback import ArtistFeedback
from dashboard.recommendations.engine.listening_profile import LEAD_MARGIN, LeadingGenre, ListeningProfile
from dashboard.recommendations.engine.playlist import Filters, Playlist, PlaylistItem, SearchOutcome
from dashboard.recommendations.providers.base import ProviderResult, Status
from dashboard.recommendations.providers.catalog.provider import NAME as OWN_LIST
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
"""Smallest share with which a genre is the majority of a mix."""

MAX_LISTED_CHOICES: Final = 30
"""Artists with feedback that are listed. The feedback about other artists counts too."""

PROVIDERS_WITH_KEYS: Final = ("Spotify", "YouTube")
"""Providers that are listed as not set up if their keys are missing."""
NOT_CONFIGURED: Final = ProviderReport(ProviderResult(status=Status.OFF), 0)
HEALTHY_STATUSES: Final = frozenset({Status.OK, Status.EMPTY})


@dataclass(frozen=True, slots=True)
class Situation:
    """State that the page shows beside the playlist.

    Attributes
    ----------
    reports : mapping
        Latest report of each provider, or None before its first report.
    now : datetime
        Current time, with a time zone.
    """

    snapshot: Snapshot
    profile: ListeningProfile
    reports: Mapping[str, ProviderReport | None]
    now: datetime
    muted: bool = False
    filters: Filters = field(default_factory=Filters)
    is_seen: bool = True


def song_data(
    playlist: Playlist, situation: Situation, choices: Sequence[ArtistFeedback], translator: Translator
) -> dict[str, Any]:
    """Return the data of the song list as JSON.

    Parameters
    ----------
    playlist : Playlist
    situation : Situation
    choices : sequence of ArtistFeedback
        Feedback of the user by artist, the latest first.
    translator : Translator
    """
    return {
        "language": translator.language,
        "seen": situation.is_seen,
        "muted": translator("recommendations.muted") if situation.muted else "",
        "genre": heaviest_first(playlist.mix)[0] if playlist.mix else "",
        "cause": _cause_text(playlist, situation, translator),
        "instead": empty_list_text(playlist, situation.profile, translator),
        "mix": [
            _genre_data(genre, translator)
            | {"share": playlist.mix[genre], "percent": f"{playlist.mix[genre]:.0%}"}
            for genre in heaviest_first(playlist.mix)
        ],
        "now": (
            missing_music_text(situation.snapshot, translator)
            or _next_genre_text(playlist, situation.profile, translator)
        )
        if playlist.items
        else "",
        "notes": _note_texts(playlist, translator),
        "providers": [
            _provider_data(name, report, situation.now, translator)
            for name, report in _all_reports(situation.reports).items()
        ],
        "ages": "" if set(situation.reports) - {OWN_LIST} else translator("recommendations.range.live"),
        "more": [] if situation.muted else _include_buttons(playlist, situation.filters, translator),
        "songs": [_song_data(item, situation.muted, translator) for item in playlist.items],
        "choices": choices_data(choices, translator),
        "texts": translator.part("recommendations.part."),
    }


def _genre_data(genre: str, translator: Translator) -> dict[str, str]:
    return {"genre": genre, "name": translator.genre(genre), "color": genre_color(genre)}


def _cause_text(playlist: Playlist, situation: Situation, translator: Translator) -> str:
    """Name the genre that the songs follow and the time for which it has played, or return an empty text."""
    lead = situation.profile.leading_genre
    if lead is None or not playlist.mix:
        return ""
    if _has_turned(playlist, lead):
        return translator(
            "recommendations.cause.before", genre=translator.genre(heaviest_first(playlist.mix)[0])
        )
    values = {"genre": translator.genre(lead.genre), "time": format_minutes(lead.seconds, translator)}
    if len(playlist.mix) == 1:
        return translator("recommendations.cause.only", **values)
    kind = "mostly" if playlist.mix[lead.genre] >= MAJORITY_SHARE else "leading"
    return translator(f"recommendations.cause.{kind}", **values)


def _has_turned(playlist: Playlist, lead: LeadingGenre) -> bool:
    """Return True if the leading genre differs from the genre that the songs follow."""
    return max(playlist.mix.values()) > playlist.mix.get(lead.genre, 0.0) + LEAD_MARGIN


def _next_genre_text(playlist: Playlist, profile: ListeningProfile, translator: Translator) -> str:
    """Name the leading genre if the songs do not follow it yet, else return an empty text."""
    lead = profile.leading_genre
    if lead is None or not playlist.mix or not _has_turned(playlist, lead):
        return ""
    values = {"genre": translator.genre(lead.genre), "time": format_minutes(lead.seconds, translator)}
    return translator("recommendations.cause.turning", **values)


def empty_list_text(playlist: Playlist, profile: ListeningProfile, translator: Translator) -> str:
    """Return the message that replaces an empty list, or an empty text if there are songs."""
    if playlist.items:
        return ""
    if not playlist.mix:
        wanted = profile.settings.first_music_seconds
        return translator(
            "recommendations.cause.waiting", wanted=f"{wanted:.0f}", received=f"{profile.music_seconds:.0f}"
        )
    searching = any(note.key == f"note.{SearchOutcome.LOOKING}" for note in playlist.notes)
    return translator(f"recommendations.instead.{'looking' if searching else 'none'}")


def missing_music_text(snapshot: Snapshot, translator: Translator) -> str:
    """Return a message if there is no music that the songs could follow, else an empty text."""
    if not snapshot.connected:
        return translator("recommendations.now.away")
    if snapshot.state in (StreamState.LISTENING, StreamState.UNSURE):
        return ""
    keys = {StreamState.SILENT: "silent", StreamState.NOT_MUSIC: "not_music"}
    return translator(f"recommendations.now.{keys.get(snapshot.state, 'other')}")


def format_minutes(seconds: float, translator: Translator) -> str:
    """Format a duration in whole minutes, rounded down."""
    hours, minutes = divmod(int(seconds // 60), 60)
    if hours:
        return translator("recommendations.time.hours", hours=hours, minutes=minutes)
    if minutes > 1:
        return translator("recommendations.time.minutes", minutes=minutes)
    return translator("recommendations.time.minute" if minutes else "recommendations.time.moment")


def _note_texts(playlist: Playlist, translator: Translator) -> list[str]:
    """Return the notes of the playlist."""
    # ``empty_list_text`` shows these notes in place of an empty list.
    hidden = () if playlist.items else ("note.waiting", f"note.{SearchOutcome.LOOKING}")
    return [note.translate(translator) for note in playlist.notes if note.key not in hidden]


def _include_buttons(playlist: Playlist, filters: Filters, translator: Translator) -> list[dict[str, str]]:
    """Return the buttons that include songs beyond a filter or leave them out again."""
    buttons = []
    for kind in (Relaxed.LANGUAGE, Relaxed.RANGE):
        name = "decade" if kind is Relaxed.RANGE and filters.range in DECADES else kind.value
        if kind in filters.included:
            label = translator(f"recommendations.more.leave_out.{name}")
        elif count := playlist.beyond.get(kind):
            label = translator(f"recommendations.more.{name}", count=count)
        else:
            continue
        buttons.append({"key": kind.value, "label": label})
    return buttons


def _filter_names(relaxed: frozenset[Relaxed], translator: Translator) -> str:
    return translator("recommendations.comma").join(
        translator(f"recommendations.relaxed.{each}") for each in Relaxed if each in relaxed
    )


def _all_reports(reports: Mapping[str, ProviderReport | None]) -> dict[str, ProviderReport | None]:
    """Return the reports of all providers, including those without a key."""
    return {name: NOT_CONFIGURED for name in PROVIDERS_WITH_KEYS if name not in reports} | dict(reports)


def _provider_data(
    name: str, report: ProviderReport | None, now: datetime, translator: Translator
) -> dict[str, str]:
    """Return the name of a provider, its latest status, and the tone ``fine``, ``fault`` or ``quiet``."""
    shown = translator("recommendations.provider.own") if name == OWN_LIST else name
    if report is None:
        return {"name": shown, "status": translator("recommendations.status.waiting"), "tone": "quiet"}
    result = report.result
    unneeded = result.status is Status.OK and not report.songs
    status = "unneeded" if unneeded else result.status.value
    parts = [translator(f"recommendations.status.{status}", count=report.songs)]
    if Relaxed.GENRE in result.relaxed:
        parts.append(translator("recommendations.status.keywords"))
    if result.retry_at is not None and result.retry_at > now:
        seconds = (result.retry_at - now).total_seconds()
        parts.append(translator("recommendations.status.again", time=format_minutes(seconds, translator)))
    if unneeded or result.status is Status.OFF:
        tone = "quiet"
    else:
        tone = "fine" if result.status in HEALTHY_STATUSES else "fault"
    return {"name": shown, "status": " ".join(parts), "tone": tone}


def _song_data(item: PlaylistItem, muted: bool, translator: Translator) -> dict[str, Any]:
    track = item.track
    marks = {"like": item.liked, "pin": item.pinned, "open": item.opened}
    origin = "recommendations.song.from.itunes" if track.provider == "iTunes" else "recommendations.song.from"
    return _genre_data(item.genre, translator) | {
        "key": item.key,
        "title": track.title,
        "romanized": track.romanized,
        "artist": ", ".join(track.artists),
        "first_artist": next(iter(track.artists), ""),
        "published": track.release_date,
        "language": track.language or "",
        "reason": reason_text(item, translator),
        "relaxed": translator("recommendations.relaxed.row", filters=_filter_names(item.relaxed, translator))
        if item.relaxed
        else "",
        "artwork": "" if muted else artwork_url(track),
        "from": "" if track.provider == OWN_LIST else translator(origin, provider=track.provider),
        "links": links_data(track, translator),
        "marks": [name for name, on in marks.items() if on],
    }


def reason_text(item: PlaylistItem, translator: Translator) -> str:
    """Return the reasons for a song as a sentence without a full stop."""
    text = translator("recommendations.comma").join(part.translate(translator) for part in item.reasons)
    return text[:1].upper() + text[1:]


def artwork_url(track: Track) -> str:
    """Return the address of the artwork if it is on a domain of the provider, else an empty text."""
    return parse_link(track.artwork_url, *ARTWORK_DOMAINS.get(track.provider, ()))


def song_links(track: Track) -> dict[str, str]:
    """Return the links to a song by service: first the page of the song, then searches."""
    domain = PAGE_DOMAINS.get(track.provider)
    song_page = parse_link(track.url, domain) if domain else ""
    searches = {"Spotify": track.spotify_search, "YouTube": track.youtube_search}
    return ({track.provider: song_page} if song_page else {}) | {
        service: address
        for service, address in searches.items()
        if not (song_page and service == track.provider)
    }


def links_data(track: Track, translator: Translator) -> list[dict[str, str]]:
    """Return the links to a song as data. Searches are labeled, since a service may not have the song."""
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
    """Return the data of the box with the user's choices. Bans come first, since they hide songs."""
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
