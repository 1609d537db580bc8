"""Degradations of programmes, and programmes of stored spectrograms."""

from __future__ import annotations

import numpy as np
import pytest

from models.spectrogram.spec import AudioSpec
from models.spectrogram.stored import STORED_GEOMETRIES
from realtime.evaluation.playback import CONDITIONS, PLAYBACK_RATE, SpectrogramPlayer, analyze_playback
from realtime.evaluation.programmes import Excerpt, LabeledTrack, Programme
from realtime.evaluation.spectrograms import StoredTracks
from realtime.evaluation.tracking_metrics import measure
from tests.support.audio import noise
from tests.support.classifier import LABELS, LoudestRowClassifier
from tests.support.evaluation import RATE, UNSMOOTHED


def test_conditions_keep_the_length_and_degrade_by_the_stated_amount() -> None:
    samples = (0.2 * noise(2 * PLAYBACK_RATE)).astype(np.float32)
    degraded = {
        name: each(samples, PLAYBACK_RATE, np.random.default_rng(0)) for name, each in CONDITIONS.items()
    }
    for name, each in degraded.items():
        assert each.shape == samples.shape, name
        assert each.dtype == np.float32, name
        assert np.isfinite(each).all()
        assert np.array_equal(each, CONDITIONS[name](samples, PLAYBACK_RATE, np.random.default_rng(0))), name
        assert (name == "as-is") == np.array_equal(each, samples)
    power = {name: float(np.mean(np.square(each, dtype=np.float64))) for name, each in degraded.items()}
    for name, decibels in (("gain-30", -30), ("gain-20", -20), ("gain-10", -10)):
        assert 10 * np.log10(power[name] / power["as-is"]) == pytest.approx(decibels, abs=0.01)
    added = np.mean(np.square(degraded["noise-20"] - samples, dtype=np.float64))
    assert 10 * np.log10(power["as-is"] / added) == pytest.approx(20, abs=0.1)
    spectrum = np.abs(np.fft.rfft(degraded["low-4000"])) ** 2
    above = np.fft.rfftfreq(len(samples), 1 / PLAYBACK_RATE) > 4_200
    assert spectrum[above].sum() < 1e-4 * spectrum.sum()


def test_spectrograms_are_joined_column_by_column() -> None:
    """The windows have the geometry of the spectrograms. Those within a track are classified correctly."""
    coarse = AudioSpec(n_fft=256, column_step=1_334, columns=83, hop_columns=8, window="tukey")
    db_u8 = (50 + 50 * noise(3 * 129 * 496)).astype(np.uint8).reshape(3, 129, 496)
    for genre in range(3):
        db_u8[genre, 20 + 43 * genre : 23 + 43 * genre] = 250
    stored = StoredTracks(("a", "b", "c"), np.arange(3), db_u8, STORED_GEOMETRIES[1])
    classifier = LoudestRowClassifier()
    player = SpectrogramPlayer(stored, {label: row for row, label in enumerate(LABELS)}, classifier, coarse)
    step = 1_334 / RATE
    order = [2, 0, 1]
    excerpts = tuple(
        Excerpt(LabeledTrack(LABELS[genre], genre, "", 496 * step), 1.0, 200 * step) for genre in order
    )
    playback = player.play(Programme(excerpts), "as-is", (0, 0))
    assert classifier.calls == len(playback.windows) == (600 - 83) // 8 + 1
    assert [segment.genre for segment in playback.segments] == order
    assert [segment.end for segment in playback.segments] == pytest.approx(
        [200 * step, 400 * step, 600 * step]
    )
    scores = measure([analyze_playback(playback, UNSMOOTHED)], 3)
    assert scores.first_label_seconds == pytest.approx(83 * step)
    assert scores.switch_median == pytest.approx(83 * step / 2, abs=8 * step)
    assert (scores.window_accuracy, scores.settled_accuracy) == (1, 1)
    assert scores.windows == 3 * 15  # beginning at 0 to 112, 200 to 312 and 400 to 512, every 8
