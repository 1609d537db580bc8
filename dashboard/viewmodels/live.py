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
"""Length of the live timeline; a page that is opened receives the estimates of that time."""
MIN_SAMPLE_SECONDS = 1.5
"""Estimates of the same genre are sent no closer than this, which bounds the data of a page."""


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
        "sureness": [list(step) for step in SURENESS],
        "guess_below": GUESS_BELOW,
        "genres": [
            {"label": genre, "name": words.genre(genre), "color": colour}
            for genre, colour in GENRE_COLORS.items()
        ],
        "other_color": OTHER_COLOR,
        "past": past_samples(past, now),
    }


def past_samples(past: Sequence[ReceivedEstimate], now: float) -> list[list[Any]]:
    """Thin out past estimates: seconds ago, label (None: no genre), confidence, and whether it is certain.

    Each sample replaces those of the same genre in the ``MIN_SAMPLE_SECONDS`` after the sample before it.

    Parameters
    ----------
    past : sequence of ReceivedEstimate
        Oldest first.
    now : float
        Seconds, by the same clock.
    """
    samples: list[list[Any]] = []
    for received in past:
        ago = round(now - received.arrived, 1)
        if ago > PAST_SECONDS:
            continue
        label, sure = _shown(received.estimate)
        share = received.estimate.probabilities.get(label, 0.0) if label else 0.0
        sample = [ago, label, round(share, 2), sure]
        if len(samples) > 1 and [samples[-1][1], samples[-1][3]] == [label, sure]:
            if samples[-2][0] - ago < MIN_SAMPLE_SECONDS:
                samples[-1] = sample
                continue
        samples.append(sample)
    return samples


def _shown(estimate: EstimatePayload) -> tuple[str | None, bool]:
    """The genre that an estimate put on the page, and whether as heard or as a guess."""
    state, label = estimate.state, estimate.label
    if state == StreamState.LISTENING:
        heard = estimate.stable_label or label
        sure = heard is not None and estimate.probabilities.get(heard, 0.0) >= GUESS_BELOW
        return (heard if sure else label), sure
    return (label if state == StreamState.UNSURE else None), False
