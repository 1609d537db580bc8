from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from models.spectrogram import image, spec, stft
from models.spectrogram.incremental import IncrementalSpectrogram
from models.spectrogram.spec import AudioSpec, Scaling
from tests.support.audio import noise, tone
from tests.support.paths import GOLDEN_PICTURE

SPEC = AudioSpec()
SPARSE = AudioSpec(n_fft=256, column_step=1334, columns=83, window="tukey")
"""Short columns far apart, as of arrays that were made with SciPy's defaults."""


def golden_signal() -> spec.Floats:
    """Three harmonics that glide, a little noise, a click, and a quarter second of silence."""
    t = np.arange(SPEC.window_samples) / SPEC.sample_rate
    glide = sum(np.sin(2 * np.pi * k * (220 * t + 20 * t**2)) / k for k in (1, 2, 3, 8, 20))
    signal = 0.2 * glide + 0.002 * noise(len(t))
    signal[60_000] = 1.0
    signal[:5_512] = 0.0
    return signal.astype(np.float32)


def test_stft_equals_librosa() -> None:
    import librosa

    samples = golden_signal()
    ours = stft.stft(samples, SPEC)
    theirs = librosa.stft(
        samples,
        n_fft=SPEC.n_fft,
        hop_length=SPEC.column_step,
        window=spec.hann_window(SPEC.n_fft),
        center=False,
    ).T
    assert ours.shape == theirs.shape == (57, 1025)
    assert np.abs(ours - theirs).max() <= 1e-4 * np.abs(theirs).max()


def test_tukey_columns_equal_scipys_spectrogram() -> None:
    """SciPy's defaults, but for the step, which leaves sound out between columns here.

    SciPy scales to density and counts every frequency but the first and the last twice.
    """
    from scipy import signal

    samples = np.concatenate([golden_signal()[20_000:], golden_signal()])[: SPARSE.window_samples]
    samples += np.float32(0.1)  # a mean that has to go
    ours = np.abs(stft.stft(samples, SPARSE)) ** 2
    assert ours.shape == (SPARSE.columns, 129)
    starts = range(0, SPARSE.columns * SPARSE.column_step, SPARSE.column_step)
    segments = np.stack([samples[start : start + SPARSE.n_fft] for start in starts])
    _, _, theirs = signal.spectrogram(segments.astype(np.float64), SPARSE.sample_rate)
    window = signal.get_window(("tukey", 0.25), SPARSE.n_fft)
    theirs = theirs[..., 0] * SPARSE.sample_rate * np.sum(window**2)
    theirs[:, 1:-1] /= 2
    assert np.abs(ours - theirs).max() <= 1e-5 * theirs.max()
    assert np.allclose(ours[:, 1:-1], theirs[:, 1:-1], rtol=1e-2, atol=1e-7 * theirs.max())


@pytest.mark.parametrize("spec", [SPEC, SPARSE], ids=["hann", "tukey"])
def test_power_floor_is_the_noise_of_16_bits(spec: AudioSpec) -> None:
    rounded = np.round(noise(spec.window_samples) * 3) / 32768  # far below one would be all zero
    error = rounded - noise(spec.window_samples) * 3 / 32768
    power = np.mean(np.abs(stft.stft(error.astype(np.float32), spec))[:, 1:] ** 2)
    empty = stft.decibels(np.zeros((1, 3), np.complex64), spec)
    assert empty == pytest.approx(10 * np.log10(power), abs=10 * np.log10(1.03))


def test_rows_are_averaged_by_area() -> None:
    columns = np.arange(10, dtype=np.float32).reshape(2, 5)
    # 5 bins into 2 rows: each row holds two and a half bins.
    expected = [
        [(0 + 1 + 2 / 2) / 2.5, (2 / 2 + 3 + 4) / 2.5],
        [(5 + 6 + 7 / 2) / 2.5, (7 / 2 + 8 + 9) / 2.5],
    ]
    assert stft.average_bands(columns, np.array([0, 0.5, 1])) == pytest.approx(np.array(expected))


@pytest.mark.parametrize("bins", [1025, 544])
def test_live_bins_and_stored_rows_reduce_alike(bins: int) -> None:
    slope = np.linspace(0, 1, bins, dtype=np.float32)[np.newaxis]
    reduced = stft.to_bands(slope, SPEC)
    assert reduced.shape == (1, 256)
    assert reduced[0] == pytest.approx(np.linspace(1 / 512, 1 - 1 / 512, 256), abs=1.5e-3)


