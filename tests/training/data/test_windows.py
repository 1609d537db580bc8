"""Windows of a recording: their positions, their bytes and their files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from models.spectrogram.stft import band_columns
from tests.support.corpora import recording_of
from training.data.corpus import Corpus, Entry
from training.data.geometries import COARSE, FINE
from training.data.windows import (
    MIN_DB,
    SAMPLE_RATE,
    STEP_DB,
    WINDOW_SAMPLES,
    cut_windows,
    quantize_decibels,
    read_source_digest,
)
from training.errors import DataError


def test_windows_are_spread_evenly_and_a_short_track_is_repeated() -> None:
    ramp = np.arange(4 * WINDOW_SAMPLES, dtype=np.float32)
    starts = [int(window[0]) for window in cut_windows(ramp, 3)]
    assert starts == [0, 3 * WINDOW_SAMPLES // 2, 3 * WINDOW_SAMPLES]
    assert [int(window[0]) for window in cut_windows(ramp, 1)] == [3 * WINDOW_SAMPLES // 2]
    assert len(list(cut_windows(ramp, 12))) == 7  # half a window apart
    (only,) = cut_windows(ramp[: WINDOW_SAMPLES // 2 - 5], 12)
    assert only.shape == (WINDOW_SAMPLES,)
    assert only[WINDOW_SAMPLES // 2 - 5] == 0


def test_bytes_hold_the_loudest_tone_through_the_equalizer() -> None:
    """A full-scale sine reaches 54.2 dB in the fine geometry. Steps of half a decibel ended at 47.5 dB."""
    assert quantize_decibels(np.array([-200.0, -80, -79.4, -20, 73, 99], np.float32)).tolist() == [
        0,
        0,
        1,
        100,
        255,
        255,
    ]
    assert quantize_decibels(np.array([54.2 + 10], np.float32)).max() < 255
    low, high = 20 * SAMPLE_RATE / FINE.n_fft, 100 * SAMPLE_RATE / FINE.n_fft  # in the middle of a bin
    for spec, hz in ((FINE, low), (FINE, high), (COARSE, high)):
        sine = np.sin(2 * np.pi * hz * np.arange(spec.window_samples) / SAMPLE_RATE).astype(np.float32)
        columns = band_columns(sine * np.float32(10 ** (10 / 20)), spec)
        stored = quantize_decibels(columns)
        assert columns.max() > 47.5
        assert stored.max() < 255
        assert stored.max() * STEP_DB + MIN_DB == pytest.approx(columns.max(), abs=STEP_DB / 2 + 1e-3)


def test_files_without_a_source_digest_are_read(tmp_path: Path) -> None:
    """Files of an earlier version have no digest."""
    windows = recording_of(0, 0)
    np.savez(
        tmp_path / "a.npz",
        live=windows.live,
        fine=windows.fine,
        coarse=windows.coarse,
        heard=windows.embeddings,
        long=windows.long,
    )
    read = Corpus(tmp_path, []).windows(Entry("a", "folder", "a.npz"))
    assert np.array_equal(read.fine, windows.fine)
    assert read_source_digest(tmp_path / "a.npz") == ""


def test_a_damaged_or_missing_file_raises_one_sentence(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    recording_of(0, 0).save(path, "0123")
    assert read_source_digest(path) == "0123"
    whole = path.read_bytes()
    np.savez(tmp_path / "other.npz", fine=np.zeros(3))
    for content in (whole[:-40], whole[:300], b"", b"no zip", (tmp_path / "other.npz").read_bytes(), None):
        path.unlink() if content is None else path.write_bytes(content)
        with pytest.raises(
            DataError, match=r"cannot read .*a\.npz: .*; delete it and prepare again"
        ) as error:
            Corpus(tmp_path, []).windows(Entry("a", "folder", "a.npz"))
        assert "\n" not in str(error.value)
        assert read_source_digest(path) == ""
