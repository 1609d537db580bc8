"""Fake YouTube Data API of invented songs, which is as strict as its documentation."""

from __future__ import annotations

import base64
import hashlib
import html
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from tests.support.services.faulty_http import NOON, Asked, FaultyServer, Reply

GOOD_KEY = "AIza-invented-key-0123456789"
AGES_DAYS = (0, 1, 3, 5, 9, 14, 22, 27, 45, 120, 250, 360, 500, 1500, 4000)

TOPICS = {
    "/m/04rlf": ("blues", "disco"), "/m/0ggq0m": ("classical",), "/m/01lyv": ("country",),
    "/m/0glt670": ("hiphop",), "/m/03_d0": ("jazz",), "/m/064t9": ("pop",), "/m/06cqb": ("reggae",),
    "/m/06by7": ("rock", "metal"),
}  # fmt: skip

LABELS = {
    "blues": ("blues", "ブルース", "블루스", "藍調", "блюз"),
    "classical": ("classical", "クラシック", "클래식", "古典", "классическая"),
    "country": ("country", "カントリー", "컨트리", "鄉村", "кантри"),
    "disco": ("disco", "ディスコ", "디스코", "迪斯可", "диско"),
    "hiphop": ("hip hop", "ヒップホップ", "힙합", "嘻哈", "хип-хоп"),
    "jazz": ("jazz", "ジャズ", "재즈", "爵士", "джаз"),
    "metal": ("metal", "メタル", "메탈", "金屬", "метал"),
    "pop": ("pop", "j-pop", "k-pop", "流行", "поп"),
    "reggae": ("reggae", "レゲエ", "레게", "雷鬼", "регги"),
    "rock": ("rock", "ロック", "록", "搖滾", "рок"),
}
"""Labels of a video of a genre. The search text must contain one of them."""

NAMES = {
    "en": ("Marlow & the Quiet Ferns", "Don't Lean on the Lantern"),
    "ja": ("ツキミ通信", "ほしくずのえき"),
    "ko": ("달무늬단", "초록 우산의 밤"),
    "zh": ("雲梯樂隊", "紙月亮車站"),
    "ru": ("Тихий Причал", "Бумажный фонарь"),
}  # invented

REGIONS = {"en": "US", "ja": "JP", "ko": "KR", "zh": "TW", "ru": "RU"}
SEARCH_PARAMETERS = {
    "part", "q", "type", "publishedAfter", "publishedBefore", "relevanceLanguage", "regionCode",
    "videoCategoryId", "topicId", "order", "maxResults", "safeSearch", "videoEmbeddable",
    "videoSyndicated", "videoDuration", "pageToken",
}  # fmt: skip
ORDERS = ("date", "rating", "relevance", "title", "videoCount", "viewCount")


@dataclass(frozen=True, slots=True)
class Video:
    """Video. ``language`` is the language of the song, ``spoken`` the one that its uploader entered."""

    video_id: str
    title: str
    channel: str
    genre: str
    language: str
    published: datetime
    duration: str = "PT3M33S"
    live: str = "none"
    spoken: str = ""
    odd: str = ""


def identifier(*parts: object) -> str:
    digest = hashlib.sha256(repr(parts).encode()).digest()
    return base64.urlsafe_b64encode(digest).decode()[:11]


def library(now: datetime = NOON) -> list[Video]:
    """Return a song of each age for each genre and language, and one row of each odd kind."""
    videos: list[Video] = []
    for genre in LABELS:
        for language, (artist, song) in NAMES.items():
            for number, days in enumerate(AGES_DAYS):
                title = f"{artist} - {song} {number} (Official Video)"
                spoken = "" if number % 2 else {"zh": "zh-Hant", "en": "en-US"}.get(language, language)
                at = now - timedelta(days=days, hours=1)
                key = identifier(genre, language, number)
                videos.append(Video(key, title, f"{artist} - Kanal", genre, language, at, spoken=spoken))
            at = now - timedelta(hours=2)
            for odd, changes in ODD.items():
                key = "" if odd == "no id" else identifier(genre, language, odd)
                if odd == "bad id":
                    key = "../../evil?x"
                row = {"title": f"{artist} - {song} {odd}", "odd": odd, "published": at, **changes}
                videos.append(Video(key, channel=artist, genre=genre, language=language, **row))
    return videos


