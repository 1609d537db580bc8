"""Request parameters for YouTube, and songs from its responses."""

from __future__ import annotations

import html
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

from dashboard.i18n.languages import LANGUAGES
from dashboard.recommendations.domain.language import classify_language
from dashboard.recommendations.domain.text import (
    parse_link,
    parse_mapping,
    parse_name,
    parse_rows,
    parse_text,
)
from dashboard.recommendations.domain.tracks import ReleaseRange, Track, TrackQuery
from dashboard.recommendations.providers.search_terms import LANGUAGE_TERMS, song_words, terms_for

MAX_RESULTS: Final = 50
"""Rows of a page, YouTube's limit for both requests."""

MIN_SECONDS: Final = 60.0
"""Shortest song in seconds. Shorter videos are Shorts."""

MAX_SECONDS: Final = 900.0
"""Longest song in seconds. Longer videos are mixes and concerts."""

MUSIC_CATEGORY: Final = "10"
_UNKNOWN_LANGUAGES: Final = frozenset({"", "und", "mul", "mis"})
_CHINESE: Final = frozenset({"zh", "cmn", "yue", "nan"})
_VIDEO_ID: Final = re.compile(r"[A-Za-z0-9_-]{11}")
_DURATION: Final = re.compile(
    r"P(?:(\d{1,4})D)?(?:T(?:(\d{1,4})H)?(?:(\d{1,6})M)?(?:(\d{1,8})S)?)?", re.ASCII
)
_DASH: Final = re.compile(r"\s+[-–—]\s+")  # noqa: RUF001  people write all three
_FEATURED: Final = re.compile(r"\s+(?:feat\.?|ft\.?|featuring)\s+", re.IGNORECASE)
_NOISE: Final = re.compile(
    r"\s*[(\[【](?:[^()\[\]【】]*\b)?(?:official|video|audio|mv|m/v|lyrics?|visuali[sz]er|hd|4k|公式|клип)\b"
    r"[^()\[\]【】]*[)\]】]",
    re.IGNORECASE,
)
_CHANNEL: Final = re.compile(r"(?:\s+-\s+Topic|\s*VEVO)$")


@dataclass(frozen=True, slots=True)
class VideoItem:
    """A video of the search response that may be a song."""

    video_id: str
    title: str
    channel: str
    published: date | None
    artwork_url: str
    rank: int


def search_parameters(query: TrackQuery, today: date) -> dict[str, str]:
    """Return the parameters of ``search.list``."""
    parameters = {
        "part": "snippet",
        "type": "video",
        "videoCategoryId": MUSIC_CATEGORY,
        "topicId": terms_for(query.genre).youtube_topic,
        "q": song_words(query.genre, query.language),
        "maxResults": str(MAX_RESULTS),
        "order": "viewCount" if query.range in (ReleaseRange.WEEK, ReleaseRange.MONTH) else "relevance",
    }
    if query.language is not None:
        terms = LANGUAGE_TERMS[query.language]
        parameters |= {"relevanceLanguage": terms.youtube_language, "regionCode": terms.youtube_region}
    if (since := query.range.since(today)) is not None:
        parameters["publishedAfter"] = f"{since.isoformat()}T00:00:00Z"
    return parameters


def video_parameters(rows: Sequence[VideoItem]) -> dict[str, str]:
    """Return the parameters of ``videos.list``."""
    return {
        "part": "snippet,contentDetails,topicDetails",
        "id": ",".join(row.video_id for row in rows),
        "maxResults": str(MAX_RESULTS),
    }


