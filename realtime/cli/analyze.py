"""``overheard analyze``: print the genre over time of audio files."""

from __future__ import annotations

import contextlib
import math
import os
import sys
from collections.abc import Callable, Iterator, Sequence

from models.classifier import load_classifier
from models.common.cli import ArgumentParser
from models.common.text import format_seconds
from models.errors import OverheardError
from realtime import config
from realtime.clock import SystemClock
from realtime.errors import SettingsError
from realtime.pipeline.analyzer import Analysis
from realtime.pipeline.offline import MAX_CLASSIFIERS, Report, analyze_file
from realtime.protocol import messages
from realtime.protocol.estimate import StreamState
from realtime.protocol.messages import Message
from realtime.sources.file import FileSource

EXIT_FAULT = 2
NO_MUSIC = "(no music)"


def command(arguments: Sequence[str]) -> int:
    """Genre over time of files, and a summary of each."""
    parser = ArgumentParser(
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
    config.add_options(parser, "model", "smoothing", "silence")
    options = parser.parse_args(arguments)
    if options.hop is not None:
        if not (math.isfinite(options.hop) and options.hop > 0):
            raise SettingsError(f"--hop is {options.hop}; it must be a number of seconds above 0")
        options.hop_seconds = options.hop
    if options.explain and not options.json:
        raise SettingsError("--explain prints a picture as numbers; it belongs to --json")
    chosen = config.load(options)
    classifiers = [
        load_classifier(chosen.model.manifest, chosen.model.runtime)
        for _ in range(min(MAX_CLASSIFIERS, os.cpu_count() or 1))
    ]
    explain = _print_message if options.explain else None
    failed = 0
    for name in options.files:
        report: Report = JsonReport() if options.json else TextReport()
        try:
            with _progress(name, wanted=not options.json) as advance:
                source = FileSource(name, SystemClock(), formats=options.formats)
                analyze_file(source, classifiers, chosen, SystemClock(), report, advance, explain)
        except OverheardError as error:
            failed += 1
            print(f"overheard analyze: {error}", file=sys.stderr)
    if failed and len(options.files) > 1:
        print(
            f"overheard analyze: {failed} of {len(options.files)} files could not be analysed",
            file=sys.stderr,
        )
    return EXIT_FAULT if failed else 0


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
