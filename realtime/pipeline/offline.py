"""Analyze files through the same pipeline as live audio."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

import numpy as np
import numpy.typing as npt
from msgspec.structs import replace

from models.classifier import GenreClassifier, Prediction
from models.manifest import ModelManifest
from realtime.audio.source import AudioWindow
from realtime.clock import Clock
from realtime.config import Settings
from realtime.pipeline.analyzer import Analysis, Analyzer, PreparedWindow
from realtime.pipeline.explain import ExplainedWindows, TempoEstimator
from realtime.pipeline.worker import check_length
from realtime.protocol.builders import estimate_message
from realtime.protocol.messages import EstimateMessage
from realtime.sources.file import FileSource

if TYPE_CHECKING:
    from realtime.protocol.estimate import GenreEstimate

MAX_CLASSIFIERS = 4
"""Decoding and pictures keep up with about so many."""


Record: TypeAlias = dict[str, Any]
"""A JSON object that is printed, but is no message of the websocket."""


class GenreAverage:
    """Mean of the genres' probabilities over the windows that are music; the others say nothing of genres.

    ``music_above`` is the probability from which on a window is music, 0 for all; None: the manifest's.
    """

    def __init__(self, manifest: ModelManifest, music_above: float | None = None) -> None:
        self._above = (manifest.calibration.music_above or 0.0) if music_above is None else music_above
        self._sum = np.zeros(len(manifest.labels))
        self.windows = 0

    def add(self, prediction: Prediction | None) -> None:
        """Take one window in; None: it was not classified."""
        if prediction is not None and prediction.music >= self._above:
            self._sum += prediction.probabilities
            self.windows += 1

    @property
    def probabilities(self) -> npt.NDArray[np.float64]:
        """(genres,) float64 summing to 1; all 0 while ``windows`` is 0."""
        return self._sum / max(1, self.windows)


class Report(Protocol):
    """Where a file's results go."""

    def estimate(self, analysis: Analysis, message: EstimateMessage) -> None:
        """One window is done."""
        ...

    def summary(self, summary: Record) -> None:
        """The file is done."""
        ...


def analyze_file(
    source: FileSource,
    classifiers: Sequence[GenreClassifier],
    chosen: Settings,
    clock: Clock,
    report: Report,
    advance: Callable[[float, float | None], None] = lambda done, total: None,
    explain: Callable[[Record], None] | None = None,
) -> None:
    """Analyse one file as fast as it goes.

    Parameters
    ----------
    source : FileSource
    classifiers : sequence of GenreClassifier
        Equal ones; each is used by one thread at a time.
    advance : callable
        Told the seconds done, and all the seconds if they are known.
    explain : callable
        Given what the model saw, before the summary, which then has a tempo; see
        ``realtime.pipeline.explain``.

    Raises
    ------
    SourceError
        It is shorter than one window.
    """
    manifest = classifiers[0].manifest
    analyzer = Analyzer(classifiers[0], chosen, source.sample_rate, clock)
    started = clock.monotonic()
    genres = GenreAverage(manifest)
    exhibit = ExplainedWindows(classifiers[0]) if explain else None
    tempo = TempoEstimator(source.duration_seconds) if explain else None
    analyses = _analyses(source, analyzer, classifiers, advance, exhibit, tempo)
    for number, analysis in enumerate(analyses, start=1):
        genres.add(analysis.prediction)
        message = _message(analysis.estimate, source.name, manifest, clock)
        report.estimate(analysis, replace(message, seq=number))
    check_length(source, analyzer, manifest.audio.window_seconds)
    mean = genres.probabilities
    label = manifest.labels[int(mean.argmax())] if genres.windows else None
    if explain and exhibit and (seen := exhibit.message(source.location, label)) is not None:
        explain(seen)
    report.summary(
        {
            "type": "summary",
            "file": source.location,
            "label": label,
            "confidence": round(float(mean.max()), 4),
            "probabilities": {
                genre: round(float(p), 4) for genre, p in zip(manifest.labels, mean, strict=True)
            },
            "seconds": round(analyzer.seconds, 3),
            "real_time_factor": round(analyzer.seconds / max(1e-9, clock.monotonic() - started), 1),
            "unsure": bool(mean.max() < manifest.calibration.unsure_below),
            "hop_seconds": round(analyzer.hop_seconds, 4),
        }
        | ({"beats_per_minute": tempo.beats_per_minute() if label else None} if tempo else {})
    )


def _analyses(
    source: FileSource,
    analyzer: Analyzer,
    classifiers: Sequence[GenreClassifier],
    advance: Callable[[float, float | None], None],
    exhibit: ExplainedWindows | None,
    tempo: TempoEstimator | None,
) -> Iterator[Analysis]:
    """Analyses in order, while as many windows as there are classifiers are classified at a time.

    The runtime lets go of Python's lock while it computes, so decoding and pictures go on meanwhile.
    """
    idle: SimpleQueue[GenreClassifier] = SimpleQueue()
    for classifier in classifiers:
        idle.put(classifier)

    def classify(picture: npt.NDArray[np.uint8]) -> Prediction:
        classifier = idle.get()
        try:
            return classifier.predict(picture)
        finally:
            idle.put(classifier)

    def windows() -> Iterator[AudioWindow]:
        for block in source.blocks():
            if tempo is not None:
                tempo.add(block)
            yield from analyzer.windows(block)
            advance(analyzer.seconds, source.duration_seconds)
        yield from analyzer.last_windows()

    waiting: deque[tuple[PreparedWindow, Future[Prediction] | None]] = deque()

    def conclude() -> Analysis:
        prepared, future = waiting.popleft()
        prediction = future.result() if future else None
        if exhibit is not None:
            exhibit.add(prepared, prediction)
        return analyzer.conclude(prepared, prediction)

    with ThreadPoolExecutor(len(classifiers)) as pool:
        for window in windows():
            prepared = analyzer.prepare(window)
            picture = prepared.picture
            waiting.append((prepared, None if picture is None else pool.submit(classify, picture)))
            if len(waiting) > 2 * len(classifiers):
                yield conclude()
        while waiting:
            yield conclude()


def _message(estimate: GenreEstimate, name: str, manifest: ModelManifest, clock: Clock) -> EstimateMessage:
    now = clock.monotonic()
    latency_ms = (now - estimate.captured_at) * 1e3
    return estimate_message(estimate, name, manifest, clock.unix(estimate.captured_at), latency_ms)
