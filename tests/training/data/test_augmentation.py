"""Images for training: equal to the live path's images without augmentation, and valid images with it."""

from __future__ import annotations

import numpy as np
import pytest

from models.spectrogram.image import colorize, intensity, scale
from models.spectrogram.spec import AudioSpec
from tests.support.corpora import columns
from training.data.augmentation import POOLING, _shift_bands, augment, render, window_intensities
from training.data.geometries import FINE, GEOMETRIES

EACH_GEOMETRY = pytest.mark.parametrize("spec", GEOMETRIES.values(), ids=GEOMETRIES)


@EACH_GEOMETRY
def test_strength_zero_changes_nothing(spec: AudioSpec) -> None:
    stored = columns(spec.columns, 3, np.random.default_rng(0))
    plain = window_intensities(stored, spec)
    assert plain.shape == (256, 256)
    assert plain.dtype == np.uint8
    assert np.array_equal(plain, intensity(scale(stored.astype(np.float32), spec), spec))
    for seed in range(3):
        assert np.array_equal(augment(stored, spec, np.random.default_rng(seed), 0.0), plain)


@EACH_GEOMETRY
def test_strength_zero_crops_a_longer_stretch_at_random(spec: AudioSpec) -> None:
    stored = columns(spec.columns + 9, 3, np.random.default_rng(0))
    crops = [window_intensities(stored[start : start + spec.columns], spec) for start in range(10)]
    found = set()
    for seed in range(12):
        image = augment(stored, spec, np.random.default_rng(seed), 0.0)
        found |= {start for start, crop in enumerate(crops) if np.array_equal(crop, image)}
    assert len(found) > 3


@EACH_GEOMETRY
def test_augmented_images_are_reproducible_and_differ(spec: AudioSpec) -> None:
    stored = columns(spec.columns + 40, 3, np.random.default_rng(0))
    before = stored.copy()
    images = [augment(stored, spec, np.random.default_rng(seed)) for seed in range(40)]
    for seed, image in enumerate(images):
        assert image.shape == (256, 256)
        assert image.dtype == np.uint8
        assert np.array_equal(image, augment(stored, spec, np.random.default_rng(seed)))
    assert len({image.tobytes() for image in images}) == 40
    assert np.array_equal(stored, before)


def test_decibels_and_bytes_give_the_same_image() -> None:
    """All random changes happen after scaling, so any affine unit gives the same image."""
    stored = columns(FINE.columns, 3, np.random.default_rng(0))
    decibels = stored.astype(np.float32) / 2 - 80
    for seed in range(20):
        one, other = (augment(each, FINE, np.random.default_rng(seed)) for each in (stored, decibels))
        assert np.abs(one.astype(int) - other).max() <= 1


def test_augmentation_is_more_than_a_crop() -> None:
    """A stretch as long as a window cannot be cropped. Only tempo, pitch, level and masks can change it."""
    stored = columns(FINE.columns, 3, np.random.default_rng(0))
    plain = window_intensities(stored, FINE).astype(int)
    change = [
        np.abs(augment(stored, FINE, np.random.default_rng(s)).astype(int) - plain).mean() for s in range(30)
    ]
    assert np.median(change) > 10
    weak = [
        np.abs(augment(stored, FINE, np.random.default_rng(s), 0.1).astype(int) - plain).mean()
        for s in range(30)
    ]
    assert np.median(weak) < np.median(change)


def test_silence_stays_black() -> None:
    silence = np.zeros((FINE.columns, 256), np.uint8)
    assert not any(augment(silence, FINE, np.random.default_rng(seed)).any() for seed in range(20))


def test_a_shift_moves_every_row_and_repeats_the_edge() -> None:
    scaled = np.arange(8, dtype=np.float32)[np.newaxis].repeat(2, axis=0)
    assert _shift_bands(scaled, 2)[0].tolist() == [0, 0, 0, 1, 2, 3, 4, 5]
    assert _shift_bands(scaled, -3)[1].tolist() == [3, 4, 5, 6, 7, 7, 7, 7]
    assert _shift_bands(scaled, 0) is scaled


@pytest.mark.filterwarnings("ignore")  # TensorFlow's own deprecations
def test_render_is_the_block_mean_of_the_live_images_colors() -> None:
    pytest.importorskip("tensorflow", reason="training needs TensorFlow: install the extra 'training'")
    stored = [columns(FINE.columns, band, np.random.default_rng(band)) for band in (2, 7)]
    live = np.stack(
        [colorize(scale(each.astype(np.float32), FINE), FINE) for each in stored]
    )  # (2, 256, 256, 3)
    blocks = live.reshape(2, 128, POOLING, 128, POOLING, 3)
    rendered = render(np.stack([window_intensities(each, FINE) for each in stored])).numpy()
    assert rendered.shape == (2, 128, 128, 3)
    assert np.abs(rendered - blocks.mean(axis=(2, 4))).max() < 1e-3
