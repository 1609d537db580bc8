"""Soft labels of windows with and without a label."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from tests.support.corpora import cache, entry, recording_of
from training.data.corpus import Corpus
from training.data.targets import EMBEDDING_SIZE
from training.finetuning.soft_labels import LABEL_SHARE, fit_soft_labels

LABELS = ("blues", "jazz")


@pytest.fixture
def corpus(tmp_path: Path) -> Corpus:
    """Labeled songs whose values tell the genre, one song without a label, and one with a wrong one."""
    listed = []
    for n in range(24):
        listed.append((f"song.{n}", LABELS[n % 2], 2.0 * (n % 2) - 1))
    listed += [("unlabeled", "", 1.0), ("wrong", "blues", 1.0)]
    tracks = []
    for n, (name, genre, value) in enumerate(listed):
        noise = np.random.default_rng(n).normal(0, 0.3, (2, EMBEDDING_SIZE))
        windows = replace(recording_of(0, n), embeddings=(value + noise).astype(np.float16))
        tracks.append((entry(name, "songs", genre, f"Artist {n}"), windows))
    return cache(tmp_path / "cache", tracks)


def soft_labels(corpus: Corpus) -> dict[str, npt.NDArray[np.float32]]:
    """Return the soft labels by the names of the songs."""
    by_file = fit_soft_labels(corpus, corpus.entries, LABELS)
    return {each.name: by_file[each.file] for each in corpus.entries if each.file in by_file}


def test_soft_labels_follow_values_and_labels(corpus: Corpus) -> None:
    soft = soft_labels(corpus)
    assert soft["song.1"][:, 1].min() > 0.9
    assert soft["song.0"][:, 0].min() > 0.9
    assert "unlabeled" not in soft
    assert soft["wrong"][:, 0] == pytest.approx(LABEL_SHARE, abs=0.1)  # others' labels mean jazz
    for each in soft.values():
        assert each.sum(axis=1) == pytest.approx(np.ones(2), abs=1e-4)


def test_without_two_labeled_genres_there_are_none(corpus: Corpus) -> None:
    alone = [each for each in corpus.entries if each.genre != "jazz"]
    assert fit_soft_labels(corpus, alone, LABELS) == {}
