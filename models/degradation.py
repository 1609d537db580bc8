"""Degrade audio like on its way to a listener: codecs, filters, rooms, noise, low volume and clipping.

Training degrades the audio of every genre in all of these ways, so that the model does not learn dull sound
as a property of a genre.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from fractions import Fraction
from typing import Final, cast

import numpy as np
import numpy.typing as npt

from models.audio.samples import Samples

Generator = np.random.Generator


def apply_gain(samples: Samples, decibels: float) -> Samples:
    """Amplify or attenuate audio. Clip at full scale, as a sound card does."""
    scaled: Samples = np.clip(samples * np.float32(10 ** (decibels / 20)), -1, 1).astype(np.float32)
    return scaled


def limit_bandwidth(samples: Samples, sample_rate: int, top_hz: float) -> Samples:
    """Remove frequencies above ``top_hz`` by a lower sample rate, as steeply as codecs do."""
    import soxr

    lower_rate = round(2 * top_hz)
    if lower_rate >= sample_rate:
        return samples
    reduced = soxr.resample(samples, sample_rate, lower_rate)
    return _fit(soxr.resample(reduced, lower_rate, sample_rate), len(samples))


def transcode(
    samples: Samples, sample_rate: int, codec: str = "libmp3lame", bit_rate: int = 64_000
) -> Samples:
    """Encode and decode audio with FFmpeg, and remove the delay of the codec.

    Parameters
    ----------
    codec : str
        FFmpeg's name of the encoder: ``libmp3lame`` or ``aac``.
    bit_rate : int
        Bits per second.
    """
    import av

    container_format = {"libmp3lame": "mp3", "aac": "mp4"}[codec]  # both containers store the delay
    memory = io.BytesIO()
    with av.open(memory, "w", format=container_format) as writer:
        stream = cast(av.AudioStream, writer.add_stream(codec, rate=sample_rate, layout="mono"))
        stream.bit_rate = bit_rate
        frame = av.AudioFrame.from_ndarray(samples[np.newaxis], format="fltp", layout="mono")
        frame.sample_rate = sample_rate
        frame.pts, frame.time_base = 0, Fraction(1, sample_rate)  # without these no delay is written
        for each in (frame, None):  # None flushes the encoder
            writer.mux(stream.encode(each))
    memory.seek(0)
    with av.open(memory, "r") as reader:
        parts = [frame.to_ndarray().mean(axis=0) for frame in reader.decode(audio=0)]
    if not parts:
        return samples
    decoded = np.concatenate(parts).astype(np.float32)
    return _fit(decoded, len(samples))


def reverberate(
    samples: Samples, sample_rate: int, generator: Generator, *, reverberation: float = 0.3
) -> Samples:
    """Simulate a small room: add an exponentially decaying tail of noise to the direct sound.

    Parameters
    ----------
    reverberation : float
        Seconds until the tail has decayed by 60 dB. Direct sound and tail have equal energy.
    """
    from scipy.signal import fftconvolve

    n = int(reverberation * sample_rate)
    tail = generator.standard_normal(n) * 10 ** (-3 * np.arange(n) / n)
    response = tail / np.sqrt(np.sum(tail**2))
    response[0] += 1.0
    wet = fftconvolve(samples, response)[: len(samples)]
    same_level: Samples = (wet * (_rms(samples) / max(_rms(wet), 1e-9))).astype(np.float32)
    return same_level


def add_noise(
    samples: Samples, generator: Generator, *, ratio_db: float = 20.0, slope: float = 0.5
) -> Samples:
    """Add noise.

    Parameters
    ----------
    ratio_db : float
        Signal-to-noise ratio.
    slope : float
        Exponent with which the amplitude of the noise falls over frequency: 0 white, 0.5 pink, 1 brown.
    """
    n = len(samples)
    padded = fast_length(n)
    spectrum = np.fft.rfft(generator.standard_normal(padded))
    spectrum /= np.maximum(np.arange(len(spectrum)), 1) ** slope
    noise = np.fft.irfft(spectrum, padded)[:n]
    level = _rms(samples) * 10 ** (-ratio_db / 20) / max(_rms(noise), 1e-12)
    return (samples + noise * level).astype(np.float32)


def tilt_spectrum(
    samples: Samples, sample_rate: int, generator: Generator, *, max_db: float = 10.0
) -> Samples:
    """Apply a random smooth equalizer with gains of up to ``max_db`` at six octave-spaced frequencies."""
    padded = fast_length(len(samples))
    spectrum = np.fft.rfft(samples, padded)
    frequencies = np.fft.rfftfreq(padded, 1 / sample_rate)
    octaves = np.log2(np.maximum(frequencies, 30) / 30)
    knots = np.linspace(0, octaves[-1], 6)
    gains_db = np.interp(octaves, knots, generator.uniform(-max_db, max_db, len(knots)))
    return np.fft.irfft(spectrum * 10 ** (gains_db / 20), padded)[: len(samples)].astype(np.float32)


def degrade_randomly(samples: Samples, sample_rate: int, generator: Generator) -> Samples:
    """Apply one or two random degradations. Equal generators give equal results."""
    steps: Final[list[Callable[[Samples], Samples]]] = [
        lambda s: limit_bandwidth(s, sample_rate, float(generator.uniform(3_000, 9_500))),
        lambda s: transcode(s, sample_rate, "libmp3lame", int(generator.choice([32_000, 48_000, 64_000]))),
        lambda s: reverberate(s, sample_rate, generator, reverberation=float(generator.uniform(0.15, 0.7))),
        lambda s: add_noise(s, generator, ratio_db=float(generator.uniform(8, 30)), slope=0.5),
        lambda s: tilt_spectrum(s, sample_rate, generator),
    ]
    for step in generator.choice(len(steps), size=generator.integers(1, 3), replace=False):
        samples = steps[int(step)](samples)
    return samples


def fast_length(n: int) -> int:
    """Return the smallest length from ``n`` on for which the Fourier transform is fast.

    For example, a length with the prime factor 9,137 takes 20 times as long.
    """
    from scipy.fft import next_fast_len

    return int(next_fast_len(n, real=True))


def _rms(samples: npt.NDArray[np.floating]) -> float:
    return float(np.sqrt(np.mean(np.square(samples, dtype=np.float64))))


def _fit(samples: npt.NDArray[np.floating], n: int) -> Samples:
    fitted = np.zeros(n, np.float32)
    fitted[: min(n, len(samples))] = samples[:n]
    return fitted
