"""Spectrogram image: scaling, color map, golden image and geometry."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from models.spectrogram import image, spec, stft
from models.spectrogram.spec import AudioSpec, Scaling
from tests.support.audio import tone
from tests.support.paths import GOLDEN_PICTURE
from tests.support.spectrograms import SPEC, golden_signal


def test_a_tone_lies_in_the_row_that_its_frequency_has() -> None:
    """With a break at 700 Hz, 1,000 Hz lie at 31 % of the height and not at 9 %."""
    spec = replace(SPEC, row_break_hz=700.0)
    columns = stft.band_columns(tone(1_000, 5)[: spec.window_samples], spec)
    share = np.log(1 + 1_000 / 700) / np.log(1 + 11_025 / 700)
    loudest = columns.argmax(axis=1) + 0.5
    assert np.abs(loudest - 256 * share).max() < 1.5
    assert image.spectrogram_image(tone(1_000, 5)[: spec.window_samples], spec).shape == (256, 256, 3)


@pytest.mark.parametrize("row_break_hz", [0.0, 700.0])
def test_only_the_band_that_all_sources_share_sets_the_scale(row_break_hz: float) -> None:
    spec = replace(SPEC, row_break_hz=row_break_hz)
    columns = stft.band_columns(golden_signal(), spec)
    hz = stft.band_edges(spec) * 11_025
    above, below = hz[:-1] > 4_000, hz[1:] < 3_900
    louder_above, louder_below = columns.copy(), columns.copy()
    louder_above[:, above] += 60
    louder_below[:, below] += 60
    base = image.scale(columns, spec)
    assert np.array_equal(image.scale(louder_above, spec)[:, below], base[:, below])
    assert not np.array_equal(image.scale(louder_below, spec)[:, above], base[:, above])


def test_time_runs_right_and_frequency_up() -> None:
    """A high tone in the second half lights the upper right quarter and nothing else."""
    samples = np.concatenate([tone(500, 2.5), tone(10_000, 2.5)])[: SPEC.window_samples]
    picture = image.spectrogram_image(samples, SPEC)
    assert picture.shape == (256, 256, 3)
    assert picture.dtype == np.uint8
    bright = picture.sum(axis=2, dtype=np.int64) > 500
    rows, columns = np.nonzero(bright[:128])
    assert len(rows)
    assert rows.max() < 40
    assert columns.min() > 120
    low_rows, low_columns = np.nonzero(bright[128:])
    assert low_rows.min() + 128 > 235
    assert low_columns.max() < 140


def test_golden_image() -> None:
    """The image of a synthetic signal stays the same. After a change every model must be retrained."""
    golden = np.load(GOLDEN_PICTURE)["picture"].astype(int)
    difference = np.abs(image.spectrogram_image(golden_signal(), SPEC).astype(int) - golden)
    assert difference.max() <= 3, "FFT libraries differ in the last bit, which may move a colour by a step"
    assert (difference > 0).mean() < 0.001


def scaled(samples: npt.NDArray[np.floating]) -> spec.Floats:
    return image.scale(stft.band_columns(samples.astype(np.float32), SPEC), SPEC)


def test_scaling_is_robust_where_minimum_and_maximum_are_not() -> None:
    """Gain, a click, clipping at 16 bits, a cut-off and a short silence hardly change the image."""
    music = golden_signal()
    music[:5_512] = tone(440, 0.25)[: len(music[:5_512])]
    base = scaled(music)
    clicked = music.copy()
    clicked[50_000:50_002] = (1, -1)
    silenced = music.copy()
    silenced[:6_000] = 0
    spectrum = np.fft.rfft(music)
    spectrum[np.fft.rfftfreq(len(music), 1 / SPEC.sample_rate) > 9_600] = 0
    cut = np.fft.irfft(spectrum, len(music))
    rows = round(256 * 9_500 / 11_025)
    assert np.abs(scaled(music * 0.1) - base).mean() < 0.04
    assert np.abs(scaled(np.round(music * 32768) / 32768) - base).mean() < 0.02
    assert np.abs(scaled(clicked) - base)[:24].mean() < 0.01
    assert np.abs(scaled(silenced) - base)[4:].mean() < 0.02
    assert np.abs(scaled(cut) - base)[:, :rows].mean() < 0.01


def test_silence_and_flat_arrays_are_black() -> None:
    silence = np.zeros(SPEC.window_samples, np.float32)
    assert not scaled(silence).any()
    assert (image.spectrogram_image(silence, SPEC) == image.colormap()[0]).all()


def test_scaling_does_not_depend_on_the_unit() -> None:
    columns = stft.band_columns(golden_signal(), SPEC)
    assert image.scale(columns * 2 + 7, SPEC) == pytest.approx(image.scale(columns, SPEC), abs=1e-5)


def test_colormap_is_matplotlibs_inferno() -> None:
    from matplotlib import colormaps

    colours = np.array([colormaps["inferno"](i)[:3] for i in range(256)])
    assert np.array_equal(image.colormap(), np.round(colours * 255).astype(np.uint8))


@pytest.mark.parametrize("field", ["sample_rate", "n_fft", "column_step", "columns", "hop_columns"])
def test_spec_refuses_nonsense(field: str) -> None:
    with pytest.raises(ValueError, match=f"{field} is 0"):
        replace(SPEC, **{field: 0})  # type: ignore[arg-type]  # the names above are of integers


def test_spec_refuses_unknown_windows_and_colormaps() -> None:
    with pytest.raises(ValueError, match="this version draws 'hann' or 'tukey' with 'inferno'"):
        AudioSpec(window="boxcar")
    with pytest.raises(ValueError, match="with colormap 'viridis' is unknown"):
        AudioSpec(colormap="viridis")


@pytest.mark.parametrize("row_break_hz", [-1.0, 11_025.0, float("nan")])
def test_spec_refuses_a_break_outside_the_band(row_break_hz: float) -> None:
    with pytest.raises(ValueError, match=f"row_break_hz is {row_break_hz:g}; .* below 11025"):
        AudioSpec(row_break_hz=row_break_hz)


def test_images_agree_with_the_shared_arrays(shared: Path) -> None:
    """Every recording that starts at GTZAN's first sample gives the decibels of its array."""
    import av

    stored = np.load(shared / "gtzan" / "stft_first5s.npz")
    rows = {str(track): i for i, track in enumerate(stored["track_id"])}
    arrays = stored["db_u8"]
    correlations = []
    for path in sorted((shared / "gtzan" / "audio").glob("*.start.flac")):
        with av.open(str(path)) as container:
            resampler = av.AudioResampler(format="fltp")
            samples = np.concatenate(
                [
                    part.to_ndarray()[0]
                    for frame in container.decode(audio=0)
                    for part in resampler.resample(frame)
                ]
            )
        ours = stft.band_columns(samples[: SPEC.window_samples], SPEC)
        track = path.name.removesuffix(".start.flac")
        theirs = stft.to_bands(arrays[rows[track]].T, SPEC)
        correlations.append(np.corrcoef(ours.ravel(), theirs.ravel())[0, 1])
    assert len(correlations) == 106
    print(f"median {np.median(correlations):.4f}, lowest {np.min(correlations):.4f}")
    assert np.median(correlations) >= 0.985
    assert np.min(correlations) >= 0.88


def test_default_scaling_is_the_measured_one() -> None:
    """The shipped model was trained with these numbers."""
    assert Scaling() == Scaling(band_hz=4000.0, quantile=0.25, reach=2.0)
