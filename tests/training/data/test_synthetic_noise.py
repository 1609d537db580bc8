"""Synthetic sounds: complete, different from each other, and reproducible."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from models.errors import OverheardError
from training.cli import command
from training.data import ingest, synthetic_noise
from training.data.corpus import Corpus


@pytest.mark.parametrize("kind", synthetic_noise.GENERATORS)
def test_every_generator_gives_complete_and_different_sounds(kind: Callable[..., Any]) -> None:
    drawn = [kind(np.random.default_rng(seed), 30_000) for seed in (*range(60), 0)]
    for sound in drawn:
        assert sound.shape == (30_000,)
        assert np.isfinite(sound).all()
        assert 0.01 < np.abs(sound).max() <= 1
    assert np.array_equal(drawn[0], drawn[-1])
    assert not np.array_equal(drawn[0], drawn[1])


def test_peaks_are_in_the_documented_range() -> None:
    generator = np.random.default_rng(3)
    peaks = [20 * np.log10(np.abs(synthetic_noise.random_noise(generator, 20_000)).max()) for _ in range(60)]
    assert min(peaks) >= -35.1
    assert max(peaks) <= -2.9
    assert np.ptp(peaks) > 20


def test_sounds_are_cached_as_non_music_and_only_once(tmp_path: Path) -> None:
    assert command(["prepare", "--cache", str(tmp_path), "--noises", "2"]) == 0
    corpus = Corpus.load(tmp_path)
    assert [(e.name, e.music, e.is_held_out) for e in corpus.entries] == [
        ("noise-0000", False, False), ("noise-0001", False, False),
    ]  # fmt: skip
    windows = [corpus.windows(each) for each in corpus.entries]
    assert [len(each.fine) for each in windows] == [synthetic_noise.WINDOWS_PER_SOUND] * 2
    assert not np.array_equal(windows[0].fine, windows[1].fine)
    before = [(tmp_path / each.file).stat().st_mtime_ns for each in corpus.entries]
    ingest.ingest_tracks(list(synthetic_noise.noise_jobs(3)), tmp_path, lambda done, total: None)
    assert [(tmp_path / each.file).stat().st_mtime_ns for each in corpus.entries] == before
    assert len(Corpus.load(tmp_path).entries) == 3


def test_another_format_version_makes_sounds_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for version in (1, 2):
        monkeypatch.setattr(synthetic_noise, "FORMAT_VERSION", version)
        assert command(["prepare", "--cache", str(tmp_path), "--noises", "1"]) == 0
        (entry,) = Corpus.load(tmp_path).entries
        if version == 1:
            (tmp_path / entry.file).write_bytes(b"of the first version")
    assert len(Corpus.load(tmp_path).windows(entry).fine) == synthetic_noise.WINDOWS_PER_SOUND


def test_a_negative_count_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(OverheardError, match=r"--noises is -1; it must be at least 0"):
        command(["prepare", "--cache", str(tmp_path), "--noises", "-1"])
