"""Analyze files through the same pipeline as live audio."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from queue import SimpleQueue
from typing import Any, Protocol, TypeAlias

import numpy as np
import numpy.typing as npt
from msgspec.structs import replace

from models.classifier import GenreClassifier, Prediction, load_classifier
from realtime.audio.source import AudioWindow
from realtime.clock import Clock
from realtime.config import ModelSettings, Settings
from realtime.pipeline.analyzer import Analysis, Analyzer, PreparedWindow, build_estimate_message
from realtime.pipeline.explain import ExplainedWindows, TempoEstimator
from realtime.pipeline.file_segments import FileSegments
from realtime.pipeline.music_average import MusicAverage
from realtime.protocol.messages import EstimateMessage
from realtime.sources.file import FileSource

MAX_CLASSIFIERS = 4
"""Largest useful number of classifiers. Decoding and drawing of images cannot keep more classifiers busy."""

Record: TypeAlias = dict[str, Any]
"""JSON object that the commands print. It is not a message of the websocket."""


def load_classifiers(settings: ModelSettings) -> list[GenreClassifier]:
    """Load a model once for each core, but at most ``MAX_CLASSIFIERS`` times.

    Raises
    ------
    ModelError
        If manifest, model or runtime cannot be loaded.
    """
    count = min(MAX_CLASSIFIERS, os.cpu_count() or 1)
    return [load_classifier(settings.manifest, settings.runtime) for _ in range(count)]


class Report(Protocol):
    """Receiver of the results of a file."""

    def estimate(self, analysis: Analysis, message: EstimateMessage) -> None:
        """Report the result of one window."""
        ...

    def summary(self, summary: Record) -> None:
        """Report the result of the file."""
        ...


def analyze_file(
    source: FileSource,
    classifiers: Sequence[GenreClassifier],
    settings: Settings,
    clock: Clock,
    report: Report,
    advance: Callable[[float, float | None], None] = lambda done, total: None,
    explain: Callable[[Record], None] | None = None,
) -> None:
    """Analyze one file as fast as possible.

    Parameters
    ----------
    source : FileSource
    classifiers : sequence of GenreClassifier
        Classifiers of the same model. Each is used by one thread at a time.
    settings : Settings
    clock : Clock
    report : Report
    advance : callable
        Called with the analyzed seconds, and with the duration or None if the duration is unknown.
    explain : callable, optional
        Called before the summary with the explanation of ``realtime.pipeline.explain``. If ``explain`` is
        given, the summary has a tempo.

    Raises
    ------
    SourceError
        If the file is shorter than one window.
    """
    manifest = classifiers[0].manifest
    analyzer = Analyzer(classifiers[0], settings, source.sample_rate, clock)
    started = clock.monotonic()
    average, segments = MusicAverage(manifest), FileSegments(manifest)
    explained = ExplainedWindows(classifiers[0]) if explain else None
    tempo = TempoEstimator(source.duration_seconds) if explain else None
    analyses = _analyze_windows(source, analyzer, classifiers, advance, explained, tempo)
    for number, analysis in enumerate(analyses, start=1):
        average.add(analysis.prediction)
        message = build_estimate_message(analysis.estimate, source.name, manifest, clock)
        segments.add(message, analysis.prediction)
        report.estimate(analysis, replace(message, seq=number))
    analyzer.check_length(source.name)
    mean = average.probabilities
    label = manifest.labels[int(mean.argmax())] if average.windows else None
    if explain and explained and (explanation := explained.explain(source.location, label)) is not None:
        explain(explanation)
    report.summary(
        {
            "type": "summary",
            "file": source.location,
            "artist": source.metadata.artist or None,
            "title": source.metadata.title or None,
            "model": manifest.identity,
            "label": label,
            "confidence": round(float(mean.max()), 4),
            "probabilities": {
                genre: round(float(p), 4) for genre, p in zip(manifest.labels, mean, strict=True)
            },
            "seconds": round(analyzer.seconds, 3),
            "real_time_factor": round(analyzer.seconds / max(1e-9, clock.monotonic() - started), 1),
            "unsure": bool(mean.max() < manifest.calibration.unsure_below),
            "hop_seconds": round(analyzer.hop_seconds, 4),
            "embedding": average.embedding_values,
            "segments": segments.describe(),
        }
        | average.describe()
        | ({"beats_per_minute": tempo.beats_per_minute() if label else None} if tempo else {})
    )


def _analyze_windows(
    source: FileSource,
    analyzer: Analyzer,
    classifiers: Sequence[GenreClassifier],
    advance: Callable[[float, float | None], None],
    explained: ExplainedWindows | None,
    tempo: TempoEstimator | None,
) -> Iterator[Analysis]:
    """Yield the analyses in order. Each classifier classifies one window at a time, on a separate thread.

    The runtime releases Python's global lock while it computes, so decoding and drawing continue in parallel.
    """
    idle: SimpleQueue[GenreClassifier] = SimpleQueue()
    for classifier in classifiers:
        idle.put(classifier)

    def classify(image: npt.NDArray[np.uint8]) -> Prediction:
        classifier = idle.get()
        try:
            return classifier.predict(image)
        finally:
            idle.put(classifier)

    def windows() -> Iterator[AudioWindow]:
        for block in source.blocks():
            if tempo is not None:
                tempo.add(block)
            yield from analyzer.cut_windows(block)
            advance(analyzer.seconds, source.duration_seconds)
        yield from analyzer.cut_last_windows()

    waiting: deque[tuple[PreparedWindow, Future[Prediction] | None]] = deque()

    def finish_oldest() -> Analysis:
        prepared, future = waiting.popleft()
        prediction = future.result() if future else None
        if explained is not None:
            explained.add(prepared, prediction)
        return analyzer.finish(prepared, prediction)

    with ThreadPoolExecutor(len(classifiers)) as pool:
        for window in windows():
            prepared = analyzer.prepare(window)
            image = prepared.image
            waiting.append((prepared, None if image is None else pool.submit(classify, image)))
            if len(waiting) > 2 * len(classifiers):
                yield finish_oldest()
        while waiting:
            yield finish_oldest()
