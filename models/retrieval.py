"""Retrieval metrics of embeddings: same genre among other artists, and the same artist.

Training and ``overheard evaluate`` both use this function, so that their figures can be compared.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from models.metrics import Labels

NEIGHBORS: Final = 5
"""Most similar tracks of other artists whose genre is compared with that of a track."""


def score_retrieval(
    embeddings: npt.NDArray[np.floating],
    labels: Labels,
    artists: Sequence[str],
    queries: npt.NDArray[np.bool_] | None = None,
) -> dict[str, Any]:
    """Score the neighbors of tracks by cosine similarity.

    Parameters
    ----------
    embeddings : (tracks, n)
    labels : (tracks,) int64
        Genres.
    artists : sequence of str
        Artist of each track, empty if unknown.
    queries : (tracks,) bool, optional
        Tracks whose neighbors are scored. The neighbors are searched in all tracks. By default all tracks are
        queries.

    Returns
    -------
    dict
        ``tracks`` and ``among``, the numbers of queries and of all tracks. ``genre_precision``, the mean
        share of the same genre among the ``NEIGHBORS`` most similar tracks of other artists, and ``chance``,
        that among all tracks of other artists. ``artist_mrr``, the mean reciprocal rank of the first other
        track by the same artist, over the ``artist_tracks`` queries that have one. It is None without such
        queries.
    """
    unit = embeddings / np.maximum(np.linalg.norm(embeddings, axis=1, keepdims=True), 1e-9)
    names = np.array(artists, dtype=np.str_)
    every = np.arange(len(labels))
    rows = every if queries is None else every[queries]
    precision, chance, reciprocal_ranks = [], [], []
    for row in rows:
        others = every[every != row]
        ranked = others[np.argsort(-(unit[others] @ unit[row]), kind="stable")]
        same_artist = (names[ranked] == names[row]) & (names[row] != "")
        same_genre = labels[ranked[~same_artist]] == labels[row]
        if len(same_genre):
            precision.append(same_genre[:NEIGHBORS].mean())
            chance.append(same_genre.mean())
        if same_artist.any():
            reciprocal_ranks.append(1 / (1 + int(same_artist.argmax())))
    return {
        "tracks": len(rows),
        "among": len(every),
        "genre_precision": _mean(precision),
        "chance": _mean(chance),
        "artist_tracks": len(reciprocal_ranks),
        "artist_mrr": _mean(reciprocal_ranks),
    }


def _mean(values: list[float]) -> float | None:
    return round(float(np.mean(values)), 4) if values else None
