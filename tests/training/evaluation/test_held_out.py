"""Evaluation on held-out recordings."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from models.spectrogram.stft import band_edges
from training.data.geometries import COARSE, FINE
from training.data.gtzan import LABELS
from training.data.targets import EMBEDDING_SIZE, split_blocks
from training.data.teacher_classes import LISTENER_TAGS
from training.evaluation.held_out import (
    SHARED_BANDWIDTH_HZ,
    limit_bandwidth,
    musicnn_genres,
)
from training.evaluation.predictions import mean_by_track


@pytest.mark.parametrize("spec", [FINE, COARSE])
def test_limit_bandwidth_keeps_the_bands_below(spec: Any) -> None:
    columns = np.random.default_rng(0).integers(20, 200, (spec.columns, 256)).astype(np.uint8)
    result = limit_bandwidth(columns, spec)
    top_hz = band_edges(spec)[1:] * spec.sample_rate / 2
    kept = top_hz <= SHARED_BANDWIDTH_HZ
    assert np.array_equal(result[:, kept], columns[:, kept])
    assert (result[:, ~kept] == columns.min()).all()
    assert 100 < kept.sum() < 250
    assert columns[:, ~kept].max() > 190  # the argument itself is left alone


def test_windows_are_averaged_by_track() -> None:
    means = mean_by_track(np.array([[1.0, 2], [3, 4], [10, 20]]), np.array([0, 0, 1]))
    assert means.tolist() == [[2, 3], [10, 20]]


def test_musicnn_names_the_strongest_of_its_genre_tags() -> None:
    values = np.full((2, EMBEDDING_SIZE), -9.0)
    block = split_blocks(values)["musicnn_tags"]
    block[:, LISTENER_TAGS.index("heavy metal")] = [2, -9]
    block[:, LISTENER_TAGS.index("rock")] = -1
    block[:, LISTENER_TAGS.index("guitar")] = 9  # is no genre
    scores = musicnn_genres(values)
    assert scores.sum() == pytest.approx(1)
    assert LABELS[int(scores.argmax())] == "metal"
    assert scores[LABELS.index("reggae")] == 0
