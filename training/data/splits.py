"""Which tracks train, choose and test, under three protocols.

(a) ``fault_filtered``: the split of Kereliuk, Sturm and Larsen (2015), artists disjoint.
(b) ``artist_folds``: five folds, artists disjoint.
(c) ``random_folds``: ten random folds, as much of the literature reports. It leaks: most test
    tracks have another track of the same artist, or themselves under another number, in training.

Choosing (when to stop, what to ship) happens on ``valid`` only.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from models.holdout import normalize_artist
from training.data.gtzan import GtzanTrack

Indices = npt.NDArray[np.int64]
TrainTest = tuple[Indices, Indices]

BROKEN_TRACKS = frozenset({"jazz.00054"})
"""Its published file does not decode to 30 s."""

VALIDATION_FOLDS = 6
"""One part in six of a fold's training tracks chooses."""


@dataclass(frozen=True, slots=True)
class Split:
    """Positions of tracks in the list that was split; each (n,) int64, sorted, disjoint."""

    name: str
    train: Indices
    valid: Indices
    test: Indices


def artist_key(track: GtzanTrack) -> str:
    """Name that tells artists apart: case and a leading "The" ignored.

    Tracks of a genre whose artist is not known share one key: any two of them may be by the same.
    """
    return normalize_artist(track.artist) or f"unknown, {track.genre}"


def fault_filtered(tracks: Sequence[GtzanTrack]) -> Split:
    """Protocol (a), as the table has it."""
    train, valid, test = (
        np.array([i for i, track in enumerate(tracks) if track.part == part], dtype=np.int64)
        for part in ("train", "valid", "test")
    )
    return Split("fault-filtered", train, valid, test)


def artist_folds(tracks: Sequence[GtzanTrack], *, folds: int = 5, seed: int = 0) -> list[Split]:
    """Protocol (b): every artist's tracks lie in one fold; duplicates and the broken track in none.

    Raises
    ------
    ValueError
        Fewer artists than folds.
    """
    kept = np.array(
        [i for i, t in enumerate(tracks) if not t.duplicate_of and t.track_id not in BROKEN_TRACKS],
        dtype=np.int64,
    )
    return [
        Split(f"artist fold {number}", train, valid, test)
        for number, (train_all, test) in enumerate(_group_folds(tracks, kept, folds, seed), 1)
        for train, valid in _group_folds(tracks, train_all, VALIDATION_FOLDS, seed)[:1]
    ]


def random_folds(tracks: Sequence[GtzanTrack], *, folds: int = 10, seed: int = 0) -> list[Split]:
    """Protocol (c): stratified by genre, blind to artists and duplicates."""
    every = np.arange(len(tracks))
    return [
        Split(f"random fold {number}", train, valid, test)
        for number, (train_all, test) in enumerate(_stratified_folds(tracks, every, folds, seed), 1)
        for train, valid in _stratified_folds(tracks, train_all, VALIDATION_FOLDS, seed)[:1]
    ]


def artist_leakage(tracks: Sequence[GtzanTrack], split: Split) -> float:
    """Share of test tracks whose artist, where known, is also in training with the same genre."""
    trained = {(artist_key(tracks[i]), tracks[i].genre) for i in split.train if tracks[i].artist}
    tested = [(artist_key(tracks[i]), tracks[i].genre) for i in split.test]
    return sum(pair in trained for pair in tested) / max(1, len(tested))


def _group_folds(tracks: Sequence[GtzanTrack], kept: Indices, folds: int, seed: int) -> list[TrainTest]:
    from sklearn.model_selection import StratifiedGroupKFold

    labels = [tracks[i].label for i in kept]
    artists = [artist_key(tracks[i]) for i in kept]
    if len(set(artists)) < folds:
        raise ValueError(f"{len(set(artists))} artists cannot fill {folds} folds")
    splitter = StratifiedGroupKFold(folds, shuffle=True, random_state=seed)
    return [(kept[rest], kept[one]) for rest, one in splitter.split(kept, labels, artists)]


def _stratified_folds(tracks: Sequence[GtzanTrack], kept: Indices, folds: int, seed: int) -> list[TrainTest]:
    from sklearn.model_selection import StratifiedKFold

    splitter = StratifiedKFold(folds, shuffle=True, random_state=seed)
    return [(kept[rest], kept[one]) for rest, one in splitter.split(kept, [tracks[i].label for i in kept])]
