"""One window, one thread: its parts."""

from __future__ import annotations

import itertools
import time
import tracemalloc
from collections.abc import Callable, Iterator

import numpy as np

from models.classifier import GenreClassifier
from models.spectrogram import AudioSpec, ColumnStream, columns_of, draw
from realtime import messages
from realtime.analyzer import Analyzer
from realtime.clock import SystemClock
from realtime.frames import AudioBlock, Samples
from realtime.listen import load_classifier
from realtime.settings import ModelSettings, Settings
from realtime.sources import demonstration
from tests.benchmarks.results import Result, against, milliseconds

RUNS = 200
MANY_HOPS = 500


def sound(audio: AudioSpec) -> Samples:
    """The demonstration at the model's rate, as much as ``RUNS`` hops need."""
    from realtime.resampling import StreamResampler

    source = demonstration(0.0, SystemClock())
    resampler = StreamResampler(source.sample_rate, audio.sample_rate)
    parts = [resampler.push(block.samples) for block in itertools.islice(source.blocks(), 2_000)]
    source.close()
    return np.concatenate(parts)


def hops(classifier: GenreClassifier | None = None) -> Callable[[], list[str]]:
    """What is called for each hop: picture, inference, smoothing and the message, encoded."""
    clock = SystemClock()
    classifier = classifier or load_classifier(ModelSettings())
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
        now = clock.unix(clock.monotonic())
        return [
            messages.encode(messages.estimate_message(analysis.estimate, "benchmark", manifest, now, 0.0))
            for analysis in analyzer.process(next(stream))
        ]

    return hop_on


def measure() -> list[Result]:
    """Latencies of the parts of a window, and what a hop leaves behind."""
    began = time.perf_counter()
    classifier = load_classifier(ModelSettings())
    load_ms = (time.perf_counter() - began) * 1e3
    audio = classifier.manifest.audio
    window = sound(audio)[: audio.window_samples]
    whole = milliseconds(hops(classifier), RUNS)
    picture = draw(window, audio)
    inference = milliseconds(lambda: classifier.predict(picture), RUNS)
    pictures = milliseconds(lambda: draw(window, audio), RUNS)
    every = milliseconds(lambda: columns_of(window, audio), RUNS)
    found = [
        against(
            "all of one hop, p50",
            float(np.median(whole)),
            "ms",
            "inference alone",
            float(np.median(inference)),
        ),
        Result("inference alone, p50", float(np.median(inference)), "ms"),
        Result("picture from scratch, p50", float(np.median(pictures)), "ms"),
    ]
    for name, columns in (("the default hop", audio.hop_columns), ("one column", 1)):
        stream, position = ColumnStream(audio), itertools.count(0, columns * audio.column_step)
        new = milliseconds(lambda s=stream, p=position: s.update(window, next(p)), RUNS)  # type: ignore[misc]
        found.append(
            against(
                f"new spectrum columns of {name}, p50", float(np.median(new)), "ms",
                "all columns of a window", float(np.median(every)),
            )
        )  # fmt: skip
    return [*found, Result("model from its file to ready", load_ms, "ms"), *left_behind(classifier)]


def left_behind(classifier: GenreClassifier) -> list[Result]:
    """What a hop allocates at most, and how much more is there after many."""
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
