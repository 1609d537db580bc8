"""State of one page: providers that all pages share, and the estimates before the page was opened."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import streamlit as st

from dashboard import session
from dashboard.analyzer.snapshot import ReceivedEstimate, Snapshot
from dashboard.recommendations.domain.tracks import INSTRUMENTAL
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
