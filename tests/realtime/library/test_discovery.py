"""Tracks in folders: links to folders, circles of links, and entries that are no files."""

from __future__ import annotations

import os
import tempfile
import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime.clock import SystemClock
from realtime.errors import SourceError
from realtime.library.discovery import find_tracks
from realtime.sources.file import FileSource


def names(folder: Path) -> list[str]:
    return [str(Path(track.uri).relative_to(folder)) for track in find_tracks([str(folder)])]


def test_links_to_folders_are_followed_once(tmp_path: Path) -> None:
    """Folders that are links, as to another disk, were left out without a word."""
    library, disk = tmp_path / "library", tmp_path / "disk"
    (disk / "album").mkdir(parents=True)
    library.mkdir()
    (disk / "album" / "one.mp3").touch()
    (disk / "two.mp3").touch()
    (library / "three.mp3").symlink_to(disk / "two.mp3")
    (library / "a").symlink_to(disk)
    (library / "b").symlink_to(disk)
    (library / "broken").symlink_to(tmp_path / "missing")
    assert names(library) == ["three.mp3", "a/two.mp3", "a/album/one.mp3"]


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["", "a", "b", "a/c"]),
            st.sampled_from("xyz"),
            st.sampled_from(["", "a", "b", "a/c"]),
        ),
        max_size=8,
    )
)
def test_any_circle_of_links_ends_and_every_track_is_found_once(links: list[tuple[str, str, str]]) -> None:
    with tempfile.TemporaryDirectory() as name:
        top = Path(name)
        folders = ["", "a", "b", "a/c"]
        for folder in folders:
            (top / folder).mkdir(exist_ok=True)
            (top / folder / "track.mp3").touch()
        for folder, link, target in links:
            if not os.path.lexists(top / folder / link):
                (top / folder / link).symlink_to(top / target)
        found = [os.path.realpath(track.uri) for track in find_tracks([name])]
        assert sorted(found) == sorted(os.path.realpath(top / folder / "track.mp3") for folder in folders)


@pytest.mark.parametrize("speed", [0.0, 1.0])
def test_a_pipe_in_place_of_a_file_is_one_sentence_and_is_not_read(tmp_path: Path, speed: float) -> None:
    """Opening a pipe without a writer waited forever, and its sound would have been read twice."""
    pipe = tmp_path / "song.wav"
    os.mkfifo(pipe)
    errors: list[str] = []

    def open_pipe() -> None:
        try:
            FileSource(str(pipe), SystemClock(), speed=speed)
        except SourceError as error:
            errors.append(str(error))

    opening = threading.Thread(target=open_pipe, daemon=True)
    opening.start()
    opening.join(30)
    assert errors == [f"{pipe} is a pipe or a device; save the sound to a file and name the file"]


@pytest.mark.parametrize("path", ["/dev/zero", "/dev/null"])
def test_a_device_is_one_sentence(path: str) -> None:
    with pytest.raises(SourceError, match="is a pipe or a device"):
        FileSource(path, SystemClock())
