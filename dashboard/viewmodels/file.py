"""Data of the file page: genres over time, the spectrogram, and its important parts."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from dashboard.i18n.translator import Translator
from dashboard.viewmodels.theme import genre_color, sort_genres

SCALE = 2
"""Side of the square, in pixels, that each pixel of the spectrogram becomes."""
MIN_BRIGHTNESS = 0.15
"""Brightness of the least important part of the spectrogram, 0 to 1."""

MAX_DESCRIBED = 60
"""Bands that are described to screen readers. An hour of songs has hundreds."""
MAX_PROBABILITIES = 4
"""Genres whose probabilities are shown for the whole file."""
TIME_PARTS = 4
"""Intervals between the times below the bands. The times mark both ends and every quarter."""
MIN_SECONDS = 1e-9
"""Seconds of a file without length, which prevent a division by zero."""


@dataclass(frozen=True, slots=True)
class Band:
    """A span of a file with one genre.

    Attributes
    ----------
    start, end : float
        Seconds.
    genre : str or None
        None if there was no music.
    sure : bool
        False if the genre is a guess.
    """

    start: float
    end: float
    genre: str | None
    sure: bool


def merge_bands(estimates: Sequence[Mapping[str, Any]]) -> list[Band]:
    """Merge estimate messages into bands of one genre.

    The messages are in order. Each message covers the time since the previous message.
    """
    merged: list[Band] = []
    for message in estimates:
        estimate, end = message["estimate"], message["end_seconds"]
        sure = estimate["state"] == "LISTENING"
        has_genre = sure or estimate["state"] == "UNSURE"
        genre = (estimate["stable_label"] if sure else estimate["label"]) if has_genre else None
        last = merged[-1] if merged else None
        if last is not None and (last.genre, last.sure) == (genre, sure):
            merged[-1] = replace(last, end=end)
        else:
            merged.append(Band(last.end if last else message["start_seconds"], end, genre, sure))
    return merged


def bands_data(bands: Sequence[Band], seconds: float, translator: Translator) -> dict[str, Any]:
    """Return the data of the component ``genre_bands``: bands, times below them, legend, and description.

    Parameters
    ----------
    bands : sequence of Band
        Result of ``merge_bands``.
    seconds : float
        Length of the analyzed part of the file, which is the full width.
    translator : Translator
    """
    texts = [_band_text(band, translator) for band in bands]
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
            for band, text in zip(bands, texts, strict=True)
            if band.genre
        ],
        "times": [clock_time(seconds * part / TIME_PARTS) for part in range(TIME_PARTS + 1)],
        "legend": [
            {"name": translator.genre(genre), "color": genre_color(genre)}
            for genre in sort_genres({band.genre for band in bands if band.genre})
        ],
    }


def _band_text(band: Band, translator: Translator) -> str:
    """Describe one band: its times and its genre."""
    name = translator.genre(band.genre) if band.genre else translator("file.no_music")
    genre = name if band.sure or not band.genre else translator("file.guess", genre=name)
    return f"{clock_time(band.start)} \N{EN DASH} {clock_time(band.end)}: {genre}"


def probability_rows(probabilities: Mapping[str, float], translator: Translator) -> list[dict[str, Any]]:
    """Return the data of the bars of the most probable genres, the highest first."""
    ranked = sorted(probabilities.items(), key=lambda item: -item[1])[:MAX_PROBABILITIES]
    return [
        {
            "name": translator.genre(genre),
            "color": genre_color(genre),
            "probability": probability,
            "percent": f"{probability:.0%}",
        }
        for genre, probability in ranked
    ]


def clock_time(seconds: float) -> str:
    """Format seconds as a player does: 3:07, or 1:03:07 from an hour on."""
    whole = round(seconds)
    minutes, rest = divmod(whole, 60)
    return f"{minutes // 60}:{minutes % 60:02d}:{rest:02d}" if minutes >= 60 else f"{minutes}:{rest:02d}"


def explanation_images(
    message: Mapping[str, Any],
) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint8], float]:
    """Return the spectrogram, a copy whose unimportant parts are darkened, and the largest fall.

    Parameters
    ----------
    message : mapping
        The ``picture`` message of ``overheard analyze --json --explain``.

    Returns
    -------
    tuple
        Two images, (SCALE * side, SCALE * side, 3) uint8, and the fall of the probability when the most
        important part is covered.
    """
    side = int(message["side"])
    spectrogram = np.frombuffer(base64.b64decode(message["picture"]), np.uint8).reshape(side, side, 3)
    falls = np.asarray(message["falls"], np.float64)
    importance = pixel_importance(falls, side, int(message["patch"]), int(message["step"]))
    top = float(importance.max())
    relative = np.clip(importance / top, 0, 1) if top > 0 else np.zeros_like(importance)
    important = (
        (spectrogram * (MIN_BRIGHTNESS + (1 - MIN_BRIGHTNESS) * relative)[..., None]).round().astype(np.uint8)
    )
    return enlarge(spectrogram), enlarge(important), float(falls.max())


def pixel_importance(
    falls: npt.NDArray[np.float64], side: int, patch: int, step: int
) -> npt.NDArray[np.float64]:
    """Return the mean fall of the patches that cover each pixel, (side, side) float64."""
    total, count = np.zeros((side, side)), np.zeros((side, side))
    for (row, column), fall in np.ndenumerate(falls):
        covered = np.s_[row * step : row * step + patch, column * step : column * step + patch]
        total[covered] += fall
        count[covered] += 1
    mean: npt.NDArray[np.float64] = total / np.maximum(count, 1)
    return mean


def enlarge(picture: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Enlarge an image, so that each pixel becomes a square of ``SCALE`` pixels."""
    return picture.repeat(SCALE, axis=0).repeat(SCALE, axis=1)
