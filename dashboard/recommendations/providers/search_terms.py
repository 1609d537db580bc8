"""Search terms for genres and languages at the song services."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

MUSIC_TOPIC: Final = "/m/04rlf"
"""YouTube's topic for all music."""


@dataclass(frozen=True, slots=True)
class LanguageTerms:
    """Terms of one language: the word for song, and the country or language to search at each service.

    A field is empty if a service has no catalog of the country.
    """

    song: str
    spotify_market: str
    spotify_adjective: str
    itunes_store: str
    youtube_language: str
    youtube_region: str


LANGUAGE_TERMS: Final[Mapping[str, LanguageTerms]] = {
    "en": LanguageTerms("song", "US", "", "US", "en", "US"),
    "ja": LanguageTerms("曲", "JP", "japanese", "JP", "ja", "JP"),
    "ko": LanguageTerms("노래", "KR", "korean", "KR", "ko", "KR"),
    "zh": LanguageTerms("歌曲", "TW", "chinese", "TW", "zh-Hant", "TW"),
    # Spotify left the Russian market. Kazakhstan's iTunes store sells the songs that Russia's sold.
    "ru": LanguageTerms("песня", "", "russian", "KZ", "ru", "RU"),
}


@dataclass(frozen=True, slots=True)
class GenreTerms:
    """Terms of one of the model's genres.

    Attributes
    ----------
    words : mapping
        The genre as people write it, by language.
    itunes : str
        Regular expression for words of ``primaryGenreName``. Stores name genres in English, the Japanese
        store in Japanese.
    youtube_topic : str
        All music if YouTube has no topic of the genre. The search words alone then select the genre.
    spotify : str
        The genre in Spotify's English.
    spotify_genres : mapping
        Spotify's own genres by language. In other languages the adjective precedes the English name.
    spotify_words : mapping
        Words by language for which Spotify's search finds more than for ``words``.
    """

    words: Mapping[str, str]
    itunes: str
    youtube_topic: str = MUSIC_TOPIC
    spotify: str = ""
    spotify_genres: Mapping[str, str] = field(default_factory=dict)
    spotify_words: Mapping[str, str] = field(default_factory=dict)


GENRE_TERMS: Final[Mapping[str, GenreTerms]] = {
    "blues": GenreTerms(
        {"en": "blues", "ja": "ブルース", "ko": "블루스", "zh": "藍調", "ru": "блюз"},
        itunes=r"blues|ブルース",
    ),
    "classical": GenreTerms(
        {"en": "classical music", "ja": "クラシック音楽", "ko": "클래식 음악", "zh": "古典音樂",
         "ru": "классическая музыка"},
        itunes=r"classical|クラシック",
        youtube_topic="/m/0ggq0m",
        spotify_words={"ja": "クラシック", "ko": "클래식", "zh": "古典", "ru": "классика"},
    ),
    "country": GenreTerms(
        {"en": "country", "ja": "カントリー", "ko": "컨트리", "zh": "鄉村", "ru": "кантри"},
        itunes=r"country|カントリー",
        youtube_topic="/m/01lyv",
    ),
    "disco": GenreTerms(
        {"en": "disco", "ja": "ディスコ", "ko": "디스코", "zh": "迪斯可", "ru": "диско"},
        itunes=r"disco|ディスコ",
    ),
    "hiphop": GenreTerms(
        {"en": "hip hop", "ja": "ヒップホップ", "ko": "힙합", "zh": "嘻哈", "ru": "хип-хоп"},
        itunes=r"hip[- ]?hop|rap|ヒップホップ|ラップ",
        youtube_topic="/m/0glt670",
        spotify="hip hop",
        spotify_genres={"ja": "j-rap", "ko": "k-rap"},
        spotify_words={"ru": "рэп"},
    ),
    "jazz": GenreTerms(
        {"en": "jazz", "ja": "ジャズ", "ko": "재즈", "zh": "爵士", "ru": "джаз"},
        itunes=r"jazz|ジャズ",
        youtube_topic="/m/03_d0",
    ),
    "metal": GenreTerms(
        {"en": "metal", "ja": "メタル", "ko": "메탈", "zh": "金屬", "ru": "метал"},
        itunes=r"metal|メタル",
        youtube_topic="/m/06by7",  # the topic of rock: metal has no topic
    ),
    "pop": GenreTerms(
        {"en": "pop", "ja": "J-POP", "ko": "K-POP 가요", "zh": "華語流行", "ru": "русский поп"},
        itunes=r"(?:[jkc]-?|mando|canto)?pop|ポップ",
        youtube_topic="/m/064t9",
        spotify_genres={"ja": "j-pop", "ko": "k-pop", "zh": "mandopop"},
        spotify_words={"ja": "ポップ", "ko": "가요", "zh": "流行", "ru": "поп"},
    ),
    "reggae": GenreTerms(
        {"en": "reggae", "ja": "レゲエ", "ko": "레게", "zh": "雷鬼", "ru": "регги"},
        itunes=r"reggae|レゲエ",
        youtube_topic="/m/06cqb",
        spotify_genres={"ja": "j-reggae"},
    ),
    "rock": GenreTerms(
        {"en": "rock", "ja": "邦楽 ロック", "ko": "록 밴드", "zh": "搖滾", "ru": "русский рок"},
        itunes=r"rock|ロック",
        youtube_topic="/m/06by7",
        spotify_genres={"ja": "j-rock", "ko": "k-rock"},
        spotify_words={"ja": "ロック", "ko": "록", "ru": "рок"},
    ),
}  # fmt: skip
"""Terms by label of the model. The label itself is the search term of a genre that is missing here."""


def terms_for(genre: str) -> GenreTerms:
    """Return the terms of a genre. The terms of an unknown genre consist of its label."""
    return GENRE_TERMS.get(genre, GenreTerms({}, itunes=re.escape(genre)))


def words_for(genre: str, language: str | None) -> str:
    """Return the genre as people write it in a language. The default language is English."""
    return terms_for(genre).words.get(language or "en", genre)


def song_words(genre: str, language: str | None) -> str:
    """Return the genre followed by the word for song, for searches that also find other things."""
    return f"{words_for(genre, language)} {LANGUAGE_TERMS[language or 'en'].song}"


def spotify_genre(genre: str, language: str | None) -> str:
    """Return the value of Spotify's filter ``genre:`` for a genre and a language."""
    if own := terms_for(genre).spotify_genres.get(language or ""):
        return own
    adjective = LANGUAGE_TERMS[language].spotify_adjective if language else ""
    return f"{adjective} {_spotify_name(genre)}".strip()


def spotify_words(genre: str, language: str | None) -> str:
    """Return the words to search on Spotify if its genre filter finds no artist."""
    terms = terms_for(genre)
    if language in (None, "en"):
        return _spotify_name(genre)
    return terms.spotify_words.get(language) or terms.words.get(language) or _spotify_name(genre)


def spotify_market(language: str | None) -> str | None:
    """Return the country of the Spotify catalog to search, or None for any country."""
    return LANGUAGE_TERMS[language].spotify_market or None if language else None


def _spotify_name(genre: str) -> str:
    """Return the English name without the special characters of Spotify's searches."""
    return re.sub(r'[":*]', " ", terms_for(genre).spotify or genre)
