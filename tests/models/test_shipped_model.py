"""Agreement of the shipped model with its manifest, the spectrogram image and the classifier."""

from importlib.resources import files

import numpy as np
import pytest

from models.classifier import TFLiteClassifier
from models.manifest import ModelManifest
from models.spectrogram.image import image_from_columns
from training.data.geometries import COARSE, FINE, LIVE
from training.release import render_model_card


@pytest.fixture(scope="module")
def manifest() -> ModelManifest:
    return ModelManifest.load()


def test_the_manifest_describes_the_image_of_this_version(manifest: ModelManifest) -> None:
    assert manifest.audio == LIVE
    assert manifest.labels == (
        "blues", "classical", "country", "disco", "hiphop", "jazz", "metal", "pop", "reggae", "rock",
    )  # fmt: skip


def test_the_file_has_its_hash_and_size(manifest: ModelManifest) -> None:
    assert 1_000_000 < len(manifest.read_model()) < 6_000_000


def test_probabilities_of_an_image(manifest: ModelManifest) -> None:
    classifier = TFLiteClassifier(manifest)
    slope = np.linspace(60, 0, 256, dtype=np.float32)  # loud below, quiet above
    noise = np.random.default_rng(0).normal(0, 6, (manifest.audio.columns, 256)).astype(np.float32)
    prediction = classifier.predict(image_from_columns(slope + noise, manifest.audio))
    assert prediction.probabilities.shape == (10,)
    assert prediction.probabilities.sum() == pytest.approx(1)
    assert prediction.probabilities.min() >= 0
    again = classifier.predict(image_from_columns(slope + noise, manifest.audio))
    assert np.array_equal(prediction.probabilities, again.probabilities)


def test_the_model_reads_both_published_geometries(manifest: ModelManifest) -> None:
    assert set(manifest.also_reads) == {FINE, COARSE}


def test_the_model_predicts_tags_and_embeds(manifest: ModelManifest) -> None:
    """Every tag that ships was measured, and those that do not ship are listed too."""
    measured = {each["name"]: each for each in manifest.metrics["tags"]}
    assert [tag.name for tag in manifest.tags] == [name for name, each in measured.items() if each["ships"]]
    assert len(manifest.tags) >= 20
    assert all(measured[tag.name]["auc"] >= 0.85 for tag in manifest.tags)
    noise = np.random.default_rng(0).normal(0, 6, (manifest.audio.columns, 256)).astype(np.float32)
    prediction = TFLiteClassifier(manifest).predict(image_from_columns(noise, manifest.audio))
    assert prediction.tags.shape == (len(manifest.tags),)
    assert prediction.embedding.shape == (manifest.embedding_size,) == (96,)
    assert np.ptp(prediction.embedding) > 0


def test_the_model_detects_music(manifest: ModelManifest) -> None:
    above = manifest.calibration.music_above
    assert above is not None
    assert 0 < above <= 0.5
    silence = np.zeros((256, 256, 3), dtype=np.uint8)
    assert 0 < TFLiteClassifier(manifest).predict(silence).music < 1


@pytest.mark.parametrize("form", ["fine", "coarse"])
def test_the_int8_model_loses_little_accuracy(manifest: ModelManifest, form: str) -> None:
    """Ranges of the activations that were fixed in advance changed the genre of 3 to 6 % of the windows."""
    test = manifest.metrics["fault_filtered_test"][form]
    assert test["accuracy_int8"] > test["accuracy_float32"] - 0.01
    assert test["top1_agreement_int8_float32"] >= 0.98


@pytest.mark.parametrize("form", ["fine", "coarse"])
def test_the_figures_agree_with_each_other(manifest: ModelManifest, form: str) -> None:
    test = manifest.metrics["fault_filtered_test"][form]
    confusion = np.array(test["confusion_int8"])
    assert confusion.shape == (10, 10)
    assert confusion.sum() == test["tracks"]
    assert np.trace(confusion) / confusion.sum() == pytest.approx(test["accuracy_int8"], abs=1e-4)
    low, high = test["ece_interval"]
    assert 0 <= low <= high <= 1
    assert set(test["f1_int8"]) == set(test["recall_int8"]) == set(manifest.labels)


def test_the_card_shows_the_three_protocols_and_the_copyright_note() -> None:
    card = (files("models") / "artifacts" / "MODEL_CARD.md").read_text(encoding="utf-8")
    for text in (
        "fault-filtered split",
        "5 folds",
        "leaking artists",
        "no copyright clearance",
        "Music by held-out artists",
        "| genre | F1, live | F1, fine | F1, coarse |",
    ):
        assert text in card


def test_the_card_is_what_the_manifest_renders_to(manifest: ModelManifest) -> None:
    """No other test compares the figures in the card with those of the manifest."""
    card = (files("models") / "artifacts" / "MODEL_CARD.md").read_text(encoding="utf-8")
    assert card == render_model_card(manifest)
