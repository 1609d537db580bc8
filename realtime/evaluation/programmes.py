"""Draw random programmes of excerpts of labeled tracks, so that all genre changes are known."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from models.common.paths import resolve_beside
from models.errors import OverheardError
from models.holdout import is_held_out_artist, normalize_artist
from realtime.clock import SystemClock
from realtime.evaluation.audio_folder import find_files
from realtime.evaluation.tables import EvaluationError, SkippedFile, find_genre_index, read_table
from realtime.sources.file import FileSource

LENGTH_TOLERANCE_SECONDS = 0.75
"""Seconds by which a track may be too short or too long and still be played as a whole."""

PAUSE_SECONDS = 2.0
"""Seconds of silence between the excerpts of a programme with pauses."""

PAUSE_EVERY_NTH = 3
"""Every third programme has pauses between its excerpts, like an album."""


@dataclass(frozen=True, slots=True)
class LabeledTrack:
    """Track with a known genre.

    Attributes
    ----------
    name : str
        Path of the audio file, or identifier of the stored spectrogram.
    genre : int
        Index of the genre among the labels of the model.
    artist : str
        Name of the artist, or an empty string if the artist is unknown.
    seconds : float
        Length of the track.
    """

    name: str
    genre: int
    artist: str
    seconds: float

    @property
    def group(self) -> str:
        """Artist, or the track itself if the artist is unknown. No group is on both sides of a split."""
        return normalize_artist(self.artist) or self.name


@dataclass(frozen=True, slots=True)
class Excerpt:
    """Part of a track that begins at ``start`` and lasts ``seconds``, both in seconds."""

    track: LabeledTrack
    start: float
    seconds: float


@dataclass(frozen=True, slots=True)
class Programme:
    """Sequence of excerpts with ``pause_seconds`` of silence between them.

    The genre changes from each excerpt to the next.
    """

    excerpts: tuple[Excerpt, ...]
    pause_seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class ProgrammeConfig:
    """Number of programmes, number of excerpts in each, and range of the excerpts' length in seconds.

    Raises
    ------
    EvaluationError
        If a number is out of range.
    """

    programmes: int = 6
    excerpts: int = 10
    min_seconds: float = 10.0
    max_seconds: float = 18.0

    def __post_init__(self) -> None:
        """Check the ranges."""
        if not (1 <= self.programmes <= 1000 and 2 <= self.excerpts <= 1000):
            raise EvaluationError(
                f"{self.programmes} programmes of {self.excerpts} excerpts are not possible; give 1 to 1000 "
                "programmes of 2 to 1000 excerpts"
            )
        if not 1 <= self.min_seconds <= self.max_seconds <= 3600:
            raise EvaluationError(
                f"excerpts of {self.min_seconds:g} to {self.max_seconds:g} s are not possible; "
                "both lengths must be from 1 to 3600 s, the shorter one first"
            )


def is_long_enough(track: LabeledTrack, config: ProgrammeConfig) -> bool:
    """Return True if a track is long enough to be part of a programme."""
    return track.seconds >= config.min_seconds - LENGTH_TOLERANCE_SECONDS


def build_programmes(
    tracks: Sequence[LabeledTrack],
    config: ProgrammeConfig,
    generator: np.random.Generator,
    *,
    pauses: bool = True,
) -> list[Programme]:
    """Draw programmes at random. Equal generators draw equal programmes.

    All genres are drawn equally often, regardless of their numbers of tracks. Within a genre, the artists
    take turns, and every track is played once before any is repeated. From a track that is longer than
    the maximum, an excerpt is cut at a random position.

    Parameters
    ----------
    pauses : bool
        True if every third programme has pauses of 2 s between its excerpts.

    Raises
    ------
    EvaluationError
        If fewer than two genres have tracks that are long enough.
    """
    by_genre: dict[int, list[LabeledTrack]] = {}
    for track in tracks:
        if is_long_enough(track, config):
            by_genre.setdefault(track.genre, []).append(track)
    if len(by_genre) < 2:
        raise EvaluationError(
            f"programmes need tracks of at least 2 genres; of {len(tracks)} tracks, those of "
            f"{config.min_seconds:g} s or more have {len(by_genre)} genres"
        )
    turns = {genre: _cycle_tracks(by_genre[genre], generator) for genre in sorted(by_genre)}
    played = dict.fromkeys(turns, 0)
    programmes = []
    for number in range(config.programmes):
        excerpts: list[Excerpt] = []
        for _ in range(config.excerpts):
            others = [genre for genre in turns if not excerpts or genre != excerpts[-1].track.genre]
            fewest = min(played[genre] for genre in others)
            genre = int(generator.choice([genre for genre in others if played[genre] == fewest]))
            played[genre] += 1
            track = next(turns[genre])
            excerpts.append(_draw_excerpt(track, config, generator))
        paused = pauses and number % PAUSE_EVERY_NTH == PAUSE_EVERY_NTH - 1
        programmes.append(Programme(tuple(excerpts), PAUSE_SECONDS if paused else 0.0))
    return programmes


def _cycle_tracks(tracks: Sequence[LabeledTrack], generator: np.random.Generator) -> Iterator[LabeledTrack]:
    """Yield tracks endlessly, each track once per round. The artists take turns."""
    by_artist: dict[str, list[LabeledTrack]] = {}
    for track in tracks:
        by_artist.setdefault(track.group, []).append(track)
    while True:
        waiting = deque(
            deque(each[index] for index in generator.permutation(len(each)))
            for each in (by_artist[list(by_artist)[index]] for index in generator.permutation(len(by_artist)))
        )
        while waiting:
            artist_tracks = waiting.popleft()
            yield artist_tracks.popleft()
            if artist_tracks:
                waiting.append(artist_tracks)


def _draw_excerpt(track: LabeledTrack, config: ProgrammeConfig, generator: np.random.Generator) -> Excerpt:
    if track.seconds <= config.max_seconds + LENGTH_TOLERANCE_SECONDS:
        return Excerpt(track, 0.0, track.seconds)
    seconds = float(generator.uniform(config.min_seconds, config.max_seconds))
    return Excerpt(track, float(generator.uniform(0, track.seconds - seconds)), seconds)


def split_by_artist(
    tracks: Sequence[LabeledTrack], generator: np.random.Generator
) -> tuple[list[LabeledTrack], list[LabeledTrack]]:
    """Split tracks by artist, so that each half has about half of the artists of each genre."""
    artists: dict[int, dict[str, None]] = {}
    for track in tracks:
        artists.setdefault(track.genre, {}).setdefault(track.group)
    side: dict[str, int] = {}
    for genre in sorted(artists):
        names = [list(artists[genre])[index] for index in generator.permutation(len(artists[genre]))]
        # Artists with tracks of several genres may be on a side already.
        balance = sum(1 if side[name] else -1 for name in names if name in side)
        for name in names:
            if name not in side:
                side[name] = int(balance < 0)
                balance += 1 if side[name] else -1
    first, second = ([track for track in tracks if side[track.group] == half] for half in (0, 1))
    return first, second


def find_folder_tracks(folder: Path, labels: Sequence[str]) -> tuple[list[LabeledTrack], list[SkippedFile]]:
    """Find the audio files in folders that are named after genres. Their artists are unknown.

    Returns
    -------
    tracks : list of LabeledTrack
        Files with a known length.
    skipped : list of SkippedFile
        Files beside the genre folders, and files that cannot be decoded.

    Raises
    ------
    EvaluationError
        If ``folder`` cannot be read, or if a folder in it is not named after one of the labels.
    """
    files, skipped = find_files(folder, labels)
    tracks = _probe_tracks([(path, genre, "") for path, genre in files], skipped)
    return tracks, skipped


def read_table_tracks(
    path: Path, labels: Sequence[str], *, held_out_artists: bool
) -> tuple[list[LabeledTrack], list[SkippedFile]]:
    """Read the audio files that a table lists in the columns ``file``, ``genre`` and ``artist``.

    Rows without a genre are left out. A file is looked up in the folder beside the table that has the name of
    the table, then beside the table itself.

    Parameters
    ----------
    held_out_artists : bool
        True to return only the artists that are held out from training. Artists with an entry
        in the column ``artist_also_in_gtzan``, if the table has this column, are left out as well,
        because the model was trained on GTZAN.

    Returns
    -------
    tracks : list of LabeledTrack
        Files with a known length.
    skipped : list of SkippedFile
        Files that cannot be decoded.

    Raises
    ------
    EvaluationError
        If the table cannot be read, lacks a column, or names a genre that the model does not know.
    """
    columns = ("file", "genre", "artist") if held_out_artists else ("file", "genre")
    skipped: list[SkippedFile] = []
    files = list_table_files(path, labels, columns, held_out_artists=held_out_artists)
    return _probe_tracks(files, skipped), skipped


def list_table_files(
    path: Path, labels: Sequence[str], columns: Sequence[str], *, held_out_artists: bool
) -> list[tuple[Path, int, str]]:
    """List path, genre index and artist of the files in a table; see ``read_table_tracks``.

    Parameters
    ----------
    columns : sequence of str
        Columns that the table must have. "file" and "genre" are among them.
    """
    rows = read_table(path, columns)
    rows = [row for row in rows if (row["genre"] or "").strip()]
    unknown = sorted({row["genre"] for row in rows if find_genre_index(labels, row["genre"]) is None})
    if unknown:
        raise EvaluationError(
            f"{path} names genres that this model does not know: {', '.join(map(repr, unknown))}; "
            f"the genres are {', '.join(labels)}"
        )
    files = []
    for row in rows:
        genre, artist = find_genre_index(labels, row["genre"]), row.get("artist") or ""
        trained_on = bool((row.get("artist_also_in_gtzan") or "").strip())
        if genre is not None and (
            not held_out_artists or (is_held_out_artist(artist, path.stem) and not trained_on)
        ):
            files.append((resolve_beside(path, row["file"]), genre, artist))
    return files


def _probe_tracks(files: Sequence[tuple[Path, int, str]], skipped: list[SkippedFile]) -> list[LabeledTrack]:
    """Read the lengths of files. Append files that cannot be decoded to ``skipped``."""
    tracks = []
    for path, genre, artist in files:
        try:
            seconds = _probe_duration(path)
        except OverheardError as error:
            skipped.append(SkippedFile(path.name, str(error)))
        else:
            tracks.append(LabeledTrack(str(path), genre, artist, seconds))
    return tracks


def _probe_duration(path: Path) -> float:
    """Return the length of a file in seconds. If the file does not declare its length, decode the file."""
    source = FileSource(str(path), SystemClock())
    if source.duration_seconds is not None:
        return source.duration_seconds
    return sum(len(block.samples) for block in source.blocks()) / source.sample_rate
