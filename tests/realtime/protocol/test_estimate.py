"""Properties of each stream state."""

from __future__ import annotations

import pytest

from realtime.protocol.estimate import StreamState

PROPERTIES = {
    "has_estimate": {"LISTENING", "UNSURE", "NOT_MUSIC", "SILENT"},
    "has_genre": {"LISTENING", "UNSURE"},
    "is_final": {"ENDED", "FAILED"},
    "is_closed": {"ENDED", "FAILED", "PAUSED"},
    "is_fault": {"FAILED", "STALLED", "RECOVERING"},
    "is_silent_source": {"CONNECTING", "STALLED", "RECOVERING"},
}


@pytest.mark.parametrize("name", PROPERTIES)
def test_a_property_holds_for_exactly_these_states(name: str) -> None:
    assert {state.value for state in StreamState if getattr(state, name)} == PROPERTIES[name]
