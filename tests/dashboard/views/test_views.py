"""Pages after changes on another page, and with an analyzer that sends invalid responses."""

from __future__ import annotations

from typing import Any

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from dashboard.i18n.translator import Translator
from dashboard.recommendations.providers.catalog.provider import CatalogProvider
from dashboard.recommendations.providers.registry import ProviderGroup, WallClock
from dashboard.session import PageContext
from dashboard.uploads.analysis_job import AnalysisJob
from dashboard.views import file, health, history
from realtime.protocol.codes import ResponseCode
from realtime.protocol.requests import CorrectLabel, DeleteHistory, Outcome
from tests.support.paths import ROOT

PAGE = PageContext("ws://127.0.0.1:9", "", Translator("en"))


def songs_like_a_file() -> None:
    from dashboard.i18n.translator import Translator
    from dashboard.uploads.analysis_job import AnalysisJob
    from dashboard.views import file

    analysis = AnalysisJob("song.mp3")
    analysis.summary = {"label": "jazz"}
    file.show_songs(analysis, Translator("en"))


def test_no_provider_is_asked_for_songs_like_a_file_while_they_are_muted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The switch promises that no songs are searched."""
    clock = WallClock()
    monkeypatch.setattr(file, "providers", lambda: ProviderGroup((), CatalogProvider(clock, seed=1), clock))
    file.find_songs.clear()
    page = AppTest.from_function(songs_like_a_file)
    page.session_state["muted"] = True
    assert len(page.run().expander) == 0
    page.session_state["muted"] = False
    assert len(page.run().expander[0].text) == file.MAX_SONGS


def prediction_of_a_file() -> None:
    from dashboard.i18n.translator import Translator
    from dashboard.views import file

    tags = [{"name": "80s", "kind": "era"}, {"name": "soul", "kind": "style"}]
    summary = {"label": "jazz", "unsure": False, "confidence": 0.8, "seconds": 61.0, "tags": tags}
    file.show_prediction("upload", summary | {"probabilities": {"jazz": 0.8}}, Translator("en"))


def test_the_summary_of_a_file_has_the_words_for_its_music() -> None:
    page = AppTest.from_function(prediction_of_a_file).run()
    assert [each.value for each in page.text] == ["soul \N{MIDDLE DOT} 1980s"]


@pytest.mark.parametrize("answer", [{"no": "lines"}, {"lines": 3}])
def test_an_analyzer_that_answers_without_a_log_has_an_empty_one(
    monkeypatch: pytest.MonkeyPatch, answer: dict[str, Any]
) -> None:
    """Regression: another program at the analyzer's address broke the whole page."""
    monkeypatch.setattr(health, "fetch_json", lambda *_: answer)
    assert health.read_log(PAGE) == []


def test_after_everything_is_deleted_the_page_follows_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Regression: the deleted segment stayed selected and kept the page from showing the next session."""
    state: dict[str, Any] = {"selected_segment": (3, 1), "confirms_deletion": True}
    monkeypatch.setattr(st, "session_state", state)
    monkeypatch.setattr(history, "send_control", lambda *_, **__: Outcome(ResponseCode.LABEL_REMOVED, ""))
    history.apply_control(PAGE, "correction", CorrectLabel(id="1", session=3, segment=1, genre=None))
    assert state["selected_segment"] == (3, 1)
    history.apply_control(PAGE, "deletion", DeleteHistory(id="2"))
    assert "selected_segment" not in state
    assert state["confirms_deletion"] is False


def test_no_folder_called_pages_lies_beside_the_script() -> None:
    """Streamlit would serve the folder as pages of its own, even if it holds only old bytecode."""
    assert not (ROOT / "dashboard" / "pages").exists(), "remove the folder dashboard/pages"


def test_a_second_click_on_remove_is_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """Regression: a double click showed a KeyError on the page."""
    analyses = {"file": AnalysisJob("song.mp3")}
    monkeypatch.setattr(st, "session_state", {"analyses": analyses})
    file.remove("file")
    file.remove("file")
    assert analyses == {}
