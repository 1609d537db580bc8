"""Choice of neighbors: likeness, the rule about artists, copies, and the time of a query."""

from __future__ import annotations

import os
import time
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from dashboard.library.index import BLOCK, MAX_OF_ARTIST, SimilarityIndex
from dashboard.library.playlist import format_m3u
from dashboard.library.table import load_index
from tests.support.similar_tracks import MANIFEST, Sound, at_angle, generated_index, write_sounds
from tests.support.waiting import computes_at_most


def index_of(folder: Path, sounds: list[Sound]) -> SimilarityIndex:
    return load_index(str(write_sounds(folder / "table", sounds)), MANIFEST.identity)


def names(index: SimilarityIndex, count: int = 10, like: str = "") -> list[str]:
    row = index.find(like)
    track = None if row is None else index.track(row)
    return [each.track.title for each in index.neighbors(at_angle(0), count, like=track)]


def test_the_most_similar_tracks_come_first_and_the_track_itself_never(tmp_path: Path) -> None:
    sounds = [Sound(f"/m/{angle}.mp3", angle, f"A{angle}", f"T{angle}") for angle in (70, 0, 10, 180, 30)]
    index = index_of(tmp_path, sounds)
    assert names(index) == ["T0", "T10", "T30", "T70", "T180"]
    assert names(index, like="/m/0.mp3") == ["T10", "T30", "T70", "T180"]
    found = index.neighbors(at_angle(0), 3)
    assert [each.likeness for each in found] == pytest.approx(np.cos(np.radians([0, 10, 30])), abs=1e-6)
    assert index.find("/m/absent.mp3") is None


def test_two_of_ten_neighbors_may_be_by_one_artist(tmp_path: Path) -> None:
    """A spelling with "The" is the same artist. The third track waits for the next ten neighbors."""
    same = [Sound(f"/m/s{n}.mp3", 3 * n, ("The Same", "same")[n % 2], f"S{n}") for n in range(4)]
    others = [Sound(f"/m/o{n}.mp3", 20 + 3 * n, f"Other {n}", f"O{n}") for n in range(20)]
    found = names(index_of(tmp_path, same + others), 20)
    assert found[:10] == ["S0", "S1", *(f"O{n}" for n in range(8))]
    assert found[10:12] == ["S2", "S3"]


def test_a_library_of_one_artist_gives_two_neighbors(tmp_path: Path) -> None:
    assert names(index_of(tmp_path, [Sound(f"/m/{n}.mp3", 3 * n, "Same", f"S{n}") for n in range(9)])) == [
        "S0",
        "S1",
    ]


def test_without_tags_folders_take_turns_but_all_tracks_count(tmp_path: Path) -> None:
    near = [Sound(f"/m/near/{n}.mp3", 3 * n) for n in range(4)]
    far = [Sound(f"/m/far/{n}.mp3", 40 + 3 * n) for n in range(2)]
    found = index_of(tmp_path, near + far).neighbors(at_angle(0), 10)
    assert [each.track.uri[3:-4] for each in found] == [
        "near/0",
        "near/1",
        "far/0",
        "far/1",
        "near/2",
        "near/3",
    ]


def test_names_of_files_stand_in_for_tags(tmp_path: Path) -> None:
    index = index_of(tmp_path, [Sound("/m/Some One - A Song.mp3", 0), Sound("/m/track 7.mp3", 5)])
    first, second = (each.track for each in index.neighbors(at_angle(0), 2))
    assert (first.artist, first.title, first.name) == ("Some One", "A Song", "Some One - A Song")
    assert (second.artist, second.title, second.name) == ("", "track 7", "track 7")


def test_copies_and_other_files_of_a_song_are_left_out(tmp_path: Path) -> None:
    sounds = [
        Sound("/m/song.flac", 0, "A", "Song", 200),
        Sound("/m/copy.mp3", 0.5, None, None, 200.4),  # the same recording, without tags
        Sound("/m/best of.mp3", 9, "A", "Song (Remastered 2011)", 215),  # the same song, another file
        Sound("/m/near a.mp3", 12, "B", "Near", 180),
        Sound("/m/near b.mp3", 12, "C", "Near", 180),
        Sound("/m/alike.mp3", 12.2, "D", "Alike", 300),  # as similar, but of another length
    ]
    index = index_of(tmp_path, sounds)
    found = index.neighbors(at_angle(0), 10, like=index.track(index.find("/m/song.flac") or 0))
    assert [each.track.title for each in found] == ["Near", "Alike"]


