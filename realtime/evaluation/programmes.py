"""Programmes whose changes of genre are known: which excerpt of which track plays when."""

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
from realtime.evaluation.scorecard import genre_number
from realtime.evaluation.tables import EvaluationError, SkippedFile, read_table
from realtime.sources.file import FileSource

SLACK_SECONDS = 0.75
"""How far a track may miss the lengths asked for and still be played whole."""

PAUSE_SECONDS = 2.0
PAUSE_EVERY_NTH = 3
"""Every so manieth programme has pauses between its excerpts, as an album has."""


@dataclass(frozen=True, slots=True)
class LabeledTrack:
    """Something of one genre: ``name`` is its path or identifier, ``artist`` empty where not known."""

    name: str
    genre: int
    artist: str
    seconds: float

    @property
    def group(self) -> str:
        """What must not stand on both sides of a split."""
        return normalize_artist(self.artist) or self.name


@dataclass(frozen=True, slots=True)
class Excerpt:
    """``seconds`` of a track from ``start`` seconds on."""

    track: LabeledTrack
    start: float
    seconds: float


@dataclass(frozen=True, slots=True)
class Programme:
    """Excerpts in a row, no two neighbours of one genre, with ``pause_seconds`` of nothing between."""

    excerpts: tuple[Excerpt, ...]
    pause_seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class ProgrammeConfig:
    """What programmes look like: how many, of how many excerpts, each of which length in seconds.

    Raises
    ------
    EvaluationError
        A number out of range.
    """

    programmes: int = 6
    excerpts: int = 10
    shortest: float = 10.0
    longest: float = 18.0

    def __post_init__(self) -> None:
        """Refuse what makes no programme."""
        if not (1 <= self.programmes <= 1000 and 2 <= self.excerpts <= 1000):
            raise EvaluationError(
                f"{self.programmes} programmes of {self.excerpts} excerpts; there must be 1 to 1000 "
                "of 2 to 1000"
            )
        if not 1 <= self.shortest <= self.longest <= 3600:
            raise EvaluationError(
                f"excerpts of {self.shortest:g} to {self.longest:g} s; "
                "the lengths must ascend within 1 to 3600"
            )


def is_long_enough(track: LabeledTrack, shape: ProgrammeConfig) -> bool:
    """Whether a track may be part of a programme."""
    return track.seconds >= shape.shortest - SLACK_SECONDS


def build(
    tracks: Sequence[LabeledTrack],
    shape: ProgrammeConfig,
    generator: np.random.Generator,
    *,
    pauses: bool = True,
) -> list[Programme]:
    """Draw programmes; equal generators draw equal ones.

    Genres come equally often, whatever their numbers of tracks; within one the artists take turns, and
    no track comes twice before all have come. A longer track than asked for is cut at a random place.

    Parameters
    ----------
    pauses : bool
        Whether every third programme has pauses of 2 s between its excerpts.

    Raises
    ------
    EvaluationError
        Tracks of fewer than two genres that are long enough.
    """
    by_genre: dict[int, list[LabeledTrack]] = {}
    for track in tracks:
        if is_long_enough(track, shape):
            by_genre.setdefault(track.genre, []).append(track)
    if len(by_genre) < 2:
        raise EvaluationError(
            f"a programme changes between genres and there are {len(by_genre)} with tracks of "
            f"{shape.shortest:g} s or more, among {len(tracks)} tracks; at least 2 are needed"
        )
    turns = {genre: _turns(by_genre[genre], generator) for genre in sorted(by_genre)}
    played = dict.fromkeys(turns, 0)
    programmes = []
    for number in range(shape.programmes):
        excerpts: list[Excerpt] = []
        for _ in range(shape.excerpts):
            others = [genre for genre in turns if not excerpts or genre != excerpts[-1].track.genre]
            fewest = min(played[genre] for genre in others)
            genre = int(generator.choice([genre for genre in others if played[genre] == fewest]))
            played[genre] += 1
            track = next(turns[genre])
            excerpts.append(_cut(track, shape, generator))
        paused = pauses and number % PAUSE_EVERY_NTH == PAUSE_EVERY_NTH - 1
        programmes.append(Programme(tuple(excerpts), PAUSE_SECONDS if paused else 0.0))
    return programmes


