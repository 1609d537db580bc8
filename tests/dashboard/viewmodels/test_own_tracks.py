"""Data of the tracks from the user's own library."""

from __future__ import annotations

from pathlib import Path

import pytest

from dashboard.analyzer.snapshot import Snapshot
from dashboard.i18n.languages import LANGUAGES
from dashboard.i18n.translator import Translator
from dashboard.library.index import track_id
from dashboard.library.table import LibraryError, LibraryFault, load_index
from dashboard.recommendations.domain.identity import playing_keys
from dashboard.viewmodels.own_tracks import fault_data, own_tracks_data
from tests.support.similar_tracks import MANIFEST, Sound, at_angle, write_sounds


def test_tracks_have_names_addresses_and_folders(tmp_path: Path) -> None:
    sounds = [Sound("/m/a/x.mp3", 0, "A\x1b[2J", "B", label="jazz"), Sound("s3://bucket/y.mp3", 60)]
    index = load_index(str(write_sounds(tmp_path / "t", sounds)), MANIFEST.identity)
    data = own_tracks_data(index.neighbors(at_angle(0), 5), len(index), False, Translator("en"))
    first, second = data["tracks"]
    assert first["address"] == f"/_overheard/library/{track_id('/m/a/x.mp3')}"
    assert (first["title"], first["artist"], first["folder"]) == ("B", "A [2J", "/m/a")
    assert (first["genre"], first["likeness"]) == ("jazz", "100% alike")
    assert (second["title"], second["address"], second["folder"]) == ("y", "", "")
    assert second["likeness"] == "50% alike"
    assert data["message"].startswith("2 tracks of your library")
    assert "/m/a/x.mp3" in data["m3u"]


def test_an_odd_folder_is_not_copied_and_a_missing_file_not_played(tmp_path: Path) -> None:
    """A line break that is pasted into a terminal runs a command. An escaped byte is no name of a file."""
    sounds = [Sound("/m/a\nb/x.mp3", 0, "A", "X"), Sound("/m/byte \\udcff/y.mp3", 60, "B", "Y")]
    index = load_index(str(write_sounds(tmp_path / "t", sounds)), MANIFEST.identity)
    data = own_tracks_data(index.neighbors(at_angle(0), 5), len(index), False, Translator("en"))
    first, second = data["tracks"]
    assert (first["address"], first["folder"]) == (
        f"/_overheard/library/{track_id('/m/a' + chr(10) + 'b/x.mp3')}",
        "",
    )
    assert (second["address"], second["folder"]) == ("", "")
    assert "/m/" not in data["m3u"]


def test_the_song_that_plays_is_not_offered(tmp_path: Path) -> None:
    """A media player names artist and song, a station one text, in either order and with several artists."""
    sounds = [Sound("/m/a.mp3", 0, "The Band", "Song (Remastered 2011)"), Sound("/m/b.mp3", 30, "B", "Other")]
    index = load_index(str(write_sounds(tmp_path / "t", sounds)), MANIFEST.identity)
    for snapshot, expected in (
        (Snapshot(title="Band - Song", artist="Band", song="Song"), ["Other"]),
        (Snapshot(title="BAND - song"), ["Other"]),
        (Snapshot(title="Band – Song"), ["Other"]),  # noqa: RUF001 - a dash as some stations send it
        (Snapshot(title="Song - Band"), ["Other"]),
        (Snapshot(artist="Band, Guest", song="Song"), ["Other"]),
        (Snapshot(title="Guest & Band - Song"), ["Other"]),
        (Snapshot(title="Radio Nowhere"), ["Song (Remastered 2011)", "Other"]),
        (Snapshot(), ["Song (Remastered 2011)", "Other"]),
    ):
        playing = playing_keys(snapshot.artist, snapshot.song, snapshot.title)
        found = index.neighbors(at_angle(0), 5, playing=playing)
        assert [each.track.title for each in found] == expected


def test_without_music_or_muted_a_sentence_says_so() -> None:
    waiting = own_tracks_data((), 7, False, Translator("en"))
    assert (waiting["tracks"], waiting["m3u"]) == ([], "")
    assert "As soon as music has played" in waiting["message"]
    assert "muted" in own_tracks_data((), 7, True, Translator("en"))["message"]


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_fault_is_a_sentence_in_every_language(language: str, tmp_path: Path) -> None:
    translator = Translator(language)
    for key in ("missing", "unreadable", "empty", "model"):
        fault = LibraryFault(key, {"path": "/my\nlibrary", "tracks": 12})
        message = fault_data(fault, translator)["message"]
        assert "/my library" in message
        assert "overheard library" in message
    with pytest.raises(LibraryError) as caught:
        load_index(str(tmp_path), MANIFEST.identity)
    assert str(tmp_path) in fault_data(caught.value.fault, translator)["message"]
