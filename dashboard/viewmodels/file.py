"""What the page shows of an analysed file: bands over time, the picture, what of it mattered. Values only."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from dashboard.i18n.translator import Translator
from dashboard.viewmodels.theme import genre_color, in_page_order

SCALE = 2
DARKEST = 0.15
"""How bright the part stays that mattered least."""

MAX_DESCRIBED = 60
"""Bands that are described to screen readers; an hour of songs has hundreds."""
MAX_PROBABILITIES = 4
"""Genres whose probabilities are shown for the whole file."""
TIME_PARTS = 4
"""The times below the bands stand at both ends and at every quarter."""
MIN_SECONDS = 1e-9
"""Keeps a file without length from a division by zero."""


@dataclass(frozen=True, slots=True)
class Band:
    """A stretch of a file, in seconds: one genre, None where no music was heard; a guess unless ``sure``."""

    start: float
    end: float
    genre: str | None
    sure: bool


def bands(estimates: Sequence[Mapping[str, Any]]) -> list[Band]:
    """Estimate messages in order, folded; each stands for the time since the one before."""
    folded: list[Band] = []
    for message in estimates:
        estimate, end = message["estimate"], message["end_seconds"]
        sure = estimate["state"] == "LISTENING"
        heard = sure or estimate["state"] == "UNSURE"
        genre = (estimate["stable_label"] if sure else estimate["label"]) if heard else None
        last = folded[-1] if folded else None
        if last is not None and (last.genre, last.sure) == (genre, sure):
            folded[-1] = replace(last, end=end)
        else:
            folded.append(Band(last.end if last else message["start_seconds"], end, genre, sure))
    return folded


def bands_data(folded: Sequence[Band], seconds: float, words: Translator) -> dict[str, Any]:
    """Return the data of the bands' component: bands, times below them, legend, and a description.

    Parameters
    ----------
    folded : sequence of Band
    seconds : float
        Length of the file so far, the full width.
    words : Translator
    """
    texts = [_band_text(band, words) for band in folded]
    total = max(seconds, MIN_SECONDS)
    return {
        "description": "; ".join(texts[:MAX_DESCRIBED]),
        "bands": [
            {
                "color": genre_color(band.genre),
                "start": band.start / total,
                "length": (band.end - band.start) / total,
                "sure": band.sure,
                "tooltip": text,
            }
            for band, text in zip(folded, texts, strict=True)
            if band.genre
        ],
        "times": [clock_time(seconds * part / TIME_PARTS) for part in range(TIME_PARTS + 1)],
        "legend": [
            {"name": words.genre(genre), "color": genre_color(genre)}
            for genre in in_page_order({band.genre for band in folded if band.genre})
        ],
    }


def _band_text(band: Band, words: Translator) -> str:
    """Describe one band: its times and its genre."""
    name = words.genre(band.genre) if band.genre else words("file.no_music")
    genre = name if band.sure or not band.genre else words("file.guess", genre=name)
    return f"{clock_time(band.start)} \N{EN DASH} {clock_time(band.end)}: {genre}"


def probability_rows(probabilities: Mapping[str, float], words: Translator) -> list[dict[str, Any]]:
    """Return the most probable genres, highest first, as the data of their bars."""
    ranked = sorted(probabilities.items(), key=lambda item: -item[1])[:MAX_PROBABILITIES]
    return [
        {
            "name": words.genre(genre),
            "color": genre_color(genre),
            "probability": probability,
            "percent": f"{probability:.0%}",
        }
        for genre, probability in ranked
    ]


def clock_time(seconds: float) -> str:
    """Minutes and seconds, as players write them."""
    whole = round(seconds)
    minutes, rest = divmod(whole, 60)
    return f"{minutes // 60}:{minutes % 60:02d}:{rest:02d}" if minutes >= 60 else f"{minutes}:{rest:02d}"


def pictures(message: Mapping[str, Any]) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint8], float]:
    """The picture that the model saw, the same darkened where it did not matter, and the greatest fall.

    Parameters
    ----------
    message : mapping
        The ``picture`` of ``overheard analyze --json --explain``.

    Returns
    -------
    tuple
        Two (SCALE * side, SCALE * side, 3) uint8, and how much of the probability the part costs that
        mattered most.
    """
    side = int(message["side"])
    seen = np.frombuffer(base64.b64decode(message["picture"]), np.uint8).reshape(side, side, 3)
    falls = np.asarray(message["falls"], np.float64)
    importance = spread(falls, side, int(message["patch"]), int(message["step"]))
    top = float(importance.max())
    share = np.clip(importance / top, 0, 1) if top > 0 else np.zeros_like(importance)
    mattered = (seen * (DARKEST + (1 - DARKEST) * share)[..., None]).round().astype(np.uint8)
    return enlarged(seen), enlarged(mattered), float(falls.max())


def spread(falls: npt.NDArray[np.float64], side: int, patch: int, step: int) -> npt.NDArray[np.float64]:
    """For each pixel the mean fall of the patches that cover it, (side, side) float64."""
    total, count = np.zeros((side, side)), np.zeros((side, side))
    for (row, column), fall in np.ndenumerate(falls):
        covered = np.s_[row * step : row * step + patch, column * step : column * step + patch]
        total[covered] += fall
        count[covered] += 1
    mean: npt.NDArray[np.float64] = total / np.maximum(count, 1)
    return mean


def enlarged(picture: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Each pixel as a square of ``SCALE`` pixels."""
    return picture.repeat(SCALE, axis=0).repeat(SCALE, axis=1)
