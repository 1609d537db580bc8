"""Synthetic sounds that are not music.

Free collections of noises are small and kept for evaluation. The network therefore learns what is not music
from sounds made here. Each generator is a family of everyday sounds with random parameters; none imitates a
recording.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

import numpy as np
import numpy.typing as npt
import soxr

from models.degradation import fast_length
from training.data.corpus import Entry
from training.data.ingest import Embed, IngestJob, no_embeddings, source_digest
from training.data.targets import TEACHER_SAMPLE_RATE
from training.data.windows import SAMPLE_RATE, WINDOW_SAMPLES, TrackWindows, degraded_columns, generator_for

Samples = npt.NDArray[np.float64]
Generator = np.random.Generator

SOURCE: Final = "noises"
"""Source of the entries in the index."""

WINDOWS_PER_SOUND: Final = 4

FORMAT_VERSION: Final = 1
"""Version of the generators. Raising it makes all sounds anew."""


def colored_noise(generator: Generator, n: int) -> Samples:
    """Generate band noise whose spectrum falls with frequency: wind, water, a fan, hiss."""
    padded = fast_length(n)
    spectrum = np.fft.rfft(generator.standard_normal(padded))
    hertz = np.fft.rfftfreq(padded, 1 / SAMPLE_RATE)
    spectrum *= np.maximum(hertz, 20) ** -generator.uniform(0, 1.2)
    if generator.random() < 0.5:
        center, octaves = np.exp(generator.uniform(np.log(80), np.log(6_000))), generator.uniform(0.3, 2)
        spectrum *= np.exp(-0.5 * (np.log2(np.maximum(hertz, 1) / center) / octaves) ** 2)
    return _normalize_peak(np.fft.irfft(spectrum, padded)[:n])


def swells(generator: Generator, n: int) -> Samples:
    """Generate noise with slow changes of level: waves, gusts, traffic, breath."""
    return colored_noise(generator, n) * _random_curve(generator, n, generator.uniform(0.1, 3)) ** 2


def crackles(generator: Generator, n: int) -> Samples:
    """Generate short bursts at random times: fire, rain on a roof, paper, dishes."""
    sound = 0.05 * generator.random() * colored_noise(generator, n)
    for start in generator.integers(
        0, n, generator.poisson(np.exp(generator.uniform(1, 6)) * n / SAMPLE_RATE)
    ):
        length = int(SAMPLE_RATE * np.exp(generator.uniform(np.log(0.001), np.log(0.04))))
        burst = generator.standard_normal(length) * np.exp(-5 * np.arange(length) / length)
        end = min(n, start + length)
        sound[start:end] += generator.exponential() * burst[: end - start]
    return _normalize_peak(sound)


def rotation(generator: Generator, n: int) -> Samples:
    """Generate harmonics of an unsteady low tone over noise: engines, saws, rotors, mains hum."""
    hertz = np.exp(generator.uniform(np.log(12), np.log(220))) * (
        1 + generator.uniform(0, 0.3) * (_random_curve(generator, n, 0.7) - 0.5)
    )
    phase = 2 * np.pi * np.cumsum(hertz) / SAMPLE_RATE
    partials = range(1, int(generator.integers(2, 30)))
    sound = sum(
        generator.exponential() * np.sin(k * phase + generator.uniform(0, 6)) / k**0.7 for k in partials
    )
    modulated = colored_noise(generator, n) * (1 + np.sin(phase)) ** generator.integers(0, 4)
    return _normalize_peak(
        _normalize_peak(np.asarray(sound)) + generator.uniform(0, 2) * _normalize_peak(modulated)
    )


def impacts(generator: Generator, n: int) -> Samples:
    """Generate a few bursts of noise with pauses: doors, steps, barks, sneezes, tools."""
    sound = 0.02 * generator.random() * colored_noise(generator, n)
    body, at = colored_noise(generator, n), 0.0
    while at < n:
        length = int(SAMPLE_RATE * np.exp(generator.uniform(np.log(0.03), np.log(0.6))))
        start, end = int(at), min(n, int(at) + length)
        decay = np.exp(-generator.uniform(1, 6) * np.arange(end - start) / length)
        rise = np.minimum(1, np.arange(end - start) / (generator.uniform(0.002, 0.1) * SAMPLE_RATE))
        sound[start:end] += body[start:end] * decay * rise
        at += length + SAMPLE_RATE * generator.exponential(0.6)
    return _normalize_peak(sound)


def calls(generator: Generator, n: int) -> Samples:
    """Generate gliding tones with harmonics and pauses: animals, crying, sirens, squeaks."""
    sound, at = 0.02 * generator.random() * colored_noise(generator, n), 0.0
    base, partials = np.exp(generator.uniform(np.log(180), np.log(2_500))), generator.integers(1, 12)
    while at < n:
        length = int(SAMPLE_RATE * np.exp(generator.uniform(np.log(0.08), np.log(1.6))))
        start, end = int(at), min(n, int(at) + length)
        glide = _random_curve(generator, length, generator.uniform(1, 8)) - 0.5
        phase = 2 * np.pi * np.cumsum(base * 2 ** (generator.uniform(0.2, 1.5) * glide)) / SAMPLE_RATE
        tone = sum(np.sin(k * phase) * (k * base < SAMPLE_RATE / 6) / k for k in range(1, partials + 1))
        tone = np.asarray(tone) + generator.uniform(0, 0.6) * generator.standard_normal(length)
        sound[start:end] += (tone * np.hanning(length))[: end - start]
        at += length + SAMPLE_RATE * generator.exponential(0.4)
    return _normalize_peak(sound)


def ticks(generator: Generator, n: int) -> Samples:
    """Generate one short sound repeated at an even rate: clocks, signals, drips, keys."""
    length = int(SAMPLE_RATE * np.exp(generator.uniform(np.log(0.002), np.log(0.15))))
    time = np.arange(length) / SAMPLE_RATE
    tone = np.sin(2 * np.pi * np.exp(generator.uniform(np.log(300), np.log(5_000))) * time)
    share = generator.random()
    tick = (share * tone + (1 - share) * generator.standard_normal(length)) * np.exp(
        -6 * time * SAMPLE_RATE / length
    )
    sound = 0.02 * generator.random() * colored_noise(generator, n)
    gap = SAMPLE_RATE * np.exp(generator.uniform(np.log(0.15), np.log(2.5)))
    even = np.arange(0, n, gap)
    for start in (even + gap * generator.uniform(0, 0.1, len(even))).astype(int):
        target = sound[start : start + length]
        target += tick[: len(target)]
    return _normalize_peak(sound)


GENERATORS: Final[tuple[Callable[[Generator, int], Samples], ...]] = (
    colored_noise, swells, crackles, rotation, impacts, calls, ticks,
)  # fmt: skip


def random_noise(generator: Generator, n: int = WINDOW_SAMPLES) -> npt.NDArray[np.float32]:
    """Mix one or two of ``GENERATORS`` with a peak of -35 to -3 dB of full scale, (n,) float32."""
    chosen = generator.choice(len(GENERATORS), size=1 + (generator.random() < 0.3), replace=False)
    sound = sum(generator.uniform(0.2, 1) * GENERATORS[int(index)](generator, n) for index in chosen)
    return (_normalize_peak(np.asarray(sound)) * 10 ** (generator.uniform(-35, -3) / 20)).astype(np.float32)


def noise_jobs(count: int, embed: Embed | None = None) -> Iterator[IngestJob]:
    """Yield ingestion jobs for ``count`` sounds of ``WINDOWS_PER_SOUND`` windows each."""
    for number in range(count):
        name = f"noise-{number:04d}"
        entry = Entry(name, SOURCE, f"{SOURCE}/{name}.npz", origin="made by rule", music=False)

        def make(name: str = name) -> TrackWindows:
            generator = generator_for(name)
            sounds = [random_noise(generator) for _ in range(WINDOWS_PER_SOUND)]
            columns = degraded_columns(sounds, generator)
            embeddings = no_embeddings()
            if embed is not None:
                heard = [soxr.resample(sound, SAMPLE_RATE, TEACHER_SAMPLE_RATE) for sound in sounds]
                embeddings = embed(np.stack(heard)).astype(np.float16)
            return TrackWindows(**columns, embeddings=embeddings, long=np.zeros((0, 256), np.uint8))

        digest = source_digest(embed is not None, np.array([FORMAT_VERSION, WINDOWS_PER_SOUND], np.uint8))
        yield IngestJob(entry, make, digest)


def _random_curve(generator: Generator, n: int, changes_per_second: float) -> Samples:
    """Generate a smooth random curve from 0 to 1."""
    knots = generator.random(2 + int(np.ceil(changes_per_second * n / SAMPLE_RATE)))
    curve: Samples = np.interp(np.linspace(0, len(knots) - 1, n), np.arange(len(knots)), knots)
    return curve


def _normalize_peak(sound: Samples) -> Samples:
    """Scale a sound so that its largest sample is at full scale."""
    scaled: Samples = sound / max(float(np.abs(sound).max()), 1e-9)
    return scaled
