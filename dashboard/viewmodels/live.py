"""Data of the live page: genres, colors and past estimates."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from dashboard.analyzer.snapshot import ReceivedEstimate
from dashboard.i18n.translator import Translator
from dashboard.viewmodels.theme import GENRE_COLORS, OTHER_COLOR
from realtime.protocol.estimate import StreamState
from realtime.protocol.messages import EstimatePayload

GUESS_BELOW = 0.5
"""Probability below which a genre is shown as a guess, even if the analyzer still holds it."""
SURENESS = ((0.9, "very"), (0.7, "fairly"), (0.6, "rather"), (GUESS_BELOW, "leaning"))
"""Lowest confidence of each wording for a recognized genre, highest first."""

PAST_SECONDS = 300.0
"""Seconds of the live timeline. A page that opens receives the estimates of that time."""
MIN_SAMPLE_SECONDS = 1.5
"""Least seconds between sent estimates of the same genre, which bounds the data of a page."""


def live_data(
    analyzer: str, token: str, translator: Translator, past: Sequence[ReceivedEstimate] = (), now: float = 0.0
) -> dict[str, Any]:
    """Return the data of the live component as JSON.

    Parameters
    ----------
    analyzer : str
        Websocket that the browser connects to.
    token : str
        Token for the analyzer, empty if it needs none.
    translator : Translator
    past : sequence of ReceivedEstimate, optional
        Estimates that this server received before, oldest first.
    now : float, optional
        Current time of the clock that stamped ``past``.
    """
    return {
        "analyzer": analyzer,
        "token": token,
        "language": translator.language,
        "texts": translator.part("live."),
        "sureness": [list(step) for step in SURENESS],
        "guess_below": GUESS_BELOW,
        "genres": [
            {"label": genre, "name": translator.genre(genre), "color": color}
            for genre, color in GENRE_COLORS.items()
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
    """Return the genre that the page shows for an estimate, and whether it counts as recognized."""
    state, label = estimate.state, estimate.label
    if state == StreamState.LISTENING:
        held_label = estimate.stable_label or label
        sure = held_label is not None and estimate.probabilities.get(held_label, 0.0) >= GUESS_BELOW
        return (held_label if sure else label), sure
    return (label if state == StreamState.UNSURE else None), False
