"""Texts with replacement fields, and the choice of the language."""

from __future__ import annotations

import pytest

from dashboard.i18n.translator import Translator, match_language


def test_texts_get_names_and_genres() -> None:
    translator = Translator("ru")
    assert translator("live.announcement", genre=translator.genre("jazz")) == "Сейчас играет: джаз"
    assert translator.genre("no such genre") == "no such genre"
    assert translator.part("live.state.SILENT.")["headline"] == "тишина"
    with pytest.raises(KeyError):
        translator("live.no-such-text")


@pytest.mark.parametrize(
    ("locale", "language"),
    [("ja-JP", "ja"), ("zh_CN", "zh"), ("RU", "ru"), ("ko", "ko"), ("pt-BR", "en"), ("", "en"), (None, "en")],
)
def test_the_language_is_chosen_by_the_locale_of_the_browser(locale: str | None, language: str) -> None:
    assert match_language(locale) == language
