"""Windows of stored spectrograms, and their names in training and in the shipped model."""

from __future__ import annotations

from dataclasses import replace

from models.spectrogram.stored import STORED_GEOMETRIES
from training.data.geometries import GEOMETRIES, STORED_SHAPES

FINE, COARSE = STORED_GEOMETRIES


def test_the_geometries_of_the_arrays_fit_one_array_each_and_the_live_one_fits_none() -> None:
    for spec in GEOMETRIES.values():
        assert sum(stored.fits(spec) for stored in STORED_GEOMETRIES) == (spec is not GEOMETRIES["live"])
    names = [stored.name for stored in STORED_GEOMETRIES]
    assert ["live", *names] == list(GEOMETRIES)
    assert names == list(STORED_SHAPES.values())
    for stored in STORED_GEOMETRIES:
        assert stored.fits(GEOMETRIES[stored.name])


def test_windows_are_cut_half_a_window_apart_or_are_the_whole_track() -> None:
    assert list(FINE.starts(GEOMETRIES["fine"])) == [0]
    coarse = GEOMETRIES["coarse"]
    assert list(COARSE.starts(coarse)) == list(range(0, 414, 41))
    assert 410 + coarse.columns <= COARSE.columns


def test_other_steps_rates_and_lengths_do_not_fit() -> None:
    coarse, fine = GEOMETRIES["coarse"], GEOMETRIES["fine"]
    assert not COARSE.fits(replace(coarse, column_step=1_335))
    assert not COARSE.fits(replace(coarse, sample_rate=44_100))
    assert not FINE.fits(replace(fine, columns=56))
