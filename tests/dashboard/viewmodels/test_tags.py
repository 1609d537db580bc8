"""Words that describe music on the pages."""

from __future__ import annotations

import pytest

from dashboard.i18n.languages import LANGUAGES
from dashboard.i18n.translator import Translator, load_texts
from dashboard.viewmodels.live import live_data
from dashboard.viewmodels.tags import KINDS, MAX_TAGS, describe_tags
from models.manifest import ModelManifest


def tag(name: str, kind: str) -> dict[str, object]:
    return {"name": name, "kind": kind, "probability": 0.5}


def test_words_are_grouped_by_kind_and_translated() -> None:
    tags = [tag("80s", "era"), tag("guitar", "instrument"), tag("house", "style"), tag("soul", "style")]
    assert describe_tags(tags, Translator("en")) == "house, soul \N{MIDDLE DOT} guitar \N{MIDDLE DOT} 1980s"
    assert describe_tags(tags[1:3], Translator("zh")) == "浩室 \N{MIDDLE DOT} 吉他"
    assert describe_tags([], Translator("en")) == ""


def test_unknown_words_and_kinds_are_shown_as_they_are_and_last() -> None:
    tags = [tag("theremin", "tone"), tag("soul", "style")]
    assert describe_tags(tags, Translator("ja")) == "ソウル \N{MIDDLE DOT} theremin"


def test_at_most_six_words_are_shown() -> None:
    tags = [tag(f"word {number}", "mood") for number in range(8)]
    assert describe_tags(tags, Translator("en")).count("word") == MAX_TAGS


def test_every_tag_of_the_shipped_model_has_names_and_a_kind_of_the_page() -> None:
    for each in ModelManifest.load().tags:
        assert f"tags.{each.name}" in load_texts(), each.name
        assert each.kind in KINDS


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_live_page_gets_the_names(language: str) -> None:
    data = live_data("ws://127.0.0.1:8765", "", Translator(language))["tags"]
    assert data["names"]["female voice"] == Translator(language).tag("female voice")
    assert (data["kinds"], data["limit"]) == (list(KINDS), MAX_TAGS)
