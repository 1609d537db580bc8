"""What the model's genres are called where songs are searched for by words, in each language."""

from __future__ import annotations

from typing import Final

_WORDS: Final = {
    "blues": {"en": "blues", "ja": "ブルース", "ko": "블루스", "zh": "藍調", "ru": "блюз"},
    "classical": {
        "en": "classical music", "ja": "クラシック音楽", "ko": "클래식 음악", "zh": "古典音樂",
        "ru": "классическая музыка",
    },
    "country": {"en": "country", "ja": "カントリー", "ko": "컨트리", "zh": "鄉村", "ru": "кантри"},
    "disco": {"en": "disco", "ja": "ディスコ", "ko": "디스코", "zh": "迪斯可", "ru": "диско"},
    "hiphop": {"en": "hip hop", "ja": "ヒップホップ", "ko": "힙합", "zh": "嘻哈", "ru": "хип-хоп"},
    "jazz": {"en": "jazz", "ja": "ジャズ", "ko": "재즈", "zh": "爵士", "ru": "джаз"},
    "metal": {"en": "metal", "ja": "メタル", "ko": "메탈", "zh": "金屬", "ru": "метал"},
    "pop": {"en": "pop", "ja": "J-POP", "ko": "K-POP 가요", "zh": "華語流行", "ru": "русский поп"},
    "reggae": {"en": "reggae", "ja": "レゲエ", "ko": "레게", "zh": "雷鬼", "ru": "регги"},
    "rock": {"en": "rock", "ja": "邦楽 ロック", "ko": "록 밴드", "zh": "搖滾", "ru": "русский рок"},
}  # fmt: skip

_SONG: Final = {"en": "song", "ja": "曲", "ko": "노래", "zh": "歌曲", "ru": "песня"}


def words_for(genre: str, language: str | None) -> str:
    """The genre as people of that language write it; English for any, the genre itself if it is unknown."""
    return _WORDS.get(genre, {}).get(language or "en", genre)


def song_words(genre: str, language: str | None) -> str:
    """The same with the word for song, for where other things are found by words too."""
    return f"{words_for(genre, language)} {_SONG[language or 'en']}"