ODD: dict[str, dict[str, Any]] = {
    "short": {"duration": "PT35S"},
    "mix": {"duration": "PT1H2M3S"},
    "live": {"live": "live", "duration": "P0D"},
    "upcoming": {"live": "upcoming", "duration": "P0D"},
    "no id": {},
    "bad id": {},
    "german": {"spoken": "de", "title": "Halbmond Kapelle - Laternenlied"},
    "ukrainian": {"title": "Їжакова Ґава - Ліхтарик"},
}
"""Changes that make a row unsuitable for a search in one language."""


class YouTubeServer(FaultyServer):
    """Server of ``videos`` that counts the searches of a day and refuses unknown parameters."""

    def __init__(self, searches: int = 100) -> None:
        super().__init__()
        self.videos = library()
        self.searches = searches
        self.used = 0
        self.mode = ""
        """``old quota`` (403, not 429), ``not configured``, ``per minute``, ``no details``, ``words``."""

    def of(self, video_id: str) -> Video:
        return next(video for video in self.videos if video.video_id == video_id)

    def answer(self, asked: Asked) -> Reply:
        if self.mode == "words":
            return Reply(500, {"error": "string"}, {})
        if self.mode == "not configured":
            text = "YouTube Data API v3 has not been used in project 1 before or it is disabled."
            return refusal(403, text, "accessNotConfigured", "PERMISSION_DENIED")
        if "key" in asked.params or asked.headers.get("X-Goog-Api-Key") != GOOD_KEY:
            text = "API key not valid. Please pass a valid API key."
            detail = "" if self.mode == "no details" else "API_KEY_INVALID"
            return refusal(400, text, "badRequest", "INVALID_ARGUMENT", detail)
        if asked.path == "/youtube/v3/search":
            return self._search(asked.params)
        return self._videos(asked.params) if asked.path == "/youtube/v3/videos" else Reply(404, {}, {})

    def _search(self, params: Mapping[str, str]) -> Reply:
        self.used += 1  # invalid requests cost too
        if self.used > self.searches:
            if self.mode == "old quota":
                text = "The request cannot be completed because you have exceeded your quota."
                return refusal(403, text, "quotaExceeded", "PERMISSION_DENIED", domain="youtube.quota")
            text = (
                "Quota exceeded for quota metric 'Search Queries' and limit 'Search Queries per day' "
                "of service 'youtube.googleapis.com' for consumer 'project_number:1'."
            )
            return refusal(429, text, "rateLimitExceeded", "RESOURCE_EXHAUSTED")
        if self.mode == "per minute":
            text = "Quota exceeded for quota metric 'Queries' and limit 'Queries per minute' of service"
            return refusal(429, text, "rateLimitExceeded", "RESOURCE_EXHAUSTED")
        if wrong := wrong_parameter(params):
            return refusal(400, f"Invalid value for {wrong}", "invalidParameter", "INVALID_ARGUMENT")
        found = [video for video in self.videos if matches(video, params)]
        if params.get("order") == "date":
            found.sort(key=lambda video: video.published, reverse=True)
        page = found[: int(params.get("maxResults", "5"))]
        body = {
            "kind": "youtube#searchListResponse", "etag": "e", "regionCode": params.get("regionCode", "US"),
            "pageInfo": {"totalResults": len(found), "resultsPerPage": len(page)},
            "items": [search_row(video) for video in page],
        }  # fmt: skip
        return Reply(200, body, {})

    def _videos(self, params: Mapping[str, str]) -> Reply:
        ids = params.get("id", "").split(",")
        if set(params) - {"part", "id", "maxResults"} or not ids[0] or len(ids) > 50:
            return refusal(400, "Invalid value", "invalidParameter", "INVALID_ARGUMENT")
        known = {video.video_id: video for video in self.videos}
        items = [video_row(known[key]) for key in ids if key in known]
        return Reply(200, {"kind": "youtube#videoListResponse", "etag": "e", "items": items}, {})