def test_rows_narrower_than_a_bin_get_its_value() -> None:
    columns = np.array([[10.0, -20.0, 30.0, 7.0]], np.float32)
    edges = np.array([0, 0.01, 0.02, 0.2, 0.25, 0.375, 0.75, 0.999, 1])
    expected = [10, 10, 10, 10, -20, (-20 / 2 + 30) / 1.5, 7, 7]
    assert stft.average_bands(columns, edges)[0] == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("row_break_hz", [0.0, 20.0, 700.0, 8_000.0])
def test_row_edges_have_the_form_they_state(row_break_hz: float) -> None:
    edges = stft.band_edges(replace(SPEC, row_break_hz=row_break_hz))
    assert edges.shape == (257,)
    assert (edges[0], edges[-1]) == (0, pytest.approx(1))
    assert (np.diff(edges) > 0).all()
    assert not edges.flags.writeable
    share = np.arange(257) / 256
    if row_break_hz:
        hz = row_break_hz * ((1 + 11_025 / row_break_hz) ** share - 1)
    else:
        hz = 11_025 * share
    assert edges * 11_025 == pytest.approx(hz)


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


def test_picture_lies_as_promised() -> None:
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


def test_golden_picture() -> None:
    """The picture of a made signal; whoever changes the picture must retrain every model."""
    golden = np.load(GOLDEN_PICTURE)["picture"].astype(int)
    difference = np.abs(image.spectrogram_image(golden_signal(), SPEC).astype(int) - golden)
    assert difference.max() <= 3, "FFT libraries differ in the last bit, which may move a colour by a step"
    assert (difference > 0).mean() < 0.001


@pytest.mark.parametrize("hop", [1, 6, 56, 57, 60])
@pytest.mark.parametrize("spec", [SPEC, SPARSE], ids=["hann", "tukey"])
def test_incremental_columns_are_identical(hop: int, spec: AudioSpec) -> None:
    signal = np.concatenate([tone(700, 6), golden_signal(), tone(3000, 4)])
    stream = IncrementalSpectrogram(spec)
    positions = range(0, len(signal) - spec.window_samples, hop * spec.column_step)
    assert len(positions) >= 2
    for position in positions:
        window = signal[position : position + spec.window_samples]
        assert np.array_equal(stream.update(window, position), stft.band_columns(window, spec))


def test_incremental_columns_start_anew_after_a_gap() -> None:
    signal = np.concatenate([tone(700, 6), tone(3000, 6)])
    stream = IncrementalSpectrogram(SPEC)
    stream.update(signal[: SPEC.window_samples], 0)
    other = signal[-SPEC.window_samples :]
    columns = stream.update(other, 6 * SPEC.column_step, continuous=False)
    assert np.array_equal(columns, stft.band_columns(other, SPEC))


def scaled(samples: npt.NDArray[np.floating]) -> spec.Floats:
    return image.scale(stft.band_columns(samples.astype(np.float32), SPEC), SPEC)


def test_scaling_is_robust_where_minimum_and_maximum_are_not() -> None:
    """Gain, a click, clipping at 16 bits, a cut-off and a short silence leave the picture nearly alone."""
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


def test_spec_refuses_what_it_cannot_draw() -> None:
    with pytest.raises(ValueError, match="this version draws 'hann' or 'tukey' with 'inferno'"):
        AudioSpec(window="boxcar")
    with pytest.raises(ValueError, match="with colormap 'viridis' is unknown"):
        AudioSpec(colormap="viridis")


@pytest.mark.parametrize("row_break_hz", [-1.0, 11_025.0, float("nan")])
def test_spec_refuses_a_break_outside_the_band(row_break_hz: float) -> None:
    with pytest.raises(ValueError, match=f"row_break_hz is {row_break_hz:g}; .* below 11025"):
        AudioSpec(row_break_hz=row_break_hz)


def test_window_of_another_length_is_refused() -> None:
    with pytest.raises(ValueError, match=r"exactly 109568 samples \(4.97 s at 22050 Hz\)"):
        image.spectrogram_image(np.zeros(1000, np.float32), SPEC)
    with pytest.raises(ValueError, match="at least 2048"):
        stft.stft(np.zeros(1000, np.float32), SPEC)


def test_pictures_agree_with_the_shared_arrays(shared: Path) -> None:
    """The dB picture of every recording that begins at GTZAN's first sample, against its array."""
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