def _turns(tracks: Sequence[LabeledTrack], generator: np.random.Generator) -> Iterator[LabeledTrack]:
    """Tracks without end, every one once a round; the artists take turns."""
    by_artist: dict[str, list[LabeledTrack]] = {}
    for track in tracks:
        by_artist.setdefault(track.group, []).append(track)
    while True:
        waiting = deque(
            deque(each[place] for place in generator.permutation(len(each)))
            for each in (by_artist[list(by_artist)[place]] for place in generator.permutation(len(by_artist)))
        )
        while waiting:
            own = waiting.popleft()
            yield own.popleft()
            if own:
                waiting.append(own)


def _cut(track: LabeledTrack, shape: ProgrammeConfig, generator: np.random.Generator) -> Excerpt:
    if track.seconds <= shape.longest + SLACK_SECONDS:
        return Excerpt(track, 0.0, track.seconds)
    seconds = float(generator.uniform(shape.shortest, shape.longest))
    return Excerpt(track, float(generator.uniform(0, track.seconds - seconds)), seconds)


def halves(
    tracks: Sequence[LabeledTrack], generator: np.random.Generator
) -> tuple[list[LabeledTrack], list[LabeledTrack]]:
    """Split by artist, so that each half has about half the artists of each genre."""
    artists: dict[int, dict[str, None]] = {}
    for track in tracks:
        artists.setdefault(track.genre, {}).setdefault(track.group)
    side: dict[str, int] = {}
    for genre in sorted(artists):
        names = [list(artists[genre])[place] for place in generator.permutation(len(artists[genre]))]
        begun = sum(1 if side[name] else -1 for name in names if name in side)  # artists of several genres
        for name in names:
            if name not in side:
                side[name] = int(begun < 0)
                begun += 1 if side[name] else -1
    first, second = ([t for t in tracks if side[t.group] == which] for which in (0, 1))
    return first, second


def folder_tracks(folder: Path, labels: Sequence[str]) -> tuple[list[LabeledTrack], list[SkippedFile]]:
    """Sound files in folders that are named after genres; whose they are is not known.

    Raises
    ------
    EvaluationError
        As ``find_files``.
    """
    files, skipped = find_files(folder, labels)
    tracks = _probed([(path, genre, "") for path, genre in files], skipped)
    return tracks, skipped


def table_tracks(
    path: Path, labels: Sequence[str], *, check_artists: bool
) -> tuple[list[LabeledTrack], list[SkippedFile]]:
    """Sound files that a table names, with columns ``file``, ``genre`` and ``artist``.

    Files lie in the folder beside the table that has its name, or else beside the table itself.

    Parameters
    ----------
    check_artists : bool
        Only the third of the artists that is kept back for checks, without those who stand in GTZAN
        too, which trained the model: where the table has a column ``artist_also_in_gtzan``, it is empty.

    Raises
    ------
    EvaluationError
        A table that cannot be read, lacks a column or names a genre that this model does not know.
    """
    rows = read_table(path, ("file", "genre", "artist") if check_artists else ("file", "genre"))
    unknown = sorted({row["genre"] for row in rows if genre_number(labels, row["genre"]) is None})
    if unknown:
        raise EvaluationError(
            f"{path} names genres that this model does not know: {', '.join(map(repr, unknown))}; "
            f"there are {', '.join(labels)}"
        )
    found = []
    for row in rows:
        genre, artist = genre_number(labels, row["genre"]), row.get("artist") or ""
        trained_on = bool((row.get("artist_also_in_gtzan") or "").strip())
        if genre is not None and (not check_artists or (is_held_out_artist(artist) and not trained_on)):
            found.append((resolve_beside(path, row["file"]), genre, artist))
    skipped: list[SkippedFile] = []
    return _probed(found, skipped), skipped


def _probed(found: Sequence[tuple[Path, int, str]], skipped: list[SkippedFile]) -> list[LabeledTrack]:
    tracks = []
    for path, genre, artist in found:
        try:
            seconds = _seconds(path)
        except OverheardError as error:
            skipped.append(SkippedFile(path.name, str(error)))
        else:
            tracks.append(LabeledTrack(str(path), genre, artist, seconds))
    return tracks


def _seconds(path: Path) -> float:
    """Length as the file says; where it does not, all of it is decoded."""
    source = FileSource(str(path), SystemClock())
    if source.duration_seconds is not None:
        return source.duration_seconds
    return sum(len(block.samples) for block in source.blocks()) / source.sample_rate