def test_a_query_of_another_size_is_refused(tmp_path: Path) -> None:
    index = index_of(tmp_path, [Sound("/m/a.mp3", 0)])
    with pytest.raises(ValueError, match="the embedding has 8 values, the index 96"):
        index.neighbors(np.ones(8, np.float32), 5)


def test_a_file_is_recognized_by_size_and_time(tmp_path: Path) -> None:
    path = tmp_path / "a.mp3"
    path.write_bytes(b"sound")
    track = index_of(tmp_path, [Sound(str(path), 0)]).track(0)
    assert track.is_unchanged()
    os.utime(path, ns=(0, 0))
    assert not track.is_unchanged()
    path.unlink()
    assert not track.is_unchanged()
    path.mkdir()
    assert not track.is_unchanged()


def test_a_playlist_has_absolute_paths_and_no_foreign_lines(tmp_path: Path) -> None:
    sounds = [
        Sound("/m/a b.mp3", 0, "Ärzte", "Mein\nLied", 181.6),
        Sound("/m/evil\n#EXTINF:1,http:.mp3", 5, "E", "Evil"),
    ]
    index = index_of(tmp_path, sounds)
    text = format_m3u(each.track for each in index.neighbors(at_angle(0), 2))
    assert text == "#EXTM3U\n#EXTINF:182,Ärzte - Mein Lied\n/m/a b.mp3\n"


def test_a_playlist_has_names_of_all_scripts_but_only_files_that_exist(tmp_path: Path) -> None:
    """Full-width and fixed spaces and joiners are no line breaks. An escaped byte is no name of a file."""
    names = ("光\u3000あ.mp3", "a\xa0b.mp3", "👩\u200d🎤.mp3", "line\u2028break.mp3", "byte \\udcff.mp3")
    index = index_of(tmp_path, [Sound(f"/m/{name}", 20 * n, f"A{n}") for n, name in enumerate(names)])
    lines = format_m3u(each.track for each in index.neighbors(at_angle(0), 5)).split("\n")
    assert lines[2::2] == [f"/m/{name}" for name in names[:3]]


def test_a_query_in_100_000_tracks_takes_milliseconds() -> None:
    """The benchmark of the library has the exact figures, about 4 ms."""
    index = generated_index(100_000)
    assert len(index) == 100_000
    assert 38_400_000 <= index.bytes < 60_000_000
    index.neighbors(index.embedding(0), 10)  # the first call loads libraries
    durations = []
    for row in range(15):
        started = time.thread_time()
        found = index.neighbors(index.embedding(row), 10, like=index.track(row))
        durations.append(time.thread_time() - started)
        assert len(found) == 10
        assert row not in [each.row for each in found]
    assert min(durations) < 0.05


def test_the_rule_about_artists_holds_in_large_libraries() -> None:
    index = generated_index(20_000, artists=12)
    found = index.neighbors(index.embedding(3), 40)
    assert len(found) == 40
    for start in range(0, 40, BLOCK):
        block = Counter(each.track.artist for each in found[start : start + BLOCK])
        assert max(block.values()) <= MAX_OF_ARTIST


@pytest.mark.parametrize("seconds", [None, 30.0])
def test_a_large_library_of_one_artist_takes_no_seconds(seconds: float | None) -> None:
    """The rule about artists leaves two tracks, so many more are considered. Clips are all of one length."""
    index = generated_index(20_000, artists=1, seconds=seconds)
    index.neighbors(index.embedding(0), 1)  # the first call loads libraries
    with computes_at_most(1):
        assert len(index.neighbors(index.embedding(0), 10, like=index.track(0))) == MAX_OF_ARTIST
