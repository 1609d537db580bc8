"""From published arrays to a model that the classifier loads and ``overheard evaluate`` evaluates."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from models.classifier import TFLiteClassifier
from models.errors import OverheardError
from models.manifest import ModelManifest
from models.spectrogram.image import image_from_columns
from tests.support.cli import run_main
from tests.support.corpora import columns, corpus
from tests.support.networks import shorten, untraced
from training.cli import command
from training.data.augmentation import window_intensities
from training.data.corpus import Corpus
from training.data.eval_sets import render_images
from training.data.geometries import FINE, GEOMETRIES, LIVE
from training.data.partitions import fault_filtered
from training.data.targets import TARGET_BLOCKS
from training.distillation.distill import DistillationConfig, distill
from training.evaluation.protocol_table import ProtocolScore, protocol_records
from training.export import tflite
from training.finetuning.recipe import FineTuningRecipe, TrainingRun
from training.finetuning.train import train
from training.networks.pretrained import load_distilled_weights, weights_sha256
from training.release.release import ReleasePaths, release
from training.study.protocols import read_protocol_records
from training.tags.vocabulary import VOCABULARY

__all__ = ["corpus"]  # fixtures

pytestmark = pytest.mark.filterwarnings("ignore")

Stored = npt.NDArray[np.uint8]


@pytest.fixture(scope="module")
def short() -> Iterator[None]:
    """The shipped network, shortened, in this module's tests."""
    with pytest.MonkeyPatch.context() as patch:
        shorten(patch)
        yield


Logged = list[tuple[int, dict[str, float]]]


@pytest.fixture(scope="module")
def distilled(corpus: Corpus, short: None, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Logged]:
    """The weights of a distilled backbone, and the values that were logged."""
    logged: Logged = []
    music = corpus.select(lambda each: each.source == "music")
    config = DistillationConfig(steps=2, batch=2, report_every=1)
    path = tmp_path_factory.mktemp("distilled") / "distilled.npz"
    distill(corpus, music, path, config, log=lambda step, values: logged.append((step, values)))
    return path, logged


def test_distillation_changes_the_weights_and_logs_losses(distilled: tuple[Path, Logged]) -> None:
    from training.networks.genre import build_backbone

    path, logged = distilled
    assert [step for step, _ in logged] == [1, 2]
    for _, values in logged:
        assert set(values) == {"loss", *GEOMETRIES, *TARGET_BLOCKS}
        assert all(np.isfinite(value) for value in values.values())
    plain = build_backbone()
    began = plain.get_weights()
    load_distilled_weights(plain, path)
    now = plain.get_weights()
    assert any(not np.allclose(a, b, atol=1e-3) for a, b in zip(began, now, strict=True))


@pytest.fixture(scope="module")
def released(
    corpus: Corpus, distilled: tuple[Path, Logged], tmp_path_factory: pytest.TempPathFactory
) -> ModelManifest:
    folder = tmp_path_factory.mktemp("released")
    with pytest.MonkeyPatch.context() as patch:
        # Other tests trace a step of the backbone and one of ``FineTuner``.
        patch.setattr("training.release.release.train", untraced()(train))
        # Converting the study's network takes half a minute, and its latency is not tested here.
        patch.setattr(
            "training.release.release.convert_study_network",
            lambda: ModelManifest.load().read_model(),
        )
        recipe = FineTuningRecipe(probe=2, runs=2, steps=1, validate_every=1)
        run = TrainingRun(fault_filtered(corpus), recipe, backbone=distilled[0])
        paths = ReleasePaths(folder, folder / "logs", folder / "build" / "float.tflite")
        return release(corpus, run, paths)


def test_a_released_model_loads_and_matches_its_manifest(released: ModelManifest) -> None:
    folder = released.model_path.parent
    loaded = ModelManifest.load(folder / "genre.json")
    assert {loaded.audio, *loaded.also_reads} == set(GEOMETRIES.values())
    assert loaded.audio == LIVE
    assert loaded.calibration.music_above is not None
    assert json.loads((folder / "genre.json").read_text())["metrics"] == released.metrics
    classifier = TFLiteClassifier(loaded)
    shown = columns(loaded.audio.columns, 4, np.random.default_rng(0)).astype(np.float32)
    prediction = classifier.predict(image_from_columns(shown, loaded.audio))
    assert prediction.probabilities.shape == (10,)
    assert prediction.probabilities.sum() == pytest.approx(1)
    assert 0 < prediction.music < 1
    assert prediction.embedding.shape == (96,)
    # Few convolutions of this narrow network are large enough for int8.
    assert len(loaded.read_model()) < 0.9 * (folder / "build" / "float.tflite").stat().st_size


