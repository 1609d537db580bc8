"""One window, one thread: our path against Keras on the same network, and its parts."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator

import numpy as np

from models.spectrogram import AudioSpec, ColumnStream, columns_of, draw
from realtime.analyzer import Analyzer
from realtime.clock import SystemClock
from realtime.frames import AudioBlock, Samples
from realtime.listen import load_classifier
from realtime.settings import ModelSettings, Settings
from realtime.sources import demonstration
from tests.benchmarks.results import Result, against, milliseconds

RUNS = 200
KERAS_RUNS = 25


def sound(audio: AudioSpec) -> Samples:
    """The demonstration at the model's rate, as much as ``RUNS`` hops need."""
    from realtime.resampling import StreamResampler

    source = demonstration(0.0, SystemClock())
    resampler = StreamResampler(source.sample_rate, audio.sample_rate)
    parts = [resampler.push(block.samples) for block in itertools.islice(source.blocks(), 9_000)]
    source.close()
    return np.concatenate(parts)


def measure() -> list[Result]:
    """Latencies of one window."""
    clock = SystemClock()
    classifier = load_classifier(ModelSettings())
    audio = classifier.manifest.audio
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
    whole = milliseconds(lambda: list(analyzer.process(next(stream))), RUNS)
    window = samples[: audio.window_samples]
    picture = draw(window, audio)
    inference = milliseconds(lambda: classifier.predict(picture), RUNS)
    columns = ColumnStream(audio)
    position = itertools.count(0, hop)
    incremental = milliseconds(lambda: columns.update(window, next(position)), RUNS)
    all_columns = milliseconds(lambda: columns_of(window, audio), RUNS)
    keras = milliseconds(keras_predict(picture), KERAS_RUNS)
    p50, p95, p99 = np.percentile(whole, [50, 95, 99])
    keras_ms = float(np.median(keras))
    keras_name = "Keras predict, same network"
    return [
        against("window: picture + inference + smoothing, p50", p50, "ms", keras_name, keras_ms),
        against("window: picture + inference + smoothing, p95", p95, "ms", "limit of 12 ms", 12.0),
        Result("window: picture + inference + smoothing, p99", p99, "ms"),
        against("inference alone, p50", float(np.median(inference)), "ms", keras_name, keras_ms),
        Result(f"{keras_name}, p50", keras_ms, "ms"),
        against(
            "new spectrum columns of one hop, p50", float(np.median(incremental)), "ms",
            "all columns of a window", float(np.median(all_columns)),
        ),
    ]  # fmt: skip


def keras_predict(picture: np.ndarray):  # type: ignore[no-untyped-def]  # Keras is untyped
    """``predict`` of the shipped network in Keras, one thread."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    import tensorflow as tf

    from training.gtzan import LABELS
    from training.music_network import backbone, classifier, for_export

    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    # Random weights take as long as trained ones.
    trained = classifier(backbone(imagenet=False), len(LABELS))
    model = for_export(trained, len(LABELS))
    batch = picture[np.newaxis].astype(np.float32)
    return lambda: model.predict(batch, verbose=0)
