"""``overheard recommend``: songs of a genre, or like a sound file, from whoever can be asked."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from dashboard.errors import DashboardError
from dashboard.recommendations.domain.tracks import LANGUAGES, ReleaseRange, Track, TrackQuery
from dashboard.recommendations.providers.registry import Answer, WallClock, build_providers
from models.common.cli import ArgumentParser

GENRES = ("blues", "classical", "country", "disco", "hiphop", "jazz", "metal", "pop", "reggae", "rock")
SHOWN = 10


def command(arguments: Sequence[str]) -> int:
    """Print songs.

    Raises
    ------
    DashboardError
        The file cannot be analysed, or holds no music that can be told.
    """
    parser = ArgumentParser(
        prog="overheard recommend",
        description="Songs of a genre, or like a sound file, from whoever's keys are set.",
    )
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--genre", choices=GENRES, help="one of the model's genres")
    what.add_argument("--file", type=Path, metavar="FILE", help="a sound file; its genre is heard first")
    parser.add_argument("--language", choices=LANGUAGES, help="of the songs (default any)")
    ranges = [each.value for each in ReleaseRange]
    parser.add_argument("--range", choices=ranges, default="any", help="how old at most (default any)")
    parser.add_argument("--count", type=int, default=SHOWN, metavar="N", help=f"how many (default {SHOWN})")
    parser.add_argument("--json", action="store_true", help="one JSON object a line")
    options = parser.parse_args(arguments)
    if not 1 <= options.count <= 50:
        raise DashboardError(f"--count is {options.count}; it must lie in 1..50")
    genre = options.genre or genre_of(options.file)
    clock = WallClock()
    query = TrackQuery(genre, options.language, ReleaseRange(options.range), limit=options.count)
    answer = build_providers(clock).search_widening(query, for_person=True)
    tracks = answer.tracks[: options.count]
    if options.json:
        for track in tracks:
            print(json.dumps(as_json(track, answer), ensure_ascii=False))
        return 0
    if options.file:
        print(f"{options.file.name} sounds like {genre}.\n")
    for track in tracks:
        print(line(track))
    for sentence in answer.sentences:
        print(f"  ({sentence})")
    return 0


def genre_of(path: Path) -> str:
    """The genre that a file is of, as ``overheard analyze`` hears it.

    Raises
    ------
    DashboardError
        With what that command says, or that no music was heard.
    """
    done = subprocess.run(
        [sys.executable, "-P", "-m", "realtime.cli", "analyze", "--json", str(path)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode:
        raise DashboardError(done.stderr.strip().rpartition(": ")[2] or f"{path} cannot be analysed")
    summary: Mapping[str, Any] = json.loads(done.stdout.splitlines()[-1])
    if not summary.get("label"):
        raise DashboardError(f"no music is heard in {path}; songs like it cannot be chosen")
    return str(summary["label"])


def as_json(track: Track, answer: Answer) -> dict[str, Any]:
    """What a line of ``--json`` holds."""
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
    """As much of the date as is known."""
    if track.published is None or track.precision == "none":
        return None
    return track.published.isoformat()[: {"year": 4, "month": 7}.get(track.precision, 10)]


def line(track: Track) -> str:
    """One song in words."""
    romanised = f" ({track.romanised})" if track.romanised else ""
    when = f", {published(track)}" if published(track) else ""
    return f"{', '.join(track.artists)}: {track.title}{romanised}{when}\n    {track.url}  [{track.provider}]"
