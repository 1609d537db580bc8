"""Importance of the parts of an image."""

from __future__ import annotations

import numpy as np
import pytest

from models.audio.file import decode_file
from models.classifier import TFLiteClassifier
from models.manifest import ModelManifest
from models.occlusion import compute_importance
from models.spectrogram.image import spectrogram_image
from tests.support.paths import DEMONSTRATION
from training.data.windows import SAMPLE_RATE


def test_the_map_shows_the_important_part() -> None:
    """The probability of this function depends on one bright square only."""
    picture = np.zeros((256, 256, 3), np.uint8)
    picture[96:128, 160:192] = 255
    importance = compute_importance(
        lambda p: float(p[96:128, 160:192].mean() / 255), picture, patch=32, step=16
    )
    assert importance.shape == (15, 15)
    assert divmod(int(importance.argmax()), 15) == (6, 10)
    assert importance.max() == pytest.approx(1 - 32 / 256, abs=0.01), "the mean of the row must stay"
    assert not importance[:4].any()


def test_parts_of_the_image_matter_to_the_shipped_network() -> None:
    manifest = ModelManifest.load()
    classifier = TFLiteClassifier(manifest)
    start = 60 * SAMPLE_RATE
    picture = spectrogram_image(
        decode_file(str(DEMONSTRATION), SAMPLE_RATE)[start : start + manifest.audio.window_samples],
        manifest.audio,
    )
    top = int(classifier.predict(picture).probabilities.argmax())
    importance = compute_importance(lambda p: float(classifier.predict(p).probabilities[top]), picture)
    assert importance.shape == (13, 13)
    assert np.abs(importance).max() > 0.01
