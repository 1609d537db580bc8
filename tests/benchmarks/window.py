"""One window, one thread: its parts."""

from __future__ import annotations

import itertools
import time
import tracemalloc
from collections.abc import Callable, Iterator

import numpy as np

from models.audio.samples import Samples
from models.classifier import GenreClassifier, load_classifier
from models.spectrogram.image import spectrogram_image
from models.spectrogram.incremental import IncrementalSpectrogram
from models.spectrogram.spec import AudioSpec
from models.spectrogram.stft import band_columns
from realtime.audio.source import AudioBlock
from realtime.clock import SystemClock, unix_now
from realtime.config import Settings
from realtime.pipeline.analyzer import Analyzer
from realtime.protocol.builders import estimate_message
from realtime.protocol.messages import encode
from realtime.sources.file import open_demo
from tests.benchmarks.results import Result, against, medians_in_turns

RUNS = 200
MANY_HOPS = 500


def sound(audio: AudioSpec) -> Samples:
    """The demonstration at the model's rate, as much as ``RUNS`` hops need."""
    from models.audio.decoding import StreamResampler

    source = open_demo(0.0, SystemClock())
    resampler = StreamResampler(source.sample_rate, audio.sample_rate)
    parts = [resampler.push(block.samples) for block in itertools.islice(source.blocks(), 2_000)]
    source.close()
    return np.concatenate(parts)


def hops(classifier: GenreClassifier | None = None) -> Callable[[], list[str]]:
    """Work of each hop: image, inference, smoothing and the encoded message."""
    clock = SystemClock()
    classifier = classifier or load_classifier()
    manifest = classifier.manifest
    audio = manifest.audio
    samples = sound(audio)
    hop = audio.hop_columns * audio.column_step
    analyzer = Analyzer(classifier, Settings(), audio.sample_rate, clock)

    def blocks() -> Iterator[AudioBlock]:
        start = audio.window_samples
        yield AudioBlock(samples[:start], 0, audio.sample_rate, clock.monotonic())
        for position in itertools.count(start, hop):
            offset = position % (len(samples) - hop)
            yield AudioBlock(samples[offset : offset + hop], position, audio.sample_rate, clock.monotonic())

    stream = blocks()

    def hop_on() -> list[str]:
        now = unix_now(clock)
        return [
            encode(estimate_message(analysis.estimate, "benchmark", manifest, now, 0.0))
            for analysis in analyzer.process(next(stream))
        ]

    return hop_on


def measure() -> list[Result]:
    """Latencies of the parts of a window, and what a hop leaves behind."""
    began = time.perf_counter()
    classifier = load_classifier()
    load_ms = (time.perf_counter() - began) * 1e3
    audio = classifier.manifest.audio
    window = sound(audio)[: audio.window_samples]
    picture = spectrogram_image(window, audio)
    update, update_by_one = (updates(window, audio, columns) for columns in (audio.hop_columns, 1))
    hop, inference, drawing, every, some, one = medians_in_turns(
        [
            hops(classifier),
            lambda: classifier.predict(picture),
            lambda: spectrogram_image(window, audio),
            lambda: band_columns(window, audio),
            update,
            update_by_one,
        ],
        RUNS,
    )
    whole = "all columns of a window"
    found = [
        against("all of one hop, p50", hop, "ms", "inference alone", inference),
        Result("inference alone, p50", inference, "ms"),
        Result("picture from scratch, p50", drawing, "ms"),
        against("new spectrum columns of the default hop, p50", some, "ms", whole, every),
        against("new spectrum columns of one column, p50", one, "ms", whole, every),
    ]
    return [*found, Result("model from its file to ready", load_ms, "ms"), *left_behind(classifier)]


def updates(window: Samples, audio: AudioSpec, columns: int) -> Callable[[], object]:
    """Moves a window on by so many columns at each call."""
    stream, position = IncrementalSpectrogram(audio), itertools.count(0, columns * audio.column_step)
    return lambda: stream.update(window, next(position))


def left_behind(classifier: GenreClassifier) -> list[Result]:
    """Largest allocation of a hop, and the growth after many."""
    hop_on = hops(classifier)
    for _ in range(50):
        hop_on()
    tracemalloc.start()
    hop_on()
    before, _ = tracemalloc.get_traced_memory()
    tracemalloc.reset_peak()
    for _ in range(MANY_HOPS):
        hop_on()
    after, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return [
        Result(f"allocated and kept after {MANY_HOPS} hops", (after - before) / 1024, "KiB"),
        Result("allocated at a time during a hop", (peak - before) / 1024, "KiB"),
    ]
