"""From published arrays to a model that the classifier loads and ``overheard evaluate`` scores."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from models.classifier import TFLiteClassifier
from models.errors import OverheardError
from models.holdout import is_held_out_artist
from models.manifest import ModelManifest
from models.spectrogram.image import image_from_columns
from tests.support.cli import overheard_here
from tests.support.corpora import cache, columns, entry, recording_of
from tests.support.networks import shorten, small, untraced
from training.cli import command
from training.data.augmentation import drawn
from training.data.batches import Mixture
from training.data.corpus import Corpus
from training.data.eval_sets import painted
from training.data.geometries import COARSE, FINE
from training.data.gtzan import LABELS
from training.data.partitions import Parts, fault_filtered
from training.data.targets import UNITS
from training.distillation.distill import Lesson, teach
from training.errors import TrainingError, WeightsError
from training.evaluation.protocol_table import ProtocolScore, protocols_as_json
from training.export import tflite
from training.finetuning.checkpoint import checkpoint_name, sha256_of
from training.finetuning.recipe import FineTuning
from training.finetuning.train import train
from training.networks.pretrained import load_distilled_weights
from training.release.provenance import commit
from training.release.release import release
from training.study.ablation import ROWS, ablation, table
from training.study.protocols import read

pytestmark = [pytest.mark.xdist_group("tensorflow-release"), pytest.mark.filterwarnings("ignore")]

PARTS = ("train", "train", "valid", "test")
Stored = npt.NDArray[np.uint8]


def stored(rows: int, width: int, band: int, seed: int) -> Stored:
    """One published array, (rows, width) uint8: loudest in the genre's band."""
    random = np.random.default_rng((band, seed))
    slope = np.linspace(150, 40, rows)[:, np.newaxis] + random.normal(0, 8, (rows, width))
    slope[rows * band // 10 : rows * (band + 1) // 10] += 80
    result: Stored = np.clip(slope, 0, 255).astype(np.uint8)
    return result


def write_gtzan(folder: Path) -> Path:
    """Table and both arrays: four tracks a genre, of artists of their own; and the test tracks alone."""
    names = [(f"{genre}.{n:05d}", band, n) for band, genre in enumerate(LABELS) for n in range(len(PARTS))]
    for file, rows, width in (("stft_first5s", 544, 57), ("stft_full30s", 129, 496)):
        db_u8 = np.stack([stored(rows, width, band, n) for _, band, n in names])
        track_id = np.array([name for name, _, _ in names])
        np.savez(folder / f"{file}.npz", track_id=track_id, db_u8=db_u8)
        tested = slice(3, None, len(PARTS))
        np.savez(folder / f"{file}_test.npz", track_id=track_id[tested], db_u8=db_u8[tested])
    rows_of = [f"{name},{LABELS[band]},{name},{PARTS[n]}," for name, band, n in names]
    head = "track_id,genre,artist,fault_filtered_split,duplicate_of"
    (folder / "tracks.csv").write_text("\n".join([head, *rows_of]) + "\n")
    return folder


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    folder = tmp_path_factory.mktemp("corpus")
    assert command(["prepare", "--cache", str(folder / "cache"), "--gtzan", str(write_gtzan(folder))]) == 0
    kept = next(name for name in (f"Artist {n}" for n in range(20)) if is_held_out_artist(name))
    listed = [
        (entry("kept.1", "more-music", "blues", kept), recording_of(0, 50)),
        (entry("kept.2", "more-music", "rock", kept), recording_of(9, 51)),
        (entry("speech-1", "clips", origin="speech pyAudioAnalysis", music=False), recording_of(3, 52)),
        (entry("music-1", "clips", origin="music pyAudioAnalysis"), recording_of(4, 53)),
        (entry("noise-1", "clips", origin="noise elsewhere", music=False), recording_of(5, 54)),
        *((entry(f"heard-{n}", "music"), recording_of(n, 60 + n, heard=UNITS)) for n in range(2)),
    ]
    return cache(folder / "cache", listed)


@pytest.fixture(scope="module")
def short() -> Iterator[None]:
    """The network that ships, shortened, in this module's tests."""
    with pytest.MonkeyPatch.context() as patch:
        shorten(patch)
        yield


Told = list[tuple[int, dict[str, float]]]


@pytest.fixture(scope="module")
def taught(corpus: Corpus, short: None, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Told]:
    """The weights of a backbone that was taught, and what was told meanwhile."""
    told: Told = []
    heard = corpus.where(lambda each: each.source == "music")
    lesson = Lesson(steps=2, batch=2, report_every=1)
    path = tmp_path_factory.mktemp("taught") / "taught.npz"
    teach(corpus, heard, path, lesson, log=lambda step, values: told.append((step, values)))
    return path, told


def test_a_backbone_is_taught_and_told_how_well_it_hears(taught: tuple[Path, Told]) -> None:
    from training.networks.genre import backbone

    path, told = taught
    assert [step for step, _ in told] == [1, 2]
    for _, values in told:
        assert set(values) == {"loss", "fine", "coarse"}
        assert all(np.isfinite(value) for value in values.values())
    plain = backbone()
    began = plain.get_weights()
    load_distilled_weights(plain, path)
    now = plain.get_weights()
    assert any(not np.allclose(a, b, atol=1e-3) for a, b in zip(began, now, strict=True))


@pytest.fixture(scope="module")
def released(
    corpus: Corpus, taught: tuple[Path, Told], tmp_path_factory: pytest.TempPathFactory
) -> ModelManifest:
    folder = tmp_path_factory.mktemp("released")
    with pytest.MonkeyPatch.context() as patch:
        # That a step of the backbone and one of ``fine_tune`` can be traced, others show.
        patch.setattr("training.release.release.train", untraced()(train))
        # Converting the study's network takes half a minute; its latency is no part of what is tested.
        patch.setattr(
            "training.release.release.study_network", lambda places: ModelManifest.load().read_model()
        )
        return release(
            corpus, folder, recipe=FineTuning(probe=2, runs=2, steps=1, validate_every=1), taught=taught[0],
            logs=folder / "logs", float_out=folder / "build" / "float.tflite",
        )  # fmt: skip


def test_what_is_released_loads_and_fits_its_manifest(released: ModelManifest) -> None:
    folder = released.model_path.parent
    loaded = ModelManifest.load(folder / "genre.json")
    assert {loaded.audio, *loaded.also_reads} == {FINE, COARSE}
    assert loaded.calibration.music_above is not None
    assert json.loads((folder / "genre.json").read_text())["metrics"] == released.metrics
    classifier = TFLiteClassifier(loaded)
    shown = columns(loaded.audio.columns, 4, np.random.default_rng(0)).astype(np.float32)
    prediction = classifier.predict(image_from_columns(shown, loaded.audio))
    assert prediction.probabilities.shape == (10,)
    assert prediction.probabilities.sum() == pytest.approx(1)
    assert 0 < prediction.music < 1
    assert len(loaded.read_model()) < 0.4 * (folder / "build" / "float.tflite").stat().st_size


def test_what_is_released_says_what_was_measured(released: ModelManifest, taught: tuple[Path, Told]) -> None:
    folder, metrics = released.model_path.parent, released.metrics
    for form in ("fine", "coarse"):
        assert metrics["fault_filtered_test"][form]["tracks"] == 10
    assert metrics["other_peoples_music"]["tracks"] == 2
    assert set(metrics["other_peoples_music"]["recall"]) == {"blues", "rock"}
    assert {kind: each["clips"] for kind, each in metrics["not_music"].items()} == {
        "speech pyAudioAnalysis": 1,
        "music pyAudioAnalysis": 1,
        "music, GTZAN's test part": 10,
        "music, artists kept for checking": 2,
    }
    assert metrics["main_form"] in ("fine", "coarse")
    assert metrics["data"]["gtzan_arrays"] == 40
    times, sizes = metrics["latency_ms"], metrics["bytes"]
    assert list(times) == list(sizes)
    assert list(times) == ["this model, int8", "this model, float32", "the study's network, int8"]
    assert all(0.05 < ms < 5_000 for ms in times.values())
    assert sizes["this model, int8"] == released.model_path.stat().st_size
    card = (folder / "MODEL_CARD.md").read_text()
    assert "what musicnn hears in the sound" not in card  # it began with ImageNet's weights
    assert "what musicnn heard in 2 of the recordings" in card
    assert metrics["provenance"]["taught_sha256"] == sha256_of(taught[0])[:12]
    assert not list(folder.rglob("*.part"))
    assert "clips 1, gtzan 20, music 2" in released.training_data[0]
    assert "Per genre" in card
    assert (folder / "MODEL_CARD.png").read_bytes().startswith(b"\x89PNG")
    assert list((folder / "logs" / "release").glob("events*"))
    assert not list((folder / "logs").glob("*.checkpoint"))  # the next release begins anew


@pytest.mark.parametrize("name", ["stft_first5s_test", "stft_full30s_test"])
def test_evaluate_scores_it_on_both_published_pictures(
    released: ModelManifest, corpus: Corpus, name: str
) -> None:
    """And comes to what the manifest says, but for the rounding of the cache to bytes."""
    manifest = released.model_path.with_name("genre.json")
    pictures = corpus.folder.parent / f"{name}.npz"
    done = overheard_here("evaluate", "pictures", str(pictures), "--model", str(manifest), "--json")
    assert done.returncode == 0, done.stderr
    card = json.loads(done.stdout)
    assert card["tracks"] == 10
    form, key = ("fine", "accuracy_int8") if "first5s" in name else ("coarse", "accuracy_all_windows_int8")
    assert card["accuracy"] == pytest.approx(released.metrics["fault_filtered_test"][form][key], abs=0.21)


def test_int8_says_what_float32_says(released: ModelManifest) -> None:
    """Their logits differ by less than the logits do from picture to picture, of training's own noise."""
    places = np.stack([drawn(columns(57, band, np.random.default_rng(band)), FINE) for band in range(10)])
    float32 = (released.model_path.parent / "build" / "float.tflite").read_bytes()
    int8, plain = (tflite.run(each, painted(places)) for each in (released.read_model(), float32))
    assert np.abs(int8 - plain).mean() < 0.5 * plain.std(axis=0).mean()


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is trained is small: tracing the network that ships takes half a minute, and ``released`` does."""
    monkeypatch.setattr("training.finetuning.train.build", lambda taught, places: small(0, len(LABELS)))


@pytest.mark.usefixtures("quick")
def test_a_training_that_comes_to_nothing_is_one_sentence(corpus: Corpus, tmp_path: Path) -> None:
    recipe = FineTuning(probe=0, steps=1, validate_every=1, head_rate=float("nan"))
    checkpoint = tmp_path / "run.checkpoint"
    with pytest.raises(TrainingError, match=r"at any of 1 validations in 1 steps.*lower head_rate \(nan\)"):
        train(corpus, fault_filtered(corpus), recipe, seed=0, taught=None, checkpoint=checkpoint)
    assert not checkpoint.exists()  # nobody can go on from there


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize(("share", "told"), [(0.0, {"fine"}), (0.5, {"fine", "coarse"}), (1.0, {"coarse"})])
def test_only_pictures_that_are_trained_on_decide(corpus: Corpus, share: float, told: set[str]) -> None:
    recipe = FineTuning(probe=0, steps=1, validate_every=1)
    mixture = Mixture(batch=4, coarse_share=share)
    _, history = train(corpus, fault_filtered(corpus), recipe, seed=0, taught=None, mixture=mixture)
    assert {key.split()[0] for key in history[0] if key.endswith("nll")} == told


@pytest.mark.usefixtures("quick")
def test_the_head_is_fitted_once_before_all_runs_and_steps_count_on(
    corpus: Corpus, monkeypatch: pytest.MonkeyPatch
) -> None:
    events: list[Any] = []
    monkeypatch.setattr(
        "training.finetuning.train.fit_head", lambda network, sampler, recipe: events.append(recipe.probe)
    )
    recipe = FineTuning(probe=7, runs=2, steps=1, validate_every=1)
    train(
        corpus, fault_filtered(corpus), recipe, seed=0, taught=None, mixture=Mixture(batch=4),
        log=lambda step, values: events.append(("step", step)),
    )  # fmt: skip
    assert events == [7, ("step", 1), ("step", 2), ("step", 3)]


def test_names_of_checkpoints_change_with_all_that_a_training_hangs_on(
    corpus: Corpus, tmp_path: Path
) -> None:
    """Split name, steps and seed alone once gave results of other weights and other data as one's own."""
    parts, weights = fault_filtered(corpus), tmp_path / "taught.npz"
    weights.write_bytes(b"one")

    def name(parts: Parts = parts, **changes: Any) -> str:
        given: dict[str, Any] = {"recipe": FineTuning(steps=5), "seed": 3, "taught": weights, "mixture": None}
        return checkpoint_name(corpus, parts, **(given | changes))

    one = name()
    assert re.fullmatch(r"fault-filtered-5-3-[0-9a-f]{8}", one)
    assert one == name(mixture=Mixture())
    others = [
        name(recipe=FineTuning(steps=5, mixup=0.1)), name(seed=4), name(taught=None),
        name(mixture=Mixture(genre_share=0.7)), name(replace(parts, train=parts.train[1:])),
        name(replace(parts, valid=parts.valid[1:])),
    ]  # fmt: skip
    weights.write_bytes(b"other")
    assert len({one, name(), *others}) == 8
    with pytest.raises(WeightsError, match=r"cannot read the taught weights .*none\.npz"):
        name(taught=tmp_path / "none.npz")


def test_the_commit_is_that_of_a_checkout_of_its_own(tmp_path: Path) -> None:
    def git(*words: str) -> str:
        who = ("-c", "user.name=x", "-c", "user.email=x@example.org")
        done = subprocess.run(["git", *who, *words], cwd=tmp_path, capture_output=True, text=True, check=True)
        return done.stdout.strip()

    (tmp_path / "training" / "deep").mkdir(parents=True)
    assert commit(tmp_path / "training") is None
    git("init", "-q")
    (tmp_path / "training" / "a.py").write_text("1\n")
    git("add", ".")
    git("commit", "-q", "-m", "first")
    assert commit(tmp_path / "training") == git("rev-parse", "HEAD")
    assert commit(tmp_path / "training" / "deep") is None  # installed inside another project
    (tmp_path / "training" / "a.py").write_text("2\n")
    assert commit(tmp_path / "training") == git("rev-parse", "HEAD") + " with changes"


@pytest.mark.parametrize(
    ("written", "sentence"),
    [
        ({"protocols": []}, "holds no list but a dict"),
        (["x"], "entry 1 of 1 in .* lacks a sound protocol, network, accuracy, deviation"),
        ([{"protocol": "a", "network": "b", "accuracy": 61.2, "deviation": 0.0}], "lacks a sound accuracy;"),
    ],
)
def test_protocols_of_another_kind_are_one_sentence(written: Any, sentence: str, tmp_path: Path) -> None:
    (tmp_path / "p.json").write_text(json.dumps(written))
    with pytest.raises(OverheardError, match=sentence):
        read(tmp_path / "p.json")


def test_protocols_that_were_written_are_read(tmp_path: Path) -> None:
    listed = protocols_as_json([ProtocolScore("fault_filtered", "TL+CNN+GRU", (0.4, 0.5))])
    (tmp_path / "p.json").write_text(json.dumps(listed))
    assert read(tmp_path / "p.json") == listed


def test_protocols_that_cannot_be_read_are_one_sentence(corpus: Corpus, tmp_path: Path) -> None:
    words = ["release", "--cache", str(corpus.folder), "--out", str(tmp_path / "out")]
    (tmp_path / "p.json").write_text("no JSON")
    with pytest.raises(OverheardError, match="write it with overheard train protocols --json"):
        command([*words, "--protocols", str(tmp_path / "p.json")])
    with pytest.raises(OverheardError, match="--steps is -1; it must be at least 1"):
        command([*words, "--steps", "-1"])
    with pytest.raises(OverheardError, match="--seed is -1; it must be from 0 to 4294967295"):
        command([*words, "--seed", "-1"])
    assert not (tmp_path / "out").exists()


@pytest.mark.usefixtures("quick")
def test_an_ablation_trains_and_scores_every_row_once(corpus: Corpus, tmp_path: Path) -> None:
    row = next(each for each in ROWS if each.mixture == {"coarse_share": 0.0})
    found = ablation(corpus, tmp_path, steps=1, probe=0, rows=[row])
    assert [(each["name"], each["steps"]) for each in found] == [("fine picture only", 1)]
    for part in ("valid", "test"):
        assert set(found[0][part]) == {"fine", "coarse"}
        assert all(0 <= share <= 1 for of in found[0][part].values() for share in of)
    (kept,) = tmp_path.glob("*.json")
    kept.write_text(json.dumps({"valid": {"fine": [0.25, 0.25]}, "test": {"fine": [0.5, 0.5]}}))
    again = ablation(corpus, tmp_path, steps=1, probe=0, rows=[row])  # what is done is not done again
    assert table(again).splitlines()[-1] == "| fine picture only | 0.500 (0.250) |"
