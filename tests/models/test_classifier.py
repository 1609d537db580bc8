"""Probabilities that the classifier computes from logits, with and without a logit of music."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from models.classifier import TFLiteClassifier, sigmoid, softmax
from models.errors import ModelError
from models.manifest import ModelManifest
from tests.support.audio import noise
from tests.support.tagged_model import EMBEDDING_SIZE, TAGS


@pytest.fixture(scope="module")
def manifest() -> ModelManifest:
    return ModelManifest.load()


@pytest.fixture(scope="module")
def picture() -> npt.NDArray[np.uint8]:
    return ((noise(256 * 256 * 3) + 1) * 127).astype(np.uint8).reshape(256, 256, 3)


def without_music(manifest: ModelManifest) -> ModelManifest:
    """Return a manifest that reads the same eleven logits as those of eleven genres."""
    calibration = replace(manifest.calibration, music_above=None)
    return replace(manifest, labels=(*manifest.labels, "an eleventh"), calibration=calibration)


def test_without_a_logit_of_music_everything_is_music(
    manifest: ModelManifest, picture: npt.NDArray[np.uint8]
) -> None:
    prediction = TFLiteClassifier(without_music(manifest)).predict(picture)
    assert prediction.music == 1.0
    assert prediction.probabilities.shape == (11,)


def test_the_last_logit_is_that_of_music(manifest: ModelManifest, picture: npt.NDArray[np.uint8]) -> None:
    """Music is not divided by the temperature, and the genres share all of the probability."""
    manifest = replace(manifest, calibration=replace(manifest.calibration, temperature=2.0))
    classifier = TFLiteClassifier(manifest)
    prediction = classifier.predict(picture)
    logits = classifier._interpreter.get_tensor(classifier._outputs["output"])[0].astype(np.float64)
    assert abs(logits[10]) > 0.1, "the logit of music must not be 0, or the test shows nothing"
    assert prediction.music == pytest.approx(1 / (1 + np.exp(-logits[10])))
    assert prediction.probabilities == pytest.approx(softmax(logits[:10] / 2))
    assert prediction.probabilities.sum() == pytest.approx(1)
    assert not prediction.probabilities.flags.writeable


def test_a_model_with_another_output_is_refused(manifest: ModelManifest) -> None:
    calibration = replace(manifest.calibration, music_above=None)
    with pytest.raises(ModelError, match=r"is \(1, 11\) float32, .* declares \(1, 10\) float32"):
        TFLiteClassifier(replace(manifest, calibration=calibration))


@pytest.mark.training
def test_a_model_with_tags_predicts_them_and_an_embedding(
    tagged_model: Path, picture: npt.NDArray[np.uint8]
) -> None:
    manifest = ModelManifest.load(tagged_model)
    prediction = TFLiteClassifier(manifest).predict(picture)
    assert prediction.tags.shape == (len(TAGS),)
    assert ((prediction.tags > 0) & (prediction.tags < 1)).all()
    assert prediction.embedding.shape == (EMBEDDING_SIZE,)
    assert prediction.embedding.dtype == np.float32
    assert not prediction.tags.flags.writeable
    assert not prediction.embedding.flags.writeable
    dark = TFLiteClassifier(manifest).predict(np.zeros_like(picture))
    assert dark.tags == pytest.approx(0.5, abs=0.05), "without light only the biases count, which are 0"
    assert abs(prediction.tags - dark.tags).max() > 0.1
    unlike = replace(manifest, calibration=replace(manifest.calibration, music_above=None))
    with pytest.raises(ModelError, match=r"the output of .* is \(1, 11\) float32, .* declares \(1, 10\)"):
        TFLiteClassifier(unlike)
    without = replace(manifest, tags=(), embedding_size=0)
    with pytest.raises(
        ModelError, match="has 1 inputs and 3 outputs, but its manifest declares an image and output;"
    ):
        TFLiteClassifier(without)


@pytest.mark.parametrize(
    ("logit", "probability"), [(0.0, 0.5), (np.log(3), 0.75), (-np.log(3), 0.25), (1e4, 1.0), (-1e4, 0.0)]
)
def test_sigmoid_by_hand(logit: float, probability: float) -> None:
    assert sigmoid(logit) == pytest.approx(probability)
