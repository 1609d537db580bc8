"""Data of the live page: genres, colors and past estimates."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from dashboard.analyzer.snapshot import ReceivedEstimate
from dashboard.i18n.translator import Translator
from dashboard.viewmodels.tags import GROUP_SEPARATOR, KINDS, MAX_TAGS, tag_names
from dashboard.viewmodels.theme import GENRE_COLORS, OTHER_COLOR
from realtime.protocol.estimate import StreamState
from realtime.protocol.messages import EstimatePayload

GUESS_BELOW = 0.5
"""Probability below which a genre is shown as a guess, even if the analyzer still holds it."""
SURENESS = ((0.9, "very"), (0.7, "fairly"), (0.6, "rather"), (GUESS_BELOW, "leaning"))
"""Lowest confidence of each wording for a recognized genre, highest first."""

PAST_SECONDS = 300.0
"""Length of the live timeline in seconds. A page that opens receives the estimates of this time."""
MIN_SAMPLE_SECONDS = 1.5
"""Minimum time in seconds between sent estimates of the same genre, which bounds the data of a page."""


def live_data(
    analyzer: str, token: str, translator: Translator, past: Sequence[ReceivedEstimate] = (), now: float = 0.0
) -> dict[str, Any]:
    """Return the data of the live component as JSON.

    Parameters
    ----------
    analyzer : str
        Websocket address that the browser connects to.
    token : str
        Token for the analyzer, empty if the analyzer needs none.
    translator : Translator
    past : sequence of ReceivedEstimate, optional
        Estimates that this server received before the page was opened, oldest first.
    now : float, optional
        Current time in seconds, of the clock of ``ReceivedEstimate.arrived``.
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
        "tags": {
            "kinds": list(KINDS),
            "limit": MAX_TAGS,
            "separator": GROUP_SEPARATOR,
            "names": tag_names(translator),
        },
        "past": past_samples(past, now),
    }


def past_samples(past: Sequence[ReceivedEstimate], now: float) -> list[list[Any]]:
    """Reduce past estimates to samples at least ``MIN_SAMPLE_SECONDS`` apart while the genre stays the same.

    Parameters
    ----------
    past : sequence of ReceivedEstimate
        Estimates, oldest first.
    now : float
        Current time in seconds, of the clock of ``ReceivedEstimate.arrived``.

    Returns
    -------
    list of list
        Samples: seconds ago, label (None without a genre), confidence, and True if the genre is certain.
    """
    samples: list[list[Any]] = []
    for received in past:
        ago = round(now - received.arrived, 1)
        if ago > PAST_SECONDS:
            continue
        label, sure = _displayed_genre(received.estimate)
        share = received.estimate.probabilities.get(label, 0.0) if label else 0.0
        sample = [ago, label, round(share, 2), sure]
        if len(samples) > 1 and [samples[-1][1], samples[-1][3]] == [label, sure]:
            if samples[-2][0] - ago < MIN_SAMPLE_SECONDS:
                samples[-1] = sample
                continue
        samples.append(sample)
    return samples


def _displayed_genre(estimate: EstimatePayload) -> tuple[str | None, bool]:
    """Return the genre that the page shows for an estimate, and True if the genre is certain."""
    state, label = estimate.state, estimate.label
    if state == StreamState.LISTENING:
        displayed_label = estimate.stable_label or label
        sure = displayed_label is not None and estimate.probabilities.get(displayed_label, 0.0) >= GUESS_BELOW
        return (displayed_label if sure else label), sure
    return (label if state == StreamState.UNSURE else None), False
