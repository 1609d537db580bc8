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
from dashboard.recommendations.domain.tracks import ReleaseRange, Track, TrackQuery
from dashboard.recommendations.providers.registry import Answer, WallClock, build_providers
from models.common.cli import ArgumentParser
from models.manifest import ModelManifest

DEFAULT_COUNT = 10
MAX_COUNT = 50


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
    """Print songs.

    Raises
    ------
    DashboardError
        If the file cannot be analyzed or contains no music.
    """
    options = build_parser().parse_args(arguments)
    if not 1 <= options.count <= MAX_COUNT:
        raise DashboardError(f"--count is {options.count}; it must lie in 1..{MAX_COUNT}")
    genre = options.genre or genre_of(options.file)
    clock = WallClock()
    query = TrackQuery(genre, options.language, ReleaseRange(options.range), limit=options.count)
    answer = build_providers(clock).search_relaxed(query, for_person=True)
    tracks = answer.tracks[: options.count]
    if options.json:
        for track in tracks:
            print(json.dumps(as_json(track, answer), ensure_ascii=False))
        return 0
    if options.file:
        print(f"{options.file.name} sounds like {genre}.\n")
    for track in tracks:
        print(line(track))
    for sentence in answer.messages:
        print(f"  ({sentence})")
    return 0


def genre_of(path: Path) -> str:
    """Return the genre of a file, as ``overheard analyze`` determines it.

    Raises
    ------
    DashboardError
        If that command fails, with its message, or if the file contains no music.
    """
    done = subprocess.run(
        [sys.executable, "-P", "-m", "realtime.cli", "analyze", "--json", str(path)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode:
        raise DashboardError(done.stderr.strip().rpartition(": ")[2] or f"{path} cannot be analyzed")
    summary: Mapping[str, Any] = json.loads(done.stdout.splitlines()[-1])
    if not summary.get("label"):
        raise DashboardError(f"no music is heard in {path}; songs like it cannot be chosen")
    return str(summary["label"])


def as_json(track: Track, answer: Answer) -> dict[str, Any]:
    """Return a song as an object of ``--json``."""
    return {
        "title": track.title,
        "artists": list(track.artists),
        "url": track.url,
        "provider": track.provider,
        "published": published(track),
        "language": track.language,
        "relaxed": sorted(each.value for each in answer.relaxed),
    }


def published(track: Track) -> str | None:
    """Return the release date as precisely as it is known, or None."""
    if track.published is None or track.precision == "none":
        return None
    return track.published.isoformat()[: {"year": 4, "month": 7}.get(track.precision, 10)]


def line(track: Track) -> str:
    """Return a song as text, with its address on the second line."""
    romanised = f" ({track.romanised})" if track.romanised else ""
    when = f", {published(track)}" if published(track) else ""
    return f"{', '.join(track.artists)}: {track.title}{romanised}{when}\n    {track.url}  [{track.provider}]"