def parse_videos(body: Mapping[str, Any], query: TrackQuery, today: date) -> tuple[VideoItem, ...]:
    """Parse the videos of a ``search.list`` response, without live videos and those that are too old."""
    found: dict[str, VideoItem] = {}
    since = query.range.since(today)
    for rank, item in enumerate(parse_rows(body["items"])[:MAX_RESULTS]):
        snippet = parse_mapping(item.get("snippet"))
        video_id = parse_text(parse_mapping(item.get("id")).get("videoId"))
        title = parse_name(html.unescape(parse_text(snippet.get("title"))))
        published = _parse_date(snippet.get("publishedAt"))
        if not _VIDEO_ID.fullmatch(video_id) or not title or _is_live(snippet):
            continue
        if since is not None and (published is None or published < since):
            continue
        channel = parse_name(html.unescape(parse_text(snippet.get("channelTitle"))))
        row = VideoItem(video_id, title, channel, published, _artwork_url(snippet.get("thumbnails")), rank)
        found.setdefault(video_id, row)
    return tuple(found.values())


def parse_tracks(found: Sequence[VideoItem], body: Mapping[str, Any], query: TrackQuery) -> tuple[Track, ...]:
    """Return the videos that are songs of the requested language according to ``videos.list``."""
    details = {parse_text(item.get("id")): item for item in parse_rows(body["items"])}
    candidates = (_track(row, details[row.video_id], query) for row in found if row.video_id in details)
    return tuple(track for track in candidates if track is not None)


def _track(row: VideoItem, details: Mapping[str, Any], query: TrackQuery) -> Track | None:
    snippet = parse_mapping(details.get("snippet"))
    seconds = parse_duration(parse_mapping(details.get("contentDetails")).get("duration"))
    if seconds is None or not MIN_SECONDS <= seconds <= MAX_SECONDS or _is_live(snippet):
        return None
    title, artists = split_title(row.title, row.channel)
    language: str | None
    audio_language = (
        parse_text(snippet.get("defaultAudioLanguage")).lower().replace("_", "-").partition("-")[0]
    )
    if audio_language not in _UNKNOWN_LANGUAGES:
        audio_language = "zh" if audio_language in _CHINESE else audio_language
        if query.language not in (None, audio_language):
            return None
        language, source = audio_language if audio_language in LANGUAGES else None, "provider"
    elif (classified := classify_language(query.language, title, artists)) is None:
        return None
    else:
        language, source = classified
    return Track(
        provider="YouTube",
        title=title,
        artists=artists,
        url=f"https://www.youtube.com/watch?v={row.video_id}",
        genre=query.genre,
        language=language,
        language_source=source,
        published=row.published,
        precision="none" if row.published is None else "day",
        duration_seconds=seconds,
        artwork_url=row.artwork_url,
        provider_id=row.video_id,
        rank=row.rank,
    )


def split_title(title: str, channel: str) -> tuple[str, tuple[str, ...]]:
    """Split a video's title into song title and artists.

    ``Artist - Title`` is split if the title has exactly one dash. Otherwise the channel is the artist.
    """
    channel_artist = _CHANNEL.sub("", channel)
    cleaned = _NOISE.sub("", title).strip() or title
    parts = [part.strip() for part in _DASH.split(cleaned)]
    if channel.endswith(" - Topic") or len(parts) != 2 or not all(parts):
        return cleaned, (channel_artist,) if channel_artist else ()
    return parts[1], tuple(artist for artist in _FEATURED.split(parts[0]) if artist)


def parse_duration(value: object) -> float | None:
    """Parse an ISO 8601 duration such as ``PT3M33S`` into seconds. Return None for other values."""
    match = _DURATION.fullmatch(parse_text(value))
    if match is None or not any(match.groups()):
        return None
    days, hours, minutes, seconds = (int(part or 0) for part in match.groups())
    return float(((days * 24 + hours) * 60 + minutes) * 60 + seconds)


def _parse_date(value: object) -> date | None:
    try:
        return date.fromisoformat(parse_text(value)[:10])
    except ValueError:
        return None


def _is_live(snippet: Mapping[str, Any]) -> bool:
    return snippet.get("liveBroadcastContent") in ("live", "upcoming")


def _artwork_url(thumbnails: object) -> str:
    sizes = parse_mapping(thumbnails)
    links = (
        parse_link(parse_mapping(sizes.get(size)).get("url"), "ytimg.com")
        for size in ("medium", "high", "default")
    )
    return next((link for link in links if link), "")
