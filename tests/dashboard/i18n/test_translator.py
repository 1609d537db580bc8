"""Texts with names filled in, and the choice of the language."""

from __future__ import annotations

import pytest

from dashboard.i18n.translator import Translator, match_language


def test_words_fill_in_names_and_genres() -> None:
    translator = Translator("ru")
    assert translator("live.announcement", genre=translator.genre("jazz")) == "Сейчас играет: джаз"
    assert translator.genre("unheard of") == "unheard of"
    assert translator.part("live.state.SILENT.")["headline"] == "тишина"
    with pytest.raises(KeyError):
        translator("live.no-such-text")


@pytest.mark.parametrize(
    ("locale", "language"),
    [("ja-JP", "ja"), ("zh_CN", "zh"), ("RU", "ru"), ("ko", "ko"), ("pt-BR", "en"), ("", "en"), (None, "en")],
)
def test_the_language_closest_to_a_browsers(locale: str | None, language: str) -> None:
    assert match_language(locale) == language
