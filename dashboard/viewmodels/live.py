"""What the live part of the page is told: states, genres and their colours. Values in, values out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from dashboard.analyzer.snapshot import ReceivedEstimate
from dashboard.i18n.translator import Translator
from dashboard.viewmodels.theme import GENRE_COLORS, OTHER_COLOR
from realtime.protocol.estimate import StreamState
from realtime.protocol.messages import EstimatePayload

GUESS_BELOW = 0.5
"""A genre with less is never said to be heard, whatever the analyzer still holds: it is a guess."""
SURENESS = ((0.9, "very"), (0.7, "fairly"), (0.6, "rather"), (GUESS_BELOW, "leaning"))
"""From which confidence on which words hold while a genre is heard, highest first."""

PAST_SECONDS = 300.0
"""What a page that was just opened is told of the time before it."""
BRIDGED_SECONDS = 3.0
"""Estimates further apart than this leave a hole in the timeline."""
FINEST_SECONDS = 1.5
"""Shorter steps of the same genre become one."""
FIRST_STEP_SECONDS = 0.5
"""How far back the first estimate after a hole reaches."""


def live_data(
    analyzer: str, token: str, words: Translator, past: Sequence[ReceivedEstimate] = (), now: float = 0.0
) -> dict[str, Any]:
    """What the live part needs to know, as JSON.

    Parameters
    ----------
    analyzer : str
        The websocket that the browser connects to.
    token : str
        What it has to show there; empty when none is needed.
    words : Words
        The reader's language.
    past : sequence of Heard, optional
        What this server heard before, oldest first.
    now : float, optional
        This moment, by the clock that ``past`` was noted with.
    """
    return {
        "analyzer": analyzer,
        "token": token,
        "language": words.language,
        "words": words.part("live."),
        "states": [state.value for state in StreamState],
        "sureness": [list(step) for step in SURENESS],
        "guess_below": GUESS_BELOW,
        "genres": [
            {"label": genre, "name": words.genre(genre), "color": colour}
            for genre, colour in GENRE_COLORS.items()
        ],
        "other_color": OTHER_COLOR,
        "past": past_steps(past, now),
    }


def past_steps(past: Sequence[ReceivedEstimate], now: float) -> list[list[Any]]:
    """Steps of the timeline: from and to in seconds ago, label (None: no genre), confidence, whether sure.

    Parameters
    ----------
    past : sequence of Heard
        Oldest first.
    now : float
        Seconds, by the same clock.
    """
    steps: list[list[Any]] = []
    for heard in past:
        ago = round(now - heard.arrived, 1)
        if ago > PAST_SECONDS:
            continue
        label, sure = _shown(heard.estimate)
        share = heard.estimate.probabilities.get(label, 0.0) if label else 0.0
        begin = ago + FIRST_STEP_SECONDS
        if steps and steps[-1][1] - ago < BRIDGED_SECONDS:
            previous = steps[-1]
            if [previous[2], previous[4]] == [label, sure] and previous[0] - ago < FINEST_SECONDS:
                previous[1] = ago
                continue
            begin = previous[1]
        steps.append([begin, ago, label, round(share, 2), sure])
    return steps


def _shown(estimate: EstimatePayload) -> tuple[str | None, bool]:
    """The genre that an estimate put on the page, and whether as heard or as a guess."""
    state, label = estimate.state, estimate.label
    if state == StreamState.LISTENING:
        heard = estimate.stable_label or label
        sure = heard is not None and estimate.probabilities.get(heard, 0.0) >= GUESS_BELOW
        return (heard if sure else label), sure
    return (label if state == StreamState.UNSURE else None), False
