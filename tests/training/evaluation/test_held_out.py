"""Evaluation on held-out recordings: the limit of the bandwidth."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from models.spectrogram.stft import band_edges
from training.data.geometries import COARSE, FINE
from training.evaluation.held_out import SHARED_BANDWIDTH_HZ, limit_bandwidth


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
