"""Fake iTunes search of invented songs."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from tests.support.services.faulty_http import NOON, Asked, FaultyServer, Reply

PARAMETERS = {"term", "country", "media", "entity", "attribute", "limit", "lang", "version", "explicit"}
LANGUAGES = {"US": "en", "JP": "ja", "KR": "ko", "TW": "zh", "KZ": "ru"}
AGES_DAYS = (-20, 1, 4, 12, 25, 100, 300, 900, 5000)
"""Days since the release of the songs. The first song is not released yet."""

ARTISTS = {
    "en": ("The Amber Kettles", "Six Doors Down"),
    "ja": ("ゆうなぎ電波", "かみひこうきの地図"),
    "ko": ("느린우체국", "다락방의 별"),
    "zh": ("紙船樂團", "十七號月台"),
    "ru": ("Стеклянный Парк", "Зимний трамвай"),
}  # invented

GENRES = {
    "blues": ("Blues", "ブルース", ("blues", "ブルース", "블루스", "藍調", "блюз")),
    "classical": ("Classical", "クラシック", ("classical", "クラシック", "클래식", "古典", "классич")),
    "country": ("Country", "カントリー", ("country", "カントリー", "컨트리", "鄉村", "кантри")),
    "disco": ("Disco", "ディスコ", ("disco", "ディスコ", "디스코", "迪斯可", "диско")),
    "hiphop": ("Hip-Hop/Rap", "ヒップホップ/ラップ", ("hip hop", "ヒップホップ", "힙합", "嘻哈", "хип")),
    "jazz": ("Jazz", "ジャズ", ("jazz", "ジャズ", "재즈", "爵士", "джаз")),
    "metal": ("Metal", "メタル", ("metal", "メタル", "메탈", "金屬", "метал")),
    "pop": ("K-Pop", "J-Pop", ("pop", "가요", "流行", "поп")),
    "reggae": ("Reggae", "レゲエ", ("reggae", "レゲエ", "레게", "雷鬼", "регги")),
    "rock": ("Rock", "ロック", ("rock", "ロック", "록", "搖滾", "рок")),
}
"""Names of genres in English and Japanese, and the search terms that find them."""


class ITunesServer(FaultyServer):
    """Server that refuses unknown parameters, and all requests after the first ``a_minute``."""

    def __init__(self, a_minute: int = 20) -> None:
        super().__init__()
        self.a_minute = a_minute
        self.too_many = 403

    def answer(self, asked: Asked) -> Reply:
        if asked.path != "/search":
            return Reply(404, {}, {})
        if len(self.asked) > self.a_minute:
            return Reply(self.too_many, {}, {})
        params = asked.params
        good = (
            not set(params) - PARAMETERS
            and params.get("country") in LANGUAGES
            and params.get("media") == "music"
            and params.get("entity") == "song"
            and params.get("lang") in ("en_us", "ja_jp")
            and 1 <= int(params.get("limit", "50")) <= 200
            and bool(params.get("term"))
        )
        if not good:
            return Reply(400, {"errorMessage": "Invalid value(s) for key(s)"}, {})
        rows = found(params)
        return Reply(200, {"resultCount": len(rows), "results": rows}, {})


def found(params: Mapping[str, str], now: datetime = NOON) -> list[dict[str, Any]]:
    """Return the rows that a term finds: songs of its genre, one with the term as title, and invalid rows."""
    term = params["term"].lower()
    column = 1 if params["lang"] == "ja_jp" else 0
    rows: list[dict[str, Any]] = []
    for number, (english, japanese, words) in enumerate(GENRES.values()):
        if any(word in term for word in words):
            genre = (english, japanese)[column]
            for age, days in enumerate(AGES_DAYS):
                title = f"{ARTISTS[LANGUAGES[params['country']]][1]} {age}"
                at = now - timedelta(days=days)
                rows.append(row(params["country"], title, genre, at, number * 100 + age))
    at = now - timedelta(days=2)
    rows.append(row(params["country"], params["term"], "Spoken Word", at, 9_000))
    rows.append({**row(params["country"], "A Video", "Pop", at, 9_001), "kind": "music-video"})
    rows.append(
        {**row(params["country"], "Elsewhere", "Pop", at, 9_002), "trackViewUrl": "javascript:alert(1)"}
    )
    rows.append({"wrapperType": "track", "kind": "song"})
    return rows[: int(params.get("limit", "50"))]


def row(country: str, title: str, genre: str, at: datetime, number: int) -> dict[str, Any]:
    return {
        "wrapperType": "track", "kind": "song", "trackId": number, "trackName": title,
        "artistName": ARTISTS[LANGUAGES[country]][0], "collectionName": f"Album {number}",
        "trackViewUrl": f"https://music.apple.com/{country.lower()}/album/invented/{number}?i={number}",
        "artworkUrl100": f"https://is1-ssl.mzstatic.com/image/{number}.jpg",
        "releaseDate": at.strftime("%Y-%m-%dT%H:%M:%SZ"), "primaryGenreName": genre,
        "trackTimeMillis": 201_500, "country": country,
    }  # fmt: skip
