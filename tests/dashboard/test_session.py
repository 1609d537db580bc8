"""State of one page: providers that all pages share, and the estimates before the page was opened."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import streamlit as st

from dashboard import session
from dashboard.analyzer.snapshot import ReceivedEstimate, Snapshot
from dashboard.recommendations.domain.tracks import INSTRUMENTAL
from dashboard.recommendations.engine.playlist import Reason
from dashboard.recommendations.filter_choice import ANY, FilterChoice
from dashboard.recommendations.providers.registry import WallClock, build_providers
from realtime.protocol.estimate import StreamState
from tests.support.services.all import minute_of


class FeedWithEstimates:
    """Feed that has received a minute of estimates."""

    def __init__(self, state: StreamState = StreamState.LISTENING) -> None:
        self.snapshot = Snapshot(connected=True, state=state)
        self._estimates = [
            ReceivedEstimate(number, each.at, each.estimate)
            for number, each in enumerate(minute_of("jazz"), 1)
        ]

    def estimates_after(self, number: int) -> list[ReceivedEstimate]:
        return [each for each in self._estimates if each.number > number]


def test_a_page_that_is_opened_later_has_songs_at_once(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Regression: a new tab asked for half a minute of music although minutes had played."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    shared = build_providers(WallClock(), {}, seed=1)
    monkeypatch.setattr(session, "providers", lambda: shared)
    feed: Any = FeedWithEstimates()
    lists = []
    for choice in (FilterChoice("en"), FilterChoice(ANY)):
        state: dict[str, Any] = {"filter_choice": choice}
        monkeypatch.setattr(st, "session_state", state)
        lists.append(session.refresh_recommendations(feed, is_seen=True))
        assert len(lists[-1].items) == 10
        assert session.refresh_recommendations(feed, is_seen=True) is lists[-1], (
            "earlier estimates must count once"
        )
    foreign = [sum(row.track.language not in ("en", INSTRUMENTAL) for row in each.items) for each in lists]
    assert foreign[1] > foreign[0] == 0, "each page must have its own filters"


def test_titles_of_two_languages_in_turn_keep_the_list_and_count_only_unless_muted(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Regression: such titles changed the filters with 22 of 30 titles, also while muted."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    shared = build_providers(WallClock(), {}, seed=1)
    monkeypatch.setattr(session, "providers", lambda: shared)
    state: dict[str, Any] = {}
    monkeypatch.setattr(st, "session_state", state)
    feed: Any = FeedWithEstimates()
    lists = []
    for number in range(30):
        feed.snapshot = Snapshot(
            title=f"Кино - Песня {number}" if number % 2 else f"スピッツ - ロビンソン {number}"
        )
        lists.append(session.refresh_recommendations(feed, is_seen=True).items)
    assert len(set(lists)) <= 3, "the list may change with the second language only"
    service = session.recommendation_service()
    assert service.rolling_playlist.refresh_reason is Reason.FILTERS
    assert not service._is_requested(), "a title is no click"
    before = session.current_filters()
    assert {before.language, *before.beside} == {"ru", "ja", "en", INSTRUMENTAL}
    state["muted"] = True
    for number in range(9):
        feed.snapshot = Snapshot(title=f"스피카 - 노래 {number}")
        assert session.refresh_recommendations(feed, is_seen=True).items == lists[-1]
    assert session.current_filters() == before
    session.set_filter_choice(FilterChoice("ko"))
    assert {row.track.language for row in session.refresh_recommendations(feed, is_seen=True).items} <= {"ko"}
