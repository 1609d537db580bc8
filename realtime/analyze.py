"""``overheard analyze``: genre over time of files, through the same pipeline as live sound."""

from __future__ import annotations

import contextlib
import math
import os
import sys
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from queue import SimpleQueue
from typing import TYPE_CHECKING, Protocol

import numpy as np
import numpy.typing as npt

from models.classifier import GenreClassifier, Prediction
from models.common.text import format_seconds
from models.errors import OverheardError
from models.manifest import ModelManifest
from models.options import OptionParser
from realtime import settings
from realtime.audio.source import AudioWindow
from realtime.clock import Clock, SystemClock
from realtime.errors import SettingsError
from realtime.listen import load_classifier
from realtime.pipeline.analyzer import Analysis, Analyzer, PreparedWindow
from realtime.pipeline.explain import ExplainedWindows, TempoEstimator
from realtime.pipeline.worker import check_length
from realtime.protocol import messages
from realtime.protocol.estimate import StreamState
from realtime.protocol.messages import Message
from realtime.settings import Settings
from realtime.sources.file import FileSource

if TYPE_CHECKING:
    from realtime.protocol.estimate import GenreEstimate

EXIT_FAULT = 2
NO_MUSIC = "(no music)"
MOST_CLASSIFIERS = 4
"""Decoding and pictures keep up with about so many."""


class GenreMean:
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

    def estimate(self, analysis: Analysis, message: Message) -> None:
        """One window is done."""
        ...

    def summary(self, summary: Message) -> None:
        """The file is done."""
        ...


def command(arguments: Sequence[str]) -> int:
    """Genre over time of files, and a summary of each."""
    parser = OptionParser(
        prog="overheard analyze",
        description="Print the genre over time of sound files, and a summary of each.",
    )
    parser.add_argument("files", nargs="+", metavar="FILE", help="anything that FFmpeg decodes")
    parser.add_argument(
        "--json", action="store_true", help="JSON Lines: estimates, then a summary, for each file"
    )
    parser.add_argument(
        "--hop", type=float, metavar="S", help="seconds between estimates, to the nearest column"
    )
    parser.add_argument(
        "--explain",
        action="store_true",
        help="with --json: the picture that the model saw, what of it mattered, and the tempo",
    )
    parser.add_argument(
        "--formats",
        default="",
        metavar="NAMES",
        help="take these containers only, by FFmpeg's names, as mp3,wav,flac",
    )
    settings.add_options(parser, "model", "smoothing", "silence")
    options = parser.parse_args(arguments)
    if options.hop is not None:
        if not (math.isfinite(options.hop) and options.hop > 0):
            raise SettingsError(f"--hop is {options.hop}; it must be a number of seconds above 0")
        options.hop_seconds = options.hop
    if options.explain and not options.json:
        raise SettingsError("--explain prints a picture as numbers; it belongs to --json")
    chosen = settings.load(options)
    classifiers = [load_classifier(chosen.model) for _ in range(min(MOST_CLASSIFIERS, os.cpu_count() or 1))]
    explain = _print_message if options.explain else None
    failed = 0
    for name in options.files:
        report: Report = JsonReport() if options.json else TextReport()
        try:
            with _progress(name, wanted=not options.json) as advance:
                source = FileSource(name, SystemClock(), formats=options.formats)
                analyse_file(source, classifiers, chosen, SystemClock(), report, advance, explain)
        except OverheardError as error:
            failed += 1
            print(f"overheard analyze: {error}", file=sys.stderr)
    if failed and len(options.files) > 1:
        print(
            f"overheard analyze: {failed} of {len(options.files)} files could not be analysed",
            file=sys.stderr,
        )
    return EXIT_FAULT if failed else 0


def analyse_file(
    source: FileSource,
    classifiers: Sequence[GenreClassifier],
    chosen: Settings,
    clock: Clock,
    report: Report,
    advance: Callable[[float, float | None], None] = lambda done, total: None,
    explain: Callable[[Message], None] | None = None,
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
    genres = GenreMean(manifest)
    exhibit = ExplainedWindows(classifiers[0]) if explain else None
    tempo = TempoEstimator(source.duration_seconds) if explain else None
    analyses = _analyses(source, analyzer, classifiers, advance, exhibit, tempo)
    for number, analysis in enumerate(analyses, start=1):
        genres.add(analysis.prediction)
        message = _message(analysis.estimate, source.name, manifest, clock)
        report.estimate(analysis, message | {"seq": number})
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


def _message(estimate: GenreEstimate, name: str, manifest: ModelManifest, clock: Clock) -> Message:
    now = clock.monotonic()
    latency_ms = (now - estimate.captured_at) * 1e3
    return messages.estimate_message(estimate, name, manifest, clock.unix(estimate.captured_at), latency_ms)


def _print_message(message: Message) -> None:
    print(messages.encode(message))


class JsonReport:
    """JSON Lines on standard output."""

    def estimate(self, analysis: Analysis, message: Message) -> None:
        """Print it as on the websocket."""
        print(messages.encode(message))

    def summary(self, summary: Message) -> None:
        """Print it."""
        print(messages.encode(summary), flush=True)


class TextReport:
    """One file's timeline, in stretches with one label each, then a summary."""

    def __init__(self) -> None:
        self._stretches: list[tuple[float, str]] = []

    def estimate(self, analysis: Analysis, message: Message) -> None:
        """Begin a new stretch when what is heard changes."""
        estimate = message["estimate"]
        heard = {
            StreamState.SILENT.value: "(silence)",
            StreamState.UNSURE.value: "(unsure)",
            StreamState.NOT_MUSIC.value: NO_MUSIC,
        }.get(estimate["state"], estimate["stable_label"])
        if not self._stretches or self._stretches[-1][1] != heard:
            self._stretches.append((message["end_seconds"], heard))

    def summary(self, summary: Message) -> None:
        """Print the timeline and the summary."""
        print(summary["file"])
        for seconds, heard in self._stretches:
            print(f"  {int(seconds) // 60:3d}:{int(seconds) % 60:02d}  {heard}")
        print(
            f"  {self._verdict(summary)}; {format_seconds(summary['seconds'])} of sound, "
            f"{summary['real_time_factor']:.0f} times real time"
        )

    def _verdict(self, summary: Message) -> str:
        if summary["label"] is None:
            return "no music" if NO_MUSIC in (heard for _, heard in self._stretches) else "nothing heard"
        ranked = sorted(summary["probabilities"].items(), key=lambda item: -item[1])[:3]
        shares = ", ".join(f"{genre} {p:.0%}" for genre, p in ranked)
        return f"{summary['label']}{' (unsure)' if summary['unsure'] else ''}: {shares}"


@contextlib.contextmanager
def _progress(name: str, *, wanted: bool) -> Iterator[Callable[[float, float | None], None]]:
    """A progress bar on a terminal; elsewhere nothing."""
    if not (wanted and sys.stderr.isatty()):
        yield lambda done, total: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    columns = TextColumn("{task.description}", markup=False), BarColumn(), TimeRemainingColumn()
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(name, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)
