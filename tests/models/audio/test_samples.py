"""Sanitizing of samples."""

from __future__ import annotations

import numpy as np
import pytest

from models.audio.samples import sanitize_samples


def test_sanitizing_averages_clips_and_silences_nan() -> None:
    samples = np.array([[0.5, 0.25], [np.nan, 0.5], [np.inf, -np.inf], [3.0, 3.0], [-9.0, -1.0]])
    cleaned = sanitize_samples(samples)
    assert cleaned.tolist() == [0.375, 0.25, 0.0, 1.0, -1.0]
    assert cleaned.dtype == np.float32
    assert not cleaned.flags.writeable


def test_sanitizing_copies() -> None:
    """PortAudio reuses its buffer as soon as the callback returns."""
    buffer = np.ones(4, np.float32)
    cleaned = sanitize_samples(buffer)
    buffer[:] = 0
    assert cleaned.tolist() == [1, 1, 1, 1]


@pytest.mark.parametrize("dtype", [np.int8, np.int16, np.int32])
def test_integer_samples_have_the_full_scale_of_their_type(dtype: type) -> None:
    limits = np.iinfo(dtype)
    cleaned = sanitize_samples(np.array([limits.min, 0, limits.max], dtype))
    assert cleaned.tolist() == pytest.approx([-1, 0, 1], abs=0.01)
