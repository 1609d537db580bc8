"""Retrieval metrics of embeddings with known neighbors."""

from __future__ import annotations

import numpy as np
import pytest

from models.retrieval import score_retrieval


def test_neighbors_are_of_other_artists_and_by_cosine_similarity() -> None:
    """Two genres point in two directions. One artist's tracks, which are alike, do not count as found."""
    random = np.random.default_rng(0)
    labels = np.repeat([0, 1], 12)
    directions = np.array([[1.0, 0, 0], [0, 1, 0]])[labels]
    embeddings = directions * random.uniform(0.1, 9, (24, 1)) + random.normal(0, 0.02, (24, 3))
    artists = [f"artist {number // 2}" for number in range(24)]
    found = score_retrieval(embeddings, labels, artists)
    assert found["genre_precision"] > 0.95
    assert found["chance"] == pytest.approx(10 / 22, abs=1e-3)
    assert found["artist_tracks"] == found["tracks"] == found["among"] == 24
    alone = score_retrieval(embeddings, labels, ["one"] * 24)
    assert (alone["genre_precision"], alone["chance"], alone["artist_mrr"]) == (None, None, 1)


def test_the_rank_of_the_same_artist_counts_inversely() -> None:
    angles = np.radians([0, 10, 20, 30, 90])
    embeddings = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    artists = ["a", "b", "c", "a", "b"]
    found = score_retrieval(embeddings, np.zeros(5, np.int64), artists)
    # a: third of 10, 20, 30; third from 30: 20, 10, 0. b: last of four from 10, third from 90: 30, 20, 10.
    assert found["artist_mrr"] == pytest.approx((1 / 3 + 1 / 3 + 1 / 4 + 1 / 3) / 4, abs=1e-4)
    assert found["artist_tracks"] == 4


def test_queries_search_all_tracks_and_unknown_artists_are_others() -> None:
    embeddings = np.eye(4)[[0, 0, 0, 1]]
    labels = np.array([0, 1, 0, 0])
    found = score_retrieval(embeddings, labels, ["", "", "", ""], np.array([True, False, False, False]))
    assert (found["tracks"], found["among"]) == (1, 4)
    assert found["genre_precision"] == pytest.approx(2 / 3, abs=1e-4)
    assert (found["artist_tracks"], found["artist_mrr"]) == (0, None)
