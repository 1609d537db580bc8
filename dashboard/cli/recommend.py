"""``overheard recommend``: suggest songs of a genre, or of the genre of an audio file."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from dashboard.errors import DashboardError
from dashboard.i18n.languages import LANGUAGES
from dashboard.recommendations.domain.tracks import Relaxed, ReleaseRange, Track
from dashboard.recommendations.engine.candidates import count_beyond, spread_artists
from dashboard.recommendations.engine.playlist import Filters
from dashboard.recommendations.engine.settings import MAX_ITEMS
from dashboard.recommendations.providers.registry import CombinedResult, WallClock, build_providers
from models.common.child_environment import child_environment
from models.common.cli import ArgumentParser
from models.common.text import escape_control, escape_json_control
from models.manifest import ModelManifest

DEFAULT_COUNT = 10
MAX_COUNT = 50
MAX_BUNDLED = 10_000
"""Songs of the bundled catalog that are searched and counted if too few songs are found."""


def build_parser() -> ArgumentParser:
    """Return the parser of the command line."""
    parser = ArgumentParser(
        prog="overheard recommend",
        usage="%(prog)s (--genre GENRE | --file FILE) [OPTION ...]",
        description="Suggest songs of a genre, or of the genre of an audio file. Services whose keys are "
        "set are searched, else the bundled catalog.",
        examples=[
            ("overheard recommend --genre pop --language ja", "Japanese pop"),
            ("overheard recommend --file song.mp3 --count 5", "five songs of the file's genre"),
        ],
    )
    genres = ModelManifest.load().labels
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--genre", choices=genres, metavar="GENRE", help=f"one of {', '.join(genres)}")
    what.add_argument("--file", type=Path, metavar="FILE", help="audio file whose genre is determined first")
    parser.add_argument(
        "--language",
        choices=LANGUAGES,
        metavar="LANGUAGE",
        help=f"language of the songs: {', '.join(LANGUAGES)} (default: any)",
    )
    ranges = [each.value for each in ReleaseRange]
    parser.add_argument(
        "--range",
        choices=ranges,
        default="any",
        metavar="RANGE",
        help=f"age of the songs: {', '.join(ranges)} (default: any)",
    )
    parser.add_argument(
        "--count",
        type=int,
        default=DEFAULT_COUNT,
        metavar="N",
        help=f"number of songs, up to {MAX_COUNT} (default: {DEFAULT_COUNT})",
    )
    parser.add_argument("--json", action="store_true", help="print a JSON object for each song")
    return parser


def command(arguments: Sequence[str]) -> int:
    """Print songs of a genre or of the genre of a file.

    Raises
    ------
    DashboardError
        If the file cannot be analyzed or contains no music.
    """
    options = build_parser().parse_args(arguments)
    if not 1 <= options.count <= MAX_COUNT:
        raise DashboardError(f"--count is {options.count}; it must lie in 1..{MAX_COUNT}")
    genre = options.genre or determine_genre(options.file)
    clock = WallClock()
    providers = build_providers(clock)
    filters = Filters(options.language, ReleaseRange(options.range))
    answer = providers.search(filters.queries(genre, MAX_COUNT)[0], for_person=True)
    tracks = spread_artists(answer.tracks, options.count)
    if len(tracks) < options.count:
        today, bundled = clock.now().date(), providers.bundled_songs(genre, MAX_BUNDLED)
        fitting = (track for track in bundled if filters.allow(track, today))
        tracks = spread_artists((*answer.tracks, *fitting), options.count)
    if options.json:
        for track in tracks:
            print(escape_json_control(json.dumps(as_json(track, answer), ensure_ascii=False)))
        return 0
    if options.file:
        print(escape_control(f"{options.file.name} sounds like {genre}.\n"))
    for track in tracks:
        print(format_track(track, with_links=sys.stdout.isatty()))
    messages = list(answer.messages)
    if len(tracks) < options.count:
        beyond = count_beyond([bundled], filters, today)
        missing = "were found" if providers.has_live else "fit"
        messages.append(describe_shortage(len(tracks), options.count, missing, beyond))
    for message in messages:
        print(escape_control(f"  ({message})"))
    return 0


def describe_shortage(found: int, wanted: int, missing: str, beyond: Mapping[Relaxed, int]) -> str:
    """Return sentences about missing songs, and about the bundled songs beyond each filter.

    Parameters
    ----------
    found, wanted : int
    missing : str
        ``fit``, or ``were found`` if a service may have further songs.
    beyond : mapping of Relaxed to int
        Number of bundled songs beyond each filter.
    """
    sentences = [
        f"{found} of {wanted} songs: no others {missing}, and no artist comes twice in {MAX_ITEMS} songs."
    ]
    if count := beyond.get(Relaxed.LANGUAGE):
        sentences.append(f"Without --language there are {count} more in Overheard's own list.")
    if count := beyond.get(Relaxed.RANGE):
        sentences.append(f"Without --range there are {count} more in Overheard's own list.")
    return " ".join(sentences)


def determine_genre(path: Path) -> str:
    """Return the genre of a file according to ``overheard analyze``.

    Raises
    ------
    DashboardError
        If the file cannot be analyzed or contains no music.
    """
    summary = analyze_file(path)
    if not summary.get("label"):
        raise DashboardError(f"{path} contains no music, so no songs can be suggested")
    return str(summary["label"])


def analyze_file(path: Path) -> Mapping[str, Any]:
    """Return the summary that ``overheard analyze`` prints about a file.

    Raises
    ------
    DashboardError
        If the command fails, with the message of the command.
    """
    completed = subprocess.run(
        [sys.executable, "-P", "-m", "realtime.cli", "analyze", "--json", str(path)],
        capture_output=True, text=True, check=False, env=child_environment(),
    )  # fmt: skip
    if completed.returncode:
        error = (completed.stderr.strip().splitlines() or [f"{path} cannot be analyzed"])[-1]
        raise DashboardError(error.removeprefix("overheard analyze: "))
    summary: Mapping[str, Any] = json.loads(completed.stdout.splitlines()[-1])
    return summary


def as_json(track: Track, answer: CombinedResult) -> dict[str, Any]:
    """Return a song as the JSON object that ``--json`` prints."""
    return {
        "title": track.title,
        "artists": list(track.artists),
        "url": track.url,
        "provider": track.provider,
        "published": track.release_date or None,
        "language": track.language,
        "relaxed": sorted(each.value for each in answer.relaxed),
    }


def format_track(track: Track, *, with_links: bool) -> str:
    """Format a song for the terminal, with its address on the second line.

    With links, the title is a hyperlink (OSC 8), which most terminals open with a click.
    """
    romanized = f" ({track.romanized})" if track.romanized else ""
    date = f", {track.release_date}" if track.release_date else ""
    title = f"\x1b]8;;{track.url}\x1b\\{track.title}\x1b]8;;\x1b\\" if with_links else track.title
    return f"{', '.join(track.artists)}: {title}{romanized}{date}\n    {track.url}  [{track.provider}]"
