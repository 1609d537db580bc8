"""Splits of GTZAN under the three protocols."""

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from training.data.gtzan import LABELS, TABLE_FILE, GtzanTrack
from training.data.splits import Split, artist_folds, artist_key, artist_leakage, fault_filtered, random_folds
from training.errors import DataError


def made_up_tracks(artists: int = 12, each: int = 3) -> list[GtzanTrack]:
    """Make tracks with own artists in every genre, some without an artist, and one duplicate."""
    tracks = [
        GtzanTrack(f"{genre}.{artist}.{number}", genre, f"{genre} {artist}" if artist else "", part, "")
        for genre in LABELS
        for artist in range(artists)
        for part in [("train", "train", "valid", "test")[artist % 4]]
        for number in range(each)
    ]
    return [*tracks, GtzanTrack("rock.repeated", "rock", "rock 3", "train", "rock.3.0")]


def parts(split: Split) -> list[set[int]]:
    return [set(part.tolist()) for part in (split.train, split.valid, split.test)]


def assert_no_track_twice(split: Split) -> None:
    train, valid, test = parts(split)
    assert train
    assert valid
    assert test
    assert not train & valid
    assert not train & test
    assert not valid & test


def test_fault_filtered_follows_the_table() -> None:
    tracks = made_up_tracks()
    split = fault_filtered(tracks)
    assert_no_track_twice(split)
    assert {tracks[i].part for i in split.valid} == {"valid"}
    assert len(split.train) + len(split.valid) + len(split.test) == len(tracks)


@pytest.mark.parametrize("seed", [0, 1])
def test_artist_folds_keep_artists_apart(seed: int) -> None:
    tracks = made_up_tracks()
    for split in artist_folds(tracks, seed=seed):
        assert_no_track_twice(split)
        train, valid, test = ({artist_key(tracks[i]) for i in part} for part in parts(split))
        assert not train & valid
        assert not train & test
        assert not valid & test
        assert artist_leakage(tracks, split) == 0


def test_artist_folds_test_every_track_once_except_duplicates() -> None:
    tracks = [*made_up_tracks(), GtzanTrack("jazz.00054", "jazz", "", "train", "")]
    tested = Counter(i for split in artist_folds(tracks) for i in split.test.tolist())
    assert set(tested.values()) == {1}
    assert {tracks[i].track_id for i in set(range(len(tracks))) - set(tested)} == {
        "rock.repeated",
        "jazz.00054",
    }


def test_random_folds_test_every_track_once_and_leak() -> None:
    tracks = made_up_tracks()
    folds = random_folds(tracks)
    assert len(folds) == 10
    for split in folds:
        assert_no_track_twice(split)
    assert sorted(i for split in folds for i in split.test.tolist()) == list(range(len(tracks)))
    assert min(artist_leakage(tracks, split) for split in folds) > 0.5


@pytest.mark.parametrize(
    ("one", "other"), [("The Beatles", "beatles"), ("Rage Against The Machine", "Rage against the Machine")]
)
def test_artist_keys_ignore_case_and_the(one: str, other: str) -> None:
    assert artist_key(GtzanTrack("a", "rock", one, "", "")) == artist_key(
        GtzanTrack("b", "rock", other, "", "")
    )


def test_unknown_artists_of_a_genre_stay_together() -> None:
    assert artist_key(GtzanTrack("a", "rock", "", "", "")) == artist_key(GtzanTrack("b", "rock", " ", "", ""))
    assert artist_key(GtzanTrack("a", "rock", "", "", "")) != artist_key(GtzanTrack("b", "pop", "", "", ""))


def test_a_row_with_an_unknown_genre_is_an_error() -> None:
    row = {
        "track_id": "polka.1",
        "genre": "polka",
        "artist": "",
        "fault_filtered_split": "",
        "duplicate_of": "",
    }
    with pytest.raises(DataError, match="polka"):
        GtzanTrack.from_row(row)


def test_the_published_table(shared: Path) -> None:
    """The counts are the published ones, and no artist or duplicate is on both sides."""
    import csv

    path = shared / "gtzan" / TABLE_FILE
    if not path.exists():
        pytest.skip("needs ../shared")
    with path.open(encoding="utf-8", newline="") as table:
        tracks = [GtzanTrack.from_row(row) for row in csv.DictReader(table)]
    split = fault_filtered(tracks)
    assert [len(part) for part in (split.train, split.valid, split.test)] == [415, 146, 280]
    assert artist_leakage(tracks, split) == 0
    part_of = {track.track_id: track.part for track in tracks}
    for track in tracks:
        if track.duplicate_of and track.part and part_of.get(track.duplicate_of):
            assert track.part == part_of[track.duplicate_of], track
    for fold in artist_folds(tracks):
        assert artist_leakage(tracks, fold) == 0
        assert np.bincount([tracks[i].label for i in fold.test], minlength=10).min() > 0
    assert np.mean([artist_leakage(tracks, fold) for fold in random_folds(tracks)]) > 0.7
