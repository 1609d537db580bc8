from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from models import spectrogram
from models.spectrogram import AudioSpec, ColumnStream, Scaling
from tests.sounds import noise, tone

SPEC = AudioSpec()
GOLDEN = Path(__file__).parent / "golden" / "picture.npz"


def golden_signal() -> spectrogram.Floats:
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
    ours = spectrogram.stft(samples, SPEC)
    theirs = librosa.stft(
        samples,
        n_fft=SPEC.n_fft,
        hop_length=SPEC.column_step,
        window=spectrogram.hann_window(SPEC.n_fft),
        center=False,
    ).T
    assert ours.shape == theirs.shape == (57, 1025)
    assert np.abs(ours - theirs).max() <= 1e-4 * np.abs(theirs).max()


def test_power_floor_is_the_noise_of_16_bits() -> None:
    rounded = np.round(noise(SPEC.window_samples) * 3) / 32768  # far below one would be all zero
    error = rounded - noise(SPEC.window_samples) * 3 / 32768
    power = np.mean(np.abs(spectrogram.stft(error.astype(np.float32), SPEC)) ** 2)
    assert power == pytest.approx(spectrogram.POWER_FLOOR, rel=0.03)


def test_rows_are_averaged_by_area() -> None:
    columns = np.arange(10, dtype=np.float32).reshape(2, 5)
    # 5 bins into 2 rows: each row holds two and a half bins.
    expected = [
        [(0 + 1 + 2 / 2) / 2.5, (2 / 2 + 3 + 4) / 2.5],
        [(5 + 6 + 7 / 2) / 2.5, (7 / 2 + 8 + 9) / 2.5],
    ]
    assert spectrogram.reduce_rows(columns, 2) == pytest.approx(np.array(expected))


@pytest.mark.parametrize("bins", [1025, 544])
def test_live_bins_and_stored_rows_reduce_alike(bins: int) -> None:
    slope = np.linspace(0, 1, bins, dtype=np.float32)[np.newaxis]
    reduced = spectrogram.reduce_rows(slope, 256)
    assert reduced.shape == (1, 256)
    assert reduced[0] == pytest.approx(np.linspace(1 / 512, 1 - 1 / 512, 256), abs=1.5e-3)


def test_reduce_rows_refuses_to_invent_rows() -> None:
    with pytest.raises(ValueError, match="cannot average 4 rows into 5"):
        spectrogram.reduce_rows(np.zeros((1, 4), np.float32), 5)


def test_picture_lies_as_promised() -> None:
    """A high tone in the second half lights the upper right quarter and nothing else."""
    samples = np.concatenate([tone(500, 2.5), tone(10_000, 2.5)])[: SPEC.window_samples]
    picture = spectrogram.draw(samples, SPEC)
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
    golden = np.load(GOLDEN)["picture"].astype(int)
    difference = np.abs(spectrogram.draw(golden_signal(), SPEC).astype(int) - golden)
    assert difference.max() <= 3, "FFT libraries differ in the last bit, which may move a colour by a step"
    assert (difference > 0).mean() < 0.001


@pytest.mark.parametrize("hop", [1, 6, 56, 57, 60])
def test_incremental_columns_are_identical(hop: int) -> None:
    signal = np.concatenate([tone(700, 6), golden_signal(), tone(3000, 4)])
    stream = ColumnStream(SPEC)
    positions = range(0, len(signal) - SPEC.window_samples, hop * SPEC.column_step)
    assert len(positions) >= 2
    for position in positions:
        window = signal[position : position + SPEC.window_samples]
        assert np.array_equal(stream.update(window, position), spectrogram.columns_of(window, SPEC))


def test_incremental_columns_start_anew_after_a_gap() -> None:
    signal = np.concatenate([tone(700, 6), tone(3000, 6)])
    stream = ColumnStream(SPEC)
    stream.update(signal[: SPEC.window_samples], 0)
    other = signal[-SPEC.window_samples :]
    columns = stream.update(other, 6 * SPEC.column_step, continuous=False)
    assert np.array_equal(columns, spectrogram.columns_of(other, SPEC))


def scaled(samples: npt.NDArray[np.floating]) -> spectrogram.Floats:
    return spectrogram.scale(spectrogram.columns_of(samples.astype(np.float32), SPEC), SPEC)


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
    assert (spectrogram.draw(silence, SPEC) == spectrogram.colormap()[0]).all()


def test_scaling_does_not_depend_on_the_unit() -> None:
    columns = spectrogram.columns_of(golden_signal(), SPEC)
    assert spectrogram.scale(columns * 2 + 7, SPEC) == pytest.approx(
        spectrogram.scale(columns, SPEC), abs=1e-5
    )


def test_colormap_is_matplotlibs_inferno() -> None:
    from matplotlib import colormaps

    colours = np.array([colormaps["inferno"](i)[:3] for i in range(256)])
    assert np.array_equal(spectrogram.colormap(), np.round(colours * 255).astype(np.uint8))


@pytest.mark.parametrize("field", ["sample_rate", "n_fft", "column_step", "columns", "hop_columns"])
def test_spec_refuses_nonsense(field: str) -> None:
    with pytest.raises(ValueError, match=f"{field} is 0"):
        replace(SPEC, **{field: 0})  # type: ignore[arg-type]  # the names above are of integers


def test_spec_refuses_what_it_cannot_draw() -> None:
    with pytest.raises(ValueError, match="this version draws 'hann' with 'inferno'"):
        AudioSpec(window="boxcar")


def test_window_of_another_length_is_refused() -> None:
    with pytest.raises(ValueError, match=r"exactly 109568 samples \(4.97 s at 22050 Hz\)"):
        spectrogram.draw(np.zeros(1000, np.float32), SPEC)
    with pytest.raises(ValueError, match="at least 2048"):
        spectrogram.stft(np.zeros(1000, np.float32), SPEC)


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
        ours = spectrogram.columns_of(samples[: SPEC.window_samples], SPEC)
        track = path.name.removesuffix(".start.flac")
        theirs = spectrogram.reduce_rows(arrays[rows[track]].T, 256)
        correlations.append(np.corrcoef(ours.ravel(), theirs.ravel())[0, 1])
    assert len(correlations) == 106
    print(f"median {np.median(correlations):.4f}, lowest {np.min(correlations):.4f}")
    assert np.median(correlations) >= 0.985
    assert np.min(correlations) >= 0.88


def test_default_scaling_is_the_measured_one() -> None:
    """The shipped model was trained with these numbers."""
    assert Scaling() == Scaling(band_hz=4000.0, quantile=0.25, reach=2.0)
