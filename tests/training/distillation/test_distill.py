"""Distillation: its data, its weights file, and its errors."""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from models.errors import OverheardError
from tests.support.corpora import arrays_of, cache, entry, recording_of
from training.cli import build_parser, command
from training.data.corpus import Corpus
from training.data.geometries import GEOMETRIES
from training.data.targets import EMBEDDING_SIZE
from training.distillation.distill import (
    VALIDATION_EVERY_NTH,
    DistillationConfig,
    _gather_data,
    distill,
    distillation_entries,
)
from training.distillation.ensemble import EFFICIENTAT_FILE, YAMNET_FILE
from training.errors import DataError, WeightsError
from training.networks.genre import build_backbone
from training.networks.pretrained import load_distilled_weights, save_distilled_weights

pytestmark = pytest.mark.filterwarnings("ignore")  # TensorFlow's own deprecations


def test_every_25th_track_validates_and_songs_weigh_twice(tmp_path: Path) -> None:
    sources = ["more-music" if number % 2 else "game-music" for number in range(VALIDATION_EVERY_NTH + 2)]
    listed = [
        (
            entry(f"{number}", source),
            recording_of(number % 10, number, windows=1 + number % 2, embedding_size=5),
        )
        for number, source in enumerate(sources)
    ]
    listed.insert(3, (entry("unheard", "more-music"), recording_of(0, 0)))
    corpus = cache(tmp_path, listed)
    data = _gather_data(corpus, corpus.entries, DistillationConfig(real_weight=2.0))
    count = sum(1 + number % 2 for number in range(VALIDATION_EVERY_NTH + 2))
    for name, spec in GEOMETRIES.items():
        assert data.columns[name].shape == (count, 2, spec.columns, 256)
    assert data.targets.shape == (count, 5)
    assert data.targets.mean(axis=0) == pytest.approx(np.zeros(5), abs=0.02)
    assert data.targets.std(axis=0) == pytest.approx(np.ones(5), abs=0.05)
    expected = []
    for place, (each, windows) in enumerate(listed):
        held = place % VALIDATION_EVERY_NTH == 0
        weight = 2.0 if each.source == "more-music" else 1.0
        expected += [(held, 0.0 if held else weight)] * len(windows.embeddings)
    assert list(zip(data.validates.tolist(), data.weights.tolist(), strict=True)) == expected
    assert sum(held for held, _ in expected) >= 2
    # A window's columns and its embedding stay together.
    assert np.array_equal(data.columns["live"][1], listed[1][1].live[0])


def test_music_and_other_sounds_are_distilled_from_but_nothing_held_out() -> None:
    listed = [
        entry("tune", "music"),
        entry("speech", "clips", origin="speech elsewhere", music=False),
        entry("rain", "clips", origin="noise ESC-10", music=False),
        entry("blues.1", "gtzan-audio", "blues", "A", part="train"),
    ]
    chosen = distillation_entries(Corpus(Path("nowhere"), listed))
    assert [each.name for each in chosen] == ["tune", "speech"]


def test_a_distillation_starts_from_given_weights(tmp_path: Path) -> None:
    listed = [
        (entry(f"{n}", "music"), recording_of(n, n, embedding_size=EMBEDDING_SIZE))
        for n in range(VALIDATION_EVERY_NTH + 1)
    ]
    corpus = cache(tmp_path / "cache", listed)
    start, out = tmp_path / "start.npz", tmp_path / "out.npz"
    backbone = build_backbone(imagenet=False)
    save_distilled_weights(backbone, start)
    config = DistillationConfig(steps=1, batch=2, rate=1e-12, weight_decay=0)
    distill(corpus, corpus.entries, out, config, start=start)
    with np.load(start) as before, np.load(out) as after:
        kernels = [name for name in before.files if before[name].ndim == 4]
        assert kernels
        assert all(np.array_equal(before[name], after[name]) for name in kernels)
    with pytest.raises(WeightsError, match="cannot read the distilled weights"):
        distill(corpus, corpus.entries, out, config, start=tmp_path / "absent.npz")


def test_a_cache_without_embeddings_raises_one_sentence(tmp_path: Path) -> None:
    corpus = cache(
        tmp_path, [(entry("a", "gtzan"), arrays_of(0, 0)), (entry("b", "music"), recording_of(0, 0))]
    )
    with pytest.raises(DataError, match="the cache has no teacher embeddings; prepare it with --teacher"):
        _gather_data(corpus, corpus.entries, DistillationConfig())


