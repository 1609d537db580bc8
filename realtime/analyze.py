"""``overheard analyze``: genre over time of files, through the same pipeline as live sound."""

from __future__ import annotations

import argparse
import contextlib
import math
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Protocol

import numpy as np

from models.classifier import TFLiteClassifier
from models.errors import OverheardError
from realtime import messages, settings
from realtime.analyzer import Analysis, Analyzer
from realtime.clock import Clock, SystemClock
from realtime.errors import SettingsError
from realtime.estimates import StreamState
from realtime.listen import load_classifier
from realtime.messages import Message
from realtime.settings import Settings
from realtime.sources import FileSource, seconds_text
from realtime.worker import check_length

if TYPE_CHECKING:
    from realtime.estimates import GenreEstimate

EXIT_FAULT = 2


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
    parser = argparse.ArgumentParser(
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
    settings.add_options(parser, "model", "smoothing", "silence")
    options = parser.parse_args(arguments)
    if options.hop is not None:
        if not (math.isfinite(options.hop) and options.hop > 0):
            raise SettingsError(f"--hop is {options.hop}; it must be a number of seconds above 0")
        options.hop_seconds = options.hop
    chosen = settings.load(options)
    classifier = load_classifier(chosen.model)
    failed = 0
    for name in options.files:
        report: Report = JsonReport() if options.json else TextReport()
        try:
            with _progress(name, wanted=not options.json) as advance:
                analyse_file(name, classifier, chosen, SystemClock(), report, advance)
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
    name: str,
    classifier: TFLiteClassifier,
    chosen: Settings,
    clock: Clock,
    report: Report,
    advance: Callable[[float, float | None], None] = lambda done, total: None,
) -> None:
    """Analyse one file as fast as it goes.

    Parameters
    ----------
    name : str
        Path.
    advance : callable
        Told the seconds done, and all the seconds if they are known.

    Raises
    ------
    SourceError
        It cannot be decoded or is shorter than one window.
    """
    manifest = classifier.manifest
    source = FileSource(name, clock)
    analyzer = Analyzer(classifier, chosen, source.sample_rate, clock)
    started = clock.monotonic()
    summed = np.zeros(len(manifest.labels))
    heard = 0
    for number, analysis in enumerate(_analyses(source, analyzer, advance), start=1):
        estimate = analysis.estimate
        if analysis.prediction is not None:
            summed += analysis.prediction.probabilities
            heard += 1
        message = _message(estimate, source.name, classifier, clock)
        report.estimate(analysis, message | {"seq": number})
    check_length(source, analyzer, manifest.audio.window_seconds)
    mean = summed / max(1, heard)
    report.summary(
        {
            "type": "summary",
            "file": name,
            "label": manifest.labels[int(mean.argmax())] if heard else None,
            "confidence": round(float(mean.max()), 4),
            "probabilities": {
                genre: round(float(p), 4) for genre, p in zip(manifest.labels, mean, strict=True)
            },
            "seconds": round(analyzer.seconds, 3),
            "real_time_factor": round(analyzer.seconds / max(1e-9, clock.monotonic() - started), 1),
            "unsure": bool(mean.max() < manifest.calibration.unsure_below),
            "hop_seconds": round(analyzer.hop_seconds, 4),
        }
    )


def _analyses(
    source: FileSource, analyzer: Analyzer, advance: Callable[[float, float | None], None]
) -> Iterator[Analysis]:
    for block in source.blocks():
        yield from analyzer.process(block)
        advance(analyzer.seconds, source.duration_seconds)
    yield from analyzer.finish()


def _message(estimate: GenreEstimate, name: str, classifier: TFLiteClassifier, clock: Clock) -> Message:
    now = clock.monotonic()
    latency_ms = (now - estimate.captured_at) * 1e3
    return messages.estimate_message(
        estimate, name, classifier.manifest, clock.unix(estimate.captured_at), latency_ms
    )


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
        }.get(estimate["state"], estimate["stable_label"])
        if not self._stretches or self._stretches[-1][1] != heard:
            self._stretches.append((message["end_seconds"], heard))

    def summary(self, summary: Message) -> None:
        """Print the timeline and the summary."""
        print(summary["file"])
        for seconds, heard in self._stretches:
            print(f"  {int(seconds) // 60:3d}:{int(seconds) % 60:02d}  {heard}")
        ranked = sorted(summary["probabilities"].items(), key=lambda item: -item[1])[:3]
        shares = ", ".join(f"{genre} {p:.0%}" for genre, p in ranked)
        verdict = summary["label"] or "nothing heard"
        if summary["label"] and summary["unsure"]:
            verdict += " (unsure)"
        print(
            f"  {verdict}: {shares}; {seconds_text(summary['seconds'])} of sound, "
            f"{summary['real_time_factor']:.0f} times real time"
        )


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
