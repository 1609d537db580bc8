"""``overheard similar`` on a real library, with files and with a running analyzer."""

from __future__ import annotations

import json
import os
import shutil
import socket
from dataclasses import replace
from pathlib import Path

import av
import numpy as np
import pytest

from models.audio.file import decode_file
from models.manifest import ModelManifest
from tests.support.audio import write
from tests.support.cli import main_error, run_command, run_main
from tests.support.paths import DEMONSTRATION, ROOT
from tests.support.similar_tracks import Sound, write_sounds
from tests.support.sound_servers import run_listen

RATE = 22_050
STARTS = {
    "Trio - First": 2,
    "Trio - Second": 9,
    "Band - Third": 62,
    "Band - Fourth": 70,
    "Choir - Fifth": 125,
}
"""Tracks by artist and title, and the second of the demonstration at which each begins."""


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with music and ``table``, the table that the command wrote about it."""
    folder = tmp_path_factory.mktemp("library")
    sound = decode_file(str(DEMONSTRATION), RATE)
    (folder / "music").mkdir()
    for number, (name, start) in enumerate(STARTS.items()):
        path = write(folder / f"{number}.flac", sound[start * RATE : (start + 6) * RATE], RATE, "flac")
        set_tags(path, folder / "music" / f"{number}.flac", *name.split(" - "))
    done = run_command("library", str(folder / "music"), "--out", str(folder / "table"), "--workers", "1")
    assert done.returncode == 0, done.stderr
    return folder


def set_tags(source: Path, target: Path, artist: str, title: str) -> None:
    """Copy an audio file with tags."""
    with av.open(str(source)) as file, av.open(str(target), "w") as out:
        stream = out.add_stream_from_template(file.streams.audio[0])
        out.metadata.update({"artist": artist, "title": title})
        for packet in file.demux():
            if packet.dts is not None:
                packet.stream = stream
                out.mux(packet)
    source.unlink()


def similar(library: Path, *arguments: str) -> list[dict[str, object]]:
    done = run_main("similar", *arguments, "--library", str(library / "table"), "--json")
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_a_file_of_the_library_finds_the_rest_of_its_music(library: Path) -> None:
    found = similar(library, str(library / "music" / "0.flac"))
    assert [track["rank"] for track in found] == [1, 2, 3, 4]
    assert (found[0]["artist"], found[0]["title"]) == ("Trio", "Second")
    assert found[0]["file"] == str(library / "music" / "1.flac")
    assert list(found[0]) == ["rank", "artist", "title", "genre", "likeness", "file"]
    likeness = [float(str(track["likeness"])) for track in found]
    assert likeness == sorted(likeness, reverse=True)
    assert "0.flac" not in str(found)


def test_another_file_is_analyzed_and_its_copy_is_no_neighbor(library: Path, tmp_path: Path) -> None:
    copy = tmp_path / "Another name.flac"
    shutil.copyfile(library / "music" / "2.flac", copy)
    found = similar(library, str(copy), "--count", "3")
    titles = [track["title"] for track in found]
    assert titles[0] == "Fourth"
    assert "Third" not in titles
    assert len(titles) == 3


def test_a_file_finds_the_tracks_of_another_model_that_the_settings_name(tmp_path: Path) -> None:
    """The file is analyzed before the program knows which model analyzed it."""
    shipped = ModelManifest.load()
    named = replace(shipped, name="named")
    named.save(tmp_path / "genre.json")
    shutil.copyfile(ROOT / "models" / "artifacts" / shipped.file, tmp_path / shipped.file)
    (tmp_path / "overheard").mkdir()
    (tmp_path / "overheard" / "settings.toml").write_text(f'[model]\nmanifest = "{tmp_path}/genre.json"\n')
    table = write_sounds(tmp_path / "table", [Sound("/m/a.mp3", 0, "A", "B")], named.identity)
    sound = decode_file(str(DEMONSTRATION), RATE)[: 6 * RATE]
    music = write(tmp_path / "music.wav", sound, RATE)
    done = run_main("similar", str(music), "--library", str(table))
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("  1. A - B  [")


def test_a_file_without_tags_is_not_its_own_neighbor(tmp_path: Path) -> None:
    """Its name stands in for the tags, as for the tracks of the library."""
    sound = decode_file(str(DEMONSTRATION), RATE)[: 6 * RATE]
    music = write(tmp_path / "Some One - A Song.wav", sound, RATE)
    sounds = [Sound("/m/other copy.mp3", 0, "Some One", "A Song"), Sound("/m/b.mp3", 30, "B", "Other")]
    table = write_sounds(tmp_path / "table", sounds)
    done = run_main("similar", str(music), "--library", str(table), "--json")
    assert [json.loads(line)["title"] for line in done.stdout.splitlines()] == ["Other"]


def test_the_text_and_the_playlist(library: Path, tmp_path: Path) -> None:
    playlist = tmp_path / "next.m3u"
    arguments = (str(library / "music" / "4.flac"), "--library", str(library / "table"))
    done = run_main("similar", *arguments, "--count", "2", "--m3u", str(playlist))
    assert done.returncode == 0, done.stderr
    first, path, _, _, end, written = done.stdout.splitlines()
    assert first.startswith("  1. ")
    assert " - " in first
    assert path.strip().startswith(str(library / "music"))
    assert end == "  2 of 5 tracks, the most similar first"
    assert written == f"  2 tracks written to {playlist}"
    lines = playlist.read_text().splitlines()
    assert lines[0] == "#EXTM3U"
    assert all(os.path.isabs(line) and os.path.isfile(line) for line in lines[2::2])
    assert len(lines) == 5
    error = main_error("similar", *arguments, "--m3u", str(playlist / "next.m3u"))
    assert f"cannot write {playlist}/next.m3u: " in error


def test_a_line_break_in_a_name_is_escaped_and_kept_out_of_the_playlist(tmp_path: Path) -> None:
    """A file name must not forge a line of the output or of the playlist."""
    music = write(tmp_path / "a.wav", decode_file(str(DEMONSTRATION), RATE)[: 6 * RATE], RATE)
    forged = Sound("/m/x\n  2. Forged.mp3", 0, "A\rB", "T", label="jazz\n")
    table = write_sounds(tmp_path / "table", [forged, Sound("/m/y.mp3", 90, "C", "D")])
    playlist = tmp_path / "next.m3u"
    done = run_main("similar", str(music), "--library", str(table), "--m3u", str(playlist))
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert len(lines) == 6
    assert "     /m/x\\n  2. Forged.mp3" in lines
    assert lines[-1] == f"  1 track written to {playlist}; 1 file name cannot stand in a playlist"
    assert playlist.read_text().splitlines()[2:] == ["/m/y.mp3"]


def test_what_is_playing_finds_the_same_music(library: Path, tmp_path: Path) -> None:
    """The analyzer plays a track of the library again and again, and asks for no token."""
    sound = np.tile(decode_file(str(library / "music" / "3.flac"), RATE), 50)
    arguments = ("--source", str(write(tmp_path / "radio.wav", sound, RATE)), "--speed", "4")
    with run_listen(dict(os.environ), *arguments) as overheard:
        overheard.until(lambda message: message["type"] == "estimate")
        found = similar(library, "--playing", "--analyzer", overheard.address)
    assert found[0]["title"] == "Fourth"
    assert float(str(found[0]["likeness"])) > 0.9
    assert len(found) == 5, "the track itself may be listed, because the analyzer knows no file"


def test_every_problem_is_one_sentence(library: Path, tmp_path: Path) -> None:
    music, table = str(library / "music" / "0.flac"), str(library / "table")
    text = tmp_path / "text.mp3"
    text.write_text("no sound at all")
    silence = write(tmp_path / "silence.wav", 0 * decode_file(music, RATE), RATE)
    other = write_sounds(tmp_path / "other", [Sound("/a", 0)], "other-model 1 0123456789ab")
    empty = write_sounds(tmp_path / "empty", [Sound("/talk", None)])
    for arguments, expected in (
        ((music,), "no library is named; give --library FOLDER or set OVERHEARD_LIBRARY"),
        ((music, "--library", str(tmp_path / "absent")), "is not a table of tracks on this computer"),
        ((music, "--library", str(other)), "were analyzed by other-model 1 0123456789ab, but this is"),
        ((music, "--library", str(empty)), "has 1 rows but no track with music"),
        ((str(text), "--library", table), f"{text} is not audio that FFmpeg can decode"),
        ((str(tmp_path / "absent.mp3"), "--library", table), "absent.mp3 does not exist"),
        ((str(silence), "--library", table), "contains no music, so no track can be compared with it"),
        ((music, "--library", table, "--count", "0"), "--count is 0; it must lie in 1..1000"),
    ):
        error = main_error("similar", *arguments)
        assert expected in error
        assert error.count("\n") == 0


def test_an_analyzer_that_does_not_answer_is_one_sentence(library: Path) -> None:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))  # it does not listen, and no other process can
        address = f"ws://127.0.0.1:{server.getsockname()[1]}"
        error = main_error("similar", "--playing", "--library", str(library / "table"), "--analyzer", address)
    sentence = f"no analyzer answers at {address}; start `overheard listen`, or name one with --analyzer"
    assert error == f"overheard similar: {sentence}"


def test_the_library_may_be_named_in_the_environment(library: Path) -> None:
    environment = {"OVERHEARD_LIBRARY": str(library / "table")}
    done = run_command("similar", str(library / "music" / "0.flac"), "--count", "1", environment=environment)
    assert done.stdout.startswith("  1. Trio - Second  [")
