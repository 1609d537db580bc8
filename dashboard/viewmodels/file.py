"""What the page shows of an analysed file: bands over time, the picture, what of it mattered. Values only."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from html import escape
from typing import Any

import numpy as np
import numpy.typing as npt

from dashboard.i18n.translator import Translator
from dashboard.viewmodels.live import OTHER_COLOUR
from dashboard.viewmodels.theme import GENRE_COLORS

SCALE = 2
DARKEST = 0.15
"""How bright the part stays that mattered least."""

MOST_TOLD = 60
"""Stretches that a screen reader is told; an hour of song after song has hundreds."""


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


def bands_markup(folded: Sequence[Band], seconds: float, words: Translator) -> str:
    """The bands beside each other, as markup; names in it are escaped.

    Parameters
    ----------
    folded : sequence of Band
    seconds : float
        Where the picture ends.
    words : Words
    """
    pieces, told = [], []
    for band in folded:
        name = words.genre(band.genre) if band.genre else words("file.no_music")
        said = name if band.sure or not band.genre else words("file.guess", genre=name)
        when = f"{clock_time(band.start)} \N{EN DASH} {clock_time(band.end)}: {said}"
        told.append(when)
        if band.genre:
            left, width = (100 * part / max(seconds, 1e-9) for part in (band.start, band.end - band.start))
            pieces.append(
                f'<span title="{escape(when)}" style="position:absolute;top:0;bottom:0;left:{left:.3f}%;'
                f"width:{width:.3f}%;opacity:{1 if band.sure else 0.35};"
                f'background:{GENRE_COLORS.get(band.genre, OTHER_COLOUR)}"></span>'
            )
    return (
        f'<div role="img" aria-label="{escape("; ".join(told[:MOST_TOLD]))}" style="position:relative;'
        "height:3.5rem;border-radius:.5rem;overflow:hidden;"
        f'background:color-mix(in srgb, currentColor 8%, transparent)">{"".join(pieces)}</div>'
    )


def times_markup(seconds: float) -> str:
    """Moments under the bands, at both ends and at every quarter."""
    marks = "".join(f"<span>{clock_time(seconds * part / 4)}</span>" for part in range(5))
    return (
        '<div aria-hidden="true" style="display:flex;justify-content:space-between;font-size:.85rem;'
        f'opacity:.75;font-variant-numeric:tabular-nums;margin-top:.2rem">{marks}</div>'
    )


def legend_markup(folded: Sequence[Band], words: Translator) -> str:
    """The genres of the bands by their colours, in the page's order of genres; names are escaped."""
    heard = {band.genre for band in folded if band.genre}
    order = [*(genre for genre in GENRE_COLORS if genre in heard), *sorted(heard - GENRE_COLORS.keys())]
    entries = "".join(
        '<span><span style="display:inline-block;width:.8rem;height:.8rem;border-radius:.2rem;'
        f'margin-right:.4rem;background:{GENRE_COLORS.get(genre, OTHER_COLOUR)}"></span>'
        f"{escape(words.genre(genre))}</span>"
        for genre in order
    )
    return f'<div style="display:flex;flex-wrap:wrap;gap:.2rem 1.1rem;margin-top:.4rem">{entries}</div>'


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