def test_a_released_model_has_metrics_card_and_plots(
    released: ModelManifest, distilled: tuple[Path, Logged]
) -> None:
    folder, metrics = released.model_path.parent, released.metrics
    for form in ("live", "fine", "coarse"):
        assert metrics["fault_filtered_test"][form]["tracks"] == 10
    assert "songs 2" in released.calibration.fitted_on
    assert {each["name"] for each in metrics["tags"]} == {tag.name for tag in VOCABULARY}
    assert released.tags == ()  # the corpus is too small to learn one
    assert released.embedding_size == 96
    similarity = {name: (each["tracks"], each["among"]) for name, each in metrics["similarity"].items()}
    assert similarity["GTZAN, fine arrays"] == similarity["GTZAN, coarse arrays"] == (10, 20)
    assert similarity["more-music, held-out artists"] == (2, 2)
    assert metrics["other_peoples_music"]["more-music"]["tracks"] == 2
    assert set(metrics["other_peoples_music"]["more-music"]["recall"]) == {"blues", "rock"}
    assert {kind: each["clips"] for kind, each in metrics["not_music"].items()} == {
        "speech pyAudioAnalysis": 1,
        "music pyAudioAnalysis": 1,
        "music, GTZAN's test part": 10,
        "music, artists kept for checking": 2,
    }
    assert metrics["main_form"] == "live"
    assert metrics["data"]["gtzan_arrays"] == 40
    times, sizes = metrics["latency_ms"], metrics["bytes"]
    assert list(times) == list(sizes)
    assert list(times) == ["this model, int8", "this model, float32", "the study's network, int8"]
    assert all(0.05 < ms < 5_000 for ms in times.values())
    assert sizes["this model, int8"] == released.model_path.stat().st_size
    card = (folder / "MODEL_CARD.md").read_text()
    assert "was distilled without labels" not in card  # it started from ImageNet's weights
    assert "the teachers' values of 2 of the recordings" in card
    assert metrics["provenance"]["distilled_sha256"] == weights_sha256(distilled[0])[:12]
    assert not list(folder.rglob("*.part"))
    assert "clips 1, gtzan 20, music 2" in released.training_data[0]
    assert "Per genre" in card
    assert (folder / "MODEL_CARD.png").read_bytes().startswith(b"\x89PNG")
    assert list((folder / "logs" / "release").glob("events*"))
    assert not list((folder / "logs").glob("*.checkpoint"))  # the next release starts anew


@pytest.mark.parametrize("name", ["stft_first5s_test", "stft_full30s_test"])
def test_evaluate_agrees_with_the_manifest_on_both_geometries(
    released: ModelManifest, corpus: Corpus, name: str
) -> None:
    """The figures agree except for the rounding of the cache to bytes."""
    manifest = released.model_path.with_name("genre.json")
    arrays = corpus.folder.parent / f"{name}.npz"
    done = run_main("evaluate", "spectrograms", str(arrays), "--manifest", str(manifest), "--json")
    assert done.returncode == 0, done.stderr
    card = json.loads(done.stdout)
    assert card["tracks"] == 10
    form, key = ("fine", "accuracy_int8") if "first5s" in name else ("coarse", "accuracy_all_windows_int8")
    assert card["accuracy"] == pytest.approx(released.metrics["fault_filtered_test"][form][key], abs=0.21)


def test_int8_agrees_with_float32(released: ModelManifest) -> None:
    """Their logits differ by less than the logits vary from image to image."""
    intensities = np.stack(
        [window_intensities(columns(57, band, np.random.default_rng(band)), FINE) for band in range(10)]
    )
    float32 = (released.model_path.parent / "build" / "float.tflite").read_bytes()
    int8, plain = (
        tflite.run_model(each, render_images(intensities)) for each in (released.read_model(), float32)
    )
    assert np.abs(int8 - plain).mean() < 0.5 * plain.std(axis=0).mean()


@pytest.mark.parametrize(
    ("written", "sentence"),
    [
        ({"protocols": []}, "holds a dict instead of a list"),
        (["x"], "entry 1 of 1 in .* has no valid protocol, network, accuracy, deviation"),
        ([{"protocol": "a", "network": "b", "accuracy": 61.2, "deviation": 0.0}], "has no valid accuracy;"),
    ],
)
def test_protocol_records_of_another_form_raise_one_sentence(
    written: Any, sentence: str, tmp_path: Path
) -> None:
    (tmp_path / "p.json").write_text(json.dumps(written))
    with pytest.raises(OverheardError, match=sentence):
        read_protocol_records(tmp_path / "p.json")


def test_protocol_records_are_read_as_written(tmp_path: Path) -> None:
    listed = protocol_records([ProtocolScore("fault_filtered", "TL+CNN+GRU", (0.4, 0.5))])
    (tmp_path / "p.json").write_text(json.dumps(listed))
    assert read_protocol_records(tmp_path / "p.json") == listed


def test_bad_options_of_a_release_raise_one_sentence(corpus: Corpus, tmp_path: Path) -> None:
    words = ["release", "--cache", str(corpus.folder), "--out", str(tmp_path / "out")]
    (tmp_path / "p.json").write_text("no JSON")
    with pytest.raises(OverheardError, match="write it with overheard train protocols --json"):
        command([*words, "--protocols", str(tmp_path / "p.json")])
    with pytest.raises(OverheardError, match="--steps is -1; it must be at least 1"):
        command([*words, "--steps", "-1"])
    with pytest.raises(OverheardError, match="--seed is -1; it must be from 0 to 4294967295"):
        command([*words, "--seed", "-1"])
    assert not (tmp_path / "out").exists()
