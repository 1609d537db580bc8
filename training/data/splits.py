"""Train, validation and test splits of GTZAN under three protocols.

(a) ``fault_filtered``: the split of Kereliuk, Sturm and Larsen (2015), disjoint in artists. (b)
``artist_folds``: five folds, disjoint in artists. (c) ``random_folds``: ten random folds, as in much of the
literature. These folds leak: the training part has another
    track of the same artist, or a duplicate, for most test tracks.

Only the validation part decides when to stop and which model to ship.
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
"""Tracks whose published file does not decode to 30 s. They are in no artist fold and are not trained on."""

VALIDATION_FOLDS = 6
"""Parts into which a fold's training tracks are divided. The first part validates."""


@dataclass(frozen=True, slots=True)
class Split:
    """Indices into the list of tracks that was split, each (n,) int64, sorted and disjoint."""

    name: str
    train: Indices
    valid: Indices
    test: Indices


def artist_key(track: GtzanTrack) -> str:
    """Return a name that identifies the artist, ignoring case and a leading "The".

    Tracks of one genre with an unknown artist share a key, because any two of them may be by the same artist.
    """
    return normalize_artist(track.artist) or f"unknown, {track.genre}"


def fault_filtered(tracks: Sequence[GtzanTrack]) -> Split:
    """Return protocol (a), the split in the track table."""
    train, valid, test = (
        np.array([i for i, track in enumerate(tracks) if track.part == part], dtype=np.int64)
        for part in ("train", "valid", "test")
    )
    return Split("fault-filtered", train, valid, test)


def artist_folds(tracks: Sequence[GtzanTrack], *, folds: int = 5, seed: int = 0) -> list[Split]:
    """Return protocol (b). All tracks of an artist are in one fold; duplicates and broken tracks are in none.

    Raises
    ------
    ValueError
        If there are fewer artists than folds.
    """
    kept = np.array(
        [i for i, t in enumerate(tracks) if not t.duplicate_of and t.track_id not in BROKEN_TRACKS],
        dtype=np.int64,
    )
    return [
        Split(f"artist fold {number}", train, valid, test)
        for number, (rest, test) in enumerate(_group_folds(tracks, kept, folds, seed), 1)
        for train, valid in _group_folds(tracks, rest, VALIDATION_FOLDS, seed)[:1]
    ]


def random_folds(tracks: Sequence[GtzanTrack], *, folds: int = 10, seed: int = 0) -> list[Split]:
    """Return protocol (c), stratified by genre and regardless of artists and duplicates."""
    every = np.arange(len(tracks))
    return [
        Split(f"random fold {number}", train, valid, test)
        for number, (rest, test) in enumerate(_stratified_folds(tracks, every, folds, seed), 1)
        for train, valid in _stratified_folds(tracks, rest, VALIDATION_FOLDS, seed)[:1]
    ]


def artist_leakage(tracks: Sequence[GtzanTrack], split: Split) -> float:
    """Return the share of test tracks whose artist, if known, is also in training with the same genre."""
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
    return [(kept[train], kept[test]) for train, test in splitter.split(kept, labels, artists)]


def _stratified_folds(tracks: Sequence[GtzanTrack], kept: Indices, folds: int, seed: int) -> list[TrainTest]:
    from sklearn.model_selection import StratifiedKFold

    splitter = StratifiedKFold(folds, shuffle=True, random_state=seed)
    labels = [tracks[i].label for i in kept]
    return [(kept[train], kept[test]) for train, test in splitter.split(kept, labels)]