def wrong_parameter(params: Mapping[str, str]) -> str:
    """Return the first parameter that the real service would refuse, or an empty string."""
    if unknown := set(params) - SEARCH_PARAMETERS:
        return min(unknown)
    count = params.get("maxResults", "5")
    checks = {
        "part": params.get("part") == "snippet",
        "q": bool(params.get("q", "").strip()),
        "type": params.get("type") == "video" or "videoCategoryId" not in params,
        "maxResults": count.isdecimal() and int(count) <= 50,
        "order": params.get("order", "relevance") in ORDERS,
        "topicId": params.get("topicId", "/m/04rlf") in TOPICS,
        "videoCategoryId": params.get("videoCategoryId", "10") == "10",
        "relevanceLanguage": params.get("relevanceLanguage", "en")
        in ("en", "ja", "ko", "zh-Hant", "zh-Hans", "ru"),
        "regionCode": params.get("regionCode", "US") in (*REGIONS.values(), "HK"),
        "pageToken": "pageToken" not in params,
    }
    try:
        datetime.strptime(params.get("publishedAfter", "2026-01-01T00:00:00Z"), "%Y-%m-%dT%H:%M:%SZ")
    except ValueError:
        return "publishedAfter"
    return next((name for name, good in checks.items() if not good), "")


def matches(video: Video, params: Mapping[str, str]) -> bool:
    """Return whether a search finds a video. The hint for a language does not exclude others."""
    if video.genre not in TOPICS[params.get("topicId", "/m/04rlf")]:
        return False
    if video.published.strftime("%Y-%m-%dT%H:%M:%SZ") < params.get("publishedAfter", ""):
        return False
    words = params["q"].lower()
    if not any(label in words for label in LABELS[video.genre]):
        return False
    wanted = params.get("relevanceLanguage", "")[:2]
    foreign = identifier(video.video_id)[0] in "ABCDEFGH"  # an eighth of them
    return not wanted or video.language == wanted or foreign


def search_row(video: Video) -> dict[str, Any]:
    at = video.published.strftime("%Y-%m-%dT%H:%M:%SZ")
    link = f"https://i.ytimg.com/vi/{video.video_id}/mqdefault.jpg"
    snippet = {
        "publishedAt": at, "channelId": "UCinvented", "title": html.escape(video.title, quote=True),
        "description": "", "thumbnails": {"medium": {"url": link, "width": 320, "height": 180}},
        "channelTitle": html.escape(video.channel), "liveBroadcastContent": video.live, "publishTime": at,
    }  # fmt: skip
    identity = {"kind": "youtube#video", "videoId": video.video_id}
    if not video.video_id:
        identity = {"kind": "youtube#channel", "channelId": "UCinvented"}
    return {"kind": "youtube#searchResult", "etag": "e", "id": identity, "snippet": snippet}


def video_row(video: Video) -> dict[str, Any]:
    snippet = {"title": video.title, "liveBroadcastContent": video.live, "categoryId": "10"}
    if video.spoken:
        snippet["defaultAudioLanguage"] = video.spoken
    return {
        "kind": "youtube#video", "id": video.video_id, "snippet": snippet,
        "contentDetails": {"duration": video.duration},
        "topicDetails": {"topicCategories": ["https://en.wikipedia.org/wiki/Music"]},
    }  # fmt: skip


def refusal(
    code: int, message: str, reason: str, status: str, detail: str = "", domain: str = "global"
) -> Reply:
    """Google's error envelope."""
    error: dict[str, Any] = {
        "code": code, "message": message, "status": status,
        "errors": [{"message": message, "domain": domain, "reason": reason}],
    }  # fmt: skip
    if detail:
        error["details"] = [{"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": detail}]
    return Reply(code, {"error": error}, {})
