"""``overheard similar``: find tracks of the library that sound like a file, or like what is playing."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from dashboard.analyzer.http import AnalyzerError, Fault, fetch_json
from dashboard.analyzer.sound import PlayingSound, parse_sound
from dashboard.cli.dashboard import check_token, parse_analyzer_url
from dashboard.cli.recommend import analyze_file
from dashboard.environment import ANALYZER_URL, LIBRARY_VARIABLE, TOKEN_VARIABLE
from dashboard.errors import DashboardError
from dashboard.library.index import Embedding, IndexedTrack, Neighbor, SimilarityIndex, complete_names
from dashboard.library.playlist import format_m3u, is_listable
from dashboard.library.table import LibraryError, load_index
from models.common.cli import ArgumentParser
from models.common.paths import atomic_write
from models.common.text import escape_json_control, escape_path, format_count, replace_surrogates
from models.manifest import ModelManifest

DEFAULT_COUNT = 10
MAX_COUNT = 1000


class Query(NamedTuple):
    """Embedding of the music of a query, and the track, if it is one."""

    model: str
    embedding: Embedding
    track: IndexedTrack | None


def build_parser() -> ArgumentParser:
    """Return the parser of the command line."""
    parser = ArgumentParser(
        prog="overheard similar",
        usage="%(prog)s (FILE | --playing) [OPTION ...]",
        description="Find the tracks of a library that sound most like an audio file, or like the last 30 s "
        "that an analyzer heard. `overheard library` makes the table of the tracks.",
        examples=[
            ("overheard similar song.mp3 --library tracks.parquet", "ten tracks that sound like the file"),
            (f"{LIBRARY_VARIABLE}=tracks.parquet overheard similar --playing --m3u next.m3u",
             "like what is playing, also as a playlist"),
        ],
    )  # fmt: skip
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument(
        "file", nargs="?", metavar="FILE", help="audio file, which is analyzed unless the library has it"
    )
    what.add_argument("--playing", action="store_true", help="the last 30 s of the running analyzer")
    parser.add_argument(
        "--library",
        default=os.environ.get(LIBRARY_VARIABLE, ""),
        metavar="FOLDER",
        help=f"table that `overheard library` wrote (default: the variable {LIBRARY_VARIABLE})",
    )
    parser.add_argument(
        "--analyzer",
        default=ANALYZER_URL,
        metavar="URL",
        help=f"websocket of the analyzer, for --playing (default: {ANALYZER_URL})",
    )
    parser.add_argument(
        "--count",
        type=int,
        default=DEFAULT_COUNT,
        metavar="N",
        help=f"number of tracks, up to {MAX_COUNT} (default: {DEFAULT_COUNT})",
    )
    parser.add_argument("--m3u", type=Path, metavar="OUT", help="write the tracks to this playlist, too")
    parser.add_argument("--json", action="store_true", help="print a JSON object for each track")
    return parser


def command(arguments: Sequence[str]) -> int:
    """Print the tracks of the library that sound most like a file or like what is playing.

    Raises
    ------
    DashboardError
        If the library has no tracks of the model, the file cannot be analyzed, or no music is playing.
    """
    options = build_parser().parse_args(arguments)
    if not 1 <= options.count <= MAX_COUNT:
        raise DashboardError(f"--count is {options.count}; it must lie in 1..{MAX_COUNT}")
    if not options.library:
        raise DashboardError(
            f"no library is named; give --library FOLDER or set {LIBRARY_VARIABLE} to the table that "
            "`overheard library ~/Music --out FOLDER` wrote"
        )
    if options.playing:
        query = ask_analyzer(parse_analyzer_url(options.analyzer))
        index = load_index(options.library, query.model)
    else:
        index, query = load_with_file(options.library, options.file)
    neighbors = index.neighbors(query.embedding, options.count, like=query.track)
    if options.m3u:
        try:
            with atomic_write(options.m3u) as file:
                file.write(format_m3u(neighbor.track for neighbor in neighbors).encode())
        except OSError as error:
            raise DashboardError(f"cannot write {options.m3u}: {error.strerror or error}") from error
    for rank, neighbor in enumerate(neighbors, start=1):
        if options.json:
            print(escape_json_control(json.dumps(as_json(rank, neighbor), ensure_ascii=False)))
        else:
            print(format_neighbor(rank, neighbor))
    if not options.json:
        print(format_end(index, len(neighbors)))
        if options.m3u:
            print(format_written(neighbors, options.m3u))
    return 0


def load_with_file(library: str, file: str) -> tuple[SimilarityIndex, Query]:
    """Load the index, and take the embedding of a file from it, or analyze the file.

    Raises
    ------
    DashboardError
        If the index cannot be loaded, or the file cannot be analyzed or contains no music.
    """
    model = ModelManifest.load().identity
    index = _load_if_same_model(library, model)
    uri = replace_surrogates(os.path.abspath(file))
    row = index.find(uri) if index is not None else None
    if index is not None and row is not None and index.track(row).is_unchanged():
        return index, Query(model, index.embedding(row), index.track(row))
    summary = analyze_file(Path(file))
    if not summary["embedding"]:
        raise DashboardError(f"{file} contains no music, so no track can be compared with it")
    if index is None or summary["model"] != model:  # a configuration file names another model
        index = load_index(library, summary["model"])
    artist, title = complete_names(uri, summary["artist"] or "", summary["title"] or "")
    track = IndexedTrack(uri, -1, -1, artist, title, summary["label"], summary["seconds"])
    return index, Query(summary["model"], np.array(summary["embedding"], np.float32), track)


def _load_if_same_model(library: str, model: str) -> SimilarityIndex | None:
    """Return the index, or None if other models have analyzed all tracks of the table."""
    try:
        return load_index(library, model)
    except LibraryError as error:
        if error.fault.key != "model":
            raise
        return None


def ask_analyzer(analyzer: str) -> Query:
    """Ask an analyzer for the embedding of the last 30 s.

    Raises
    ------
    DashboardError
        If no analyzer answers, the token is missing or wrong, or no music is playing.
    """
    check_token()
    token = os.environ.get(TOKEN_VARIABLE, "")
    try:
        sound: PlayingSound = parse_sound(fetch_json(analyzer, token, "/sound"))
    except AnalyzerError as error:
        raise DashboardError(_describe_error(error, analyzer)) from error
    if sound.embedding is None:
        raise DashboardError(
            f"the analyzer at {analyzer} has heard no music for 30 s; play music, or name a file"
        )
    return Query(sound.model, sound.embedding, None)


def _describe_error(error: AnalyzerError, analyzer: str) -> str:
    if error.fault is Fault.UNREACHABLE:
        return f"no analyzer answers at {analyzer}; start `overheard listen`, or name one with --analyzer"
    if error.fault in (Fault.NO_TOKEN, Fault.REFUSED):
        return f"the analyzer at {analyzer} requires its token; set {TOKEN_VARIABLE} to it ({error.detail})"
    return f"the analyzer at {analyzer} gives no answer that can be used: {error.detail or error.fault}"


def as_json(rank: int, neighbor: Neighbor) -> dict[str, object]:
    """Return a neighbor as the JSON object that ``--json`` prints."""
    track = neighbor.track
    return {
        "rank": rank,
        "artist": track.artist or None,
        "title": track.title,
        "genre": track.label or None,
        "likeness": round(neighbor.likeness, 4),
        "file": track.uri,
    }


def format_neighbor(rank: int, neighbor: Neighbor) -> str:
    """Format a neighbor for the terminal, with its file on the second line."""
    track = neighbor.track
    name, label, uri = map(escape_path, (track.name, track.label, track.uri))
    return f"{rank:3d}. {name}  [{label}, {neighbor.likeness:.2f}]\n     {uri}"


def format_written(neighbors: Sequence[Neighbor], playlist: Path) -> str:
    """Format the line about the playlist, which leaves out files that no line of a playlist can name."""
    written = sum(is_listable(neighbor.track) for neighbor in neighbors)
    left_out = len(neighbors) - written
    others = f"; {format_count(left_out, 'file name')} cannot stand in a playlist" if left_out else ""
    return f"  {format_count(written, 'track')} written to {escape_path(str(playlist))}{others}"


def format_end(index: SimilarityIndex, found: int) -> str:
    """Format the line below the neighbors."""
    others = (
        f"; {index.other_models:,} tracks of another model are left out, "
        "`overheard library` analyzes them again"
        if index.other_models
        else ""
    )
    return f"  {found} of {len(index):,} tracks, the most similar first{others}"
