"""``overheard analyze``: print the genre over time of audio files."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from models.common.cli import ArgumentParser, UsageError
from models.common.text import escape_control, format_seconds
from models.errors import OverheardError
from realtime import config
from realtime.cli.common import print_json
from realtime.cli.progress import show_progress
from realtime.clock import SystemClock
from realtime.pipeline.analyzer import Analysis
from realtime.pipeline.offline import Record, Report, analyze_file, load_classifiers
from realtime.protocol.estimate import StreamState
from realtime.protocol.messages import EstimateMessage, encode
from realtime.sources.file import FileSource

EXIT_ERROR = 2
LABELS = {
    StreamState.SILENT.value: "(silence)",
    StreamState.UNSURE.value: "(unsure)",
    StreamState.NOT_MUSIC.value: "(no music)",
}
"""Texts for the segments without a genre, by their state."""


def build_parser() -> ArgumentParser:
    """Return the parser of the command line."""
    parser = ArgumentParser(
        prog="overheard analyze",
        usage="%(prog)s [OPTION ...] FILE ...",
        description="Print the genre over time of audio files, and a summary of each.",
        examples=[
            ("overheard analyze song.mp3", "timeline and summary of one file"),
            ("overheard analyze --json *.flac > genres.jsonl", "all estimates and summaries as JSON"),
        ],
    )
    parser.add_argument("files", nargs="+", metavar="FILE", help="audio or video file that FFmpeg decodes")
    parser.add_argument(
        "--json", action="store_true", help="print JSON Lines: estimates, then a summary, for each file"
    )
    parser.add_argument(
        "--explain",
        action="store_true",
        help="with --json: add the spectrogram image, its most important parts, and the tempo",
    )
    config.add_options(parser, "model", "smoothing", "silence")
    return parser


def command(arguments: Sequence[str]) -> int:
    """Analyze each file. The exit code is 2 if a file could not be analyzed."""
    options = build_parser().parse_args(arguments)
    if options.explain and not options.json:
        raise UsageError("--explain adds an image as numbers to the output of --json; give --json too")
    settings = config.load(options)
    classifiers = load_classifiers(settings.model)
    explain = _print_message if options.explain else None
    failed = 0
    for name in options.files:
        report: Report = JsonReport() if options.json else TextReport()
        try:
            with show_progress(name, enabled=not options.json, counted=False) as advance:
                source = FileSource(name, SystemClock())
                analyze_file(source, classifiers, settings, SystemClock(), report, advance, explain)
        except OverheardError as error:
            failed += 1
            print(escape_control(f"overheard analyze: {error}"), file=sys.stderr)
    if failed and len(options.files) > 1:
        print(
            f"overheard analyze: {failed} of {len(options.files)} files could not be analyzed",
            file=sys.stderr,
        )
    return EXIT_ERROR if failed else 0


def _print_message(message: Record) -> None:
    print_json(encode(message))


class JsonReport:
    """Report that prints JSON Lines on standard output."""

    def estimate(self, analysis: Analysis, message: EstimateMessage) -> None:
        """Print an estimate as the websocket sends it."""
        print_json(encode(message))

    def summary(self, summary: Record) -> None:
        """Print the summary."""
        print_json(encode(summary))


class TextReport:
    """Report that prints the segments of a file, and a summary."""

    def estimate(self, analysis: Analysis, message: EstimateMessage) -> None:
        """Ignore the estimate, because the summary has the segments."""

    def summary(self, summary: Record) -> None:
        """Print the segments and the summary."""
        print(escape_control(summary["file"]))
        for segment in summary["segments"]:
            seconds, words = int(segment["start_seconds"]), _format_tags(segment)
            label = LABELS.get(segment["state"], segment["label"])
            print(f"  {seconds // 60:3d}:{seconds % 60:02d}  {label}{words and f': {words}'}")
        print(
            f"  {self._format_result(summary)}; {format_seconds(summary['seconds'])} of audio, "
            f"{summary['real_time_factor']:.0f} times real time"
        )
        if summary["tags"]:
            print(f"  {summary['label']}: {_format_tags(summary)}")

    def _format_result(self, summary: Record) -> str:
        if summary["label"] is None:
            has_sound = any(each["state"] == StreamState.NOT_MUSIC for each in summary["segments"])
            return "no music" if has_sound else "nothing audible"
        ranked = sorted(summary["probabilities"].items(), key=lambda item: -item[1])[:3]
        shares = ", ".join(f"{genre} {p:.0%}" for genre, p in ranked)
        return f"{summary['label']}{' (unsure)' if summary['unsure'] else ''}: {shares}"


def _format_tags(described: Record) -> str:
    """Format the tags of a segment or of the summary."""
    return ", ".join(tag["name"] for tag in described["tags"])
