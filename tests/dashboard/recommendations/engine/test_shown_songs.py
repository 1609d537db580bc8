"""Memory of shown songs, in a file that all pages share."""

from __future__ import annotations

import stat
from math import inf
from pathlib import Path

import pytest

from dashboard.recommendations.engine.rolling_playlist import RollingPlaylist
from dashboard.recommendations.engine.shown_songs import ShownSongs
from tests.support.songs import TODAY, add_estimates, songs

TRACKS = songs("jazz", 40)


def evening(path: Path, started_at: float) -> set[str]:
    """Return the titles of the first list of an evening."""
    session = RollingPlaylist(shown=ShownSongs(path, started_at))
    now = add_estimates(session, {"jazz": 1.0})
    return {row.track.title for row in session.update({"jazz": TRACKS}, now, TODAY).items}


def test_two_evenings_begin_with_different_songs(tmp_path: Path) -> None:
    """Regression: four songs opened every session of rock, since the newest songs came first."""
    path = tmp_path / "shown-songs.json"
    evenings = [evening(path, started_at=day * 86_400.0) for day in range(5)]
    assert not set.intersection(*evenings[:2])
    assert len(set.union(*evenings[:4])) == 40
    assert evenings[4] == evenings[0], "the songs that were shown longest ago must come first"


def test_the_file_holds_hashes_and_belongs_to_the_user(tmp_path: Path) -> None:
    path = tmp_path / "folder" / "shown-songs.json"
    ShownSongs(path, 1_000.0).add(TRACKS[:2], 5.0)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    text = path.read_text()
    assert "song" not in text
    assert "artist" not in text
    later = ShownSongs(path, 2_000.0)
    assert [later.shown_at(track) for track in TRACKS[:3]] == [-995.0, -995.0, -inf]
    assert len(later) == 2


def test_two_pages_add_to_one_file_and_a_deletion_counts_for_both(tmp_path: Path) -> None:
    path = tmp_path / "shown-songs.json"
    first, second = ShownSongs(path), ShownSongs(path)
    first.add(TRACKS[:1], 1.0)
    second.add(TRACKS[1:2], 2.0)
    assert len(ShownSongs(path)) == 2
    second.delete_all()
    assert not path.exists()
    assert len(second) == 0
    first.add(TRACKS[2:3], 3.0)
    assert [first.shown_at(track) > -inf for track in TRACKS[:3]] == [False, False, True]
    first.withdraw(TRACKS[2:3])
    assert len(ShownSongs(path)) == 0


def test_the_number_of_songs_is_bounded(tmp_path: Path) -> None:
    shown = ShownSongs(tmp_path / "shown-songs.json", max_keys=3)
    for number, track in enumerate(TRACKS[:5]):
        shown.add([track], float(number))
    assert [shown.shown_at(track) for track in TRACKS[:5]] == [-inf, -inf, 2.0, 3.0, 4.0]


def test_songs_of_the_future_are_forgotten(tmp_path: Path) -> None:
    """Regression: songs shown while the clock was a year ahead were hidden for that year."""
    path = tmp_path / "shown-songs.json"
    ShownSongs(path, 9_000.0, unix_time=lambda: 9_000.0).add(TRACKS[:1], 0.0)
    ShownSongs(path, 1_050.0, unix_time=lambda: 9_000.0).add(TRACKS[1:2], 0.0)
    corrected = ShownSongs(path, 1_000.0, unix_time=lambda: 1_000.0)
    assert [corrected.shown_at(track) for track in TRACKS[:2]] == [-inf, 50.0]


@pytest.mark.parametrize(
    "content", ["", "{", "[]", '{"version": 2, "shown": {}}', '{"version": 1, "shown": {"x": "y"}}', "\udcff"]
)
def test_a_damaged_file_is_replaced(tmp_path: Path, content: str) -> None:
    path = tmp_path / "shown-songs.json"
    path.write_bytes(content.encode("utf-8", "surrogateescape"))
    shown = ShownSongs(path)
    assert len(shown) == 0
    shown.add(TRACKS[:1], 1.0)
    assert len(ShownSongs(path)) == 1


def test_without_a_place_to_write_songs_are_remembered_in_memory(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("a file where a folder is needed")
    shown = ShownSongs(tmp_path / "file" / "shown-songs.json")
    shown.add(TRACKS[:1], 1.0)
    assert shown.shown_at(TRACKS[0]) == 1.0
    shown.delete_all()
    assert len(shown) == 0