def test_a_missing_teacher_names_the_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "musicnn", None)  # what Python takes for absent
    weights = tmp_path / "teachers"
    weights.mkdir()
    for name in (EFFICIENTAT_FILE, YAMNET_FILE):
        (weights / name).touch()
    with pytest.raises(DataError, match=r"run: pip install --no-deps musicnn==0\.1\.0"):
        command(["prepare", "--cache", str(tmp_path), "--music", str(tmp_path), "--teacher", str(weights)])


def test_zero_steps_are_rejected(tmp_path: Path) -> None:
    cache(tmp_path, [(entry("a", "music"), recording_of(0, 0, embedding_size=5))])
    with pytest.raises(OverheardError, match="--steps is 0; it must be at least 1"):
        command(["distill", "--cache", str(tmp_path), "--steps", "0"])


class Layers:
    """The part of a backbone that ``save_distilled_weights`` and ``load_distilled_weights`` use."""

    def __init__(self, *weights: Any, height: int = 256) -> None:
        self.input_shape = (None, height, 64, 3)
        self.weights = [np.asarray(weight, np.float32) for weight in weights]

    def get_weights(self) -> list[Any]:
        return self.weights

    def set_weights(self, weights: list[Any]) -> None:
        """Check number and shapes, as Keras does."""
        if [w.shape for w in weights] != [w.shape for w in self.weights]:
            raise ValueError("shapes do not fit")
        self.weights = weights


class Unwritable:
    """A weight whose writing fails, after others were written."""

    def astype(self, _: object) -> Unwritable:
        return self

    def __array__(self, *_: object, **__: object) -> Any:
        raise OSError("no space left on device")


def test_weights_come_back_in_half_precision_and_in_order(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    weights = [random.normal(0, 1, (3, number + 1)) for number in range(12)]
    out = tmp_path / "new" / "distilled"  # no .npz suffix: the file gets exactly the name that was passed
    digest = save_distilled_weights(Layers(*weights), out)
    assert len(digest) == 64
    assert [each.name for each in out.parent.iterdir()] == ["distilled"]
    assert digest == save_distilled_weights(Layers(*weights), tmp_path / "again.npz")
    target = Layers(*(np.zeros_like(weight) for weight in weights))
    load_distilled_weights(target, out)
    for one, other in zip(weights, target.weights, strict=True):
        assert other.dtype == np.float32
        assert other == pytest.approx(one, rel=1e-3, abs=1e-6)
        assert not np.array_equal(one.astype(np.float32), other)


def test_a_failed_write_keeps_the_old_weights(tmp_path: Path) -> None:
    out = tmp_path / "distilled.npz"
    digest = save_distilled_weights(Layers(np.ones((2, 2))), out)
    broken = Layers(np.ones((2, 2)))
    broken.weights = [np.ones(2, np.float32), Unwritable()]  # type: ignore[list-item]
    with pytest.raises(OSError, match="no space"):
        save_distilled_weights(broken, out)
    assert hashlib.sha256(out.read_bytes()).hexdigest() == digest


def test_the_default_output_is_not_the_shipped_backbone() -> None:
    assert build_parser().parse_args(["distill"]).out == Path("build/music_mobilenet_v2.npz")


def test_weights_of_another_network_raise_one_sentence(tmp_path: Path) -> None:
    path = tmp_path / "distilled.npz"
    target = Layers(np.zeros((2, 2)))
    with pytest.raises(WeightsError, match="cannot read the distilled weights"):
        load_distilled_weights(target, path)
    save_distilled_weights(Layers(np.zeros((2, 2)), height=128), path)
    with pytest.raises(WeightsError, match=r"trained on \[128 +64 +3\] pixels, not \(256, 64, 3\)"):
        load_distilled_weights(target, path)
    save_distilled_weights(Layers(np.zeros((3, 3))), path)
    whole = path.read_bytes()
    for content in (whole, whole[:-30], b"no weights", b""):
        path.write_bytes(content)
        with pytest.raises(WeightsError, match="restore them or run overheard train distill") as error:
            load_distilled_weights(target, path)
        assert "\n" not in str(error.value)
