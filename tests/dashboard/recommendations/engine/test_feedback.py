"""Feedback store: its file, its limits and damaged files."""

from __future__ import annotations

import json
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from dashboard.recommendations.engine import feedback as module
from dashboard.recommendations.engine.feedback import (
    ArtistFeedback,
    FeedbackStore,
    default_feedback_path,
    parse_feedback,
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "data" / "choices.json"


def test_choices_come_back_in_another_session(path: Path) -> None:
    choices = FeedbackStore(path)
    choices.like("宇多田ヒカル", "First Love")
    choices.skip("AC/DC")
    choices.ban("The <b>Band</b>")
    again = FeedbackStore(path)
    assert again.list_artists() == (
        ArtistFeedback("The <b>Band</b>", banned=True),
        ArtistFeedback("AC/DC", skips=1),
        ArtistFeedback("宇多田ヒカル", likes=1, liked=("First Love",)),
    )
    assert again.is_banned({"bbandb"})
    again.delete("the <b>band</b>")
    assert not FeedbackStore(path).is_banned({"bbandb"})
    assert len(FeedbackStore(path).list_artists()) == 2, "an artist without feedback must leave the file"


def test_preference_is_the_mean_of_a_beta_distribution() -> None:
    choices = FeedbackStore()
    assert choices.preference({"acdc"}) == 0.5
    choices.like("AC/DC", "Thunderstruck")
    assert choices.preference({"acdc"}) == 2 / 3
    choices.like("acdc", "THUNDERSTRUCK (Remastered 2011)")
    assert choices.preference({"acdc"}) == 2 / 3, "the same song twice is one like"
    choices.skip("AC/DC")
    choices.skip("AC/DC")
    assert choices.preference({"acdc", "nobody"}) == 2 / 5


WRITER = """
import os, sys, time
from pathlib import Path
from dashboard.recommendations.engine import feedback

def slow_fsync(file, fsync=os.fsync):
    time.sleep(0.01)
    fsync(file)

os.fsync, feedback.LOCK_TIMEOUT_SECONDS = slow_fsync, 0.1
choices = feedback.FeedbackStore(Path(sys.argv[1]))
print("ready", flush=True)
sys.stdin.readline()
for number in range(40):
    choices.skip("Both")
    choices.ban(f"{sys.argv[2]} {number}")
while choices.error:
    time.sleep(0.002)
    choices.reload()
"""


@pytest.mark.skipif(sys.platform != "linux", reason="needs Linux")
def test_two_programs_that_write_at_once_lose_nothing(path: Path) -> None:
    """Each program wrote what it had read before, so that skips of the other were lost.

    On a slow disk, the lock was never free for a program that asked for it every 10 ms, and that program
    wrote without the lock: of 80 skips, 78 were counted.
    """
    writers = [
        subprocess.Popen(
            [sys.executable, "-c", WRITER, str(path), name],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for name in ("first", "second")
    ]
    for writer in writers:
        assert writer.stdout is not None
        assert writer.stdout.readline() == "ready\n"
    for writer in writers:
        assert writer.stdin is not None
        writer.stdin.write("go\n")
        writer.stdin.flush()
    for writer in writers:
        writer.communicate(timeout=60)
        assert writer.returncode == 0
    artists = {choice.artist: choice for choice in FeedbackStore(path).list_artists()}
    assert artists["Both"].skips == 80
    assert len(artists) == 81


@pytest.mark.skipif(sys.platform != "linux", reason="needs Linux")
def test_a_change_waits_in_memory_while_another_program_holds_the_lock(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Regression: the change was written without the lock, over the change of the other program."""
    monkeypatch.setattr(module, "LOCK_TIMEOUT_SECONDS", 0.02)
    choices, other = FeedbackStore(path), FeedbackStore(path)
    other.skip("A")
    before = path.read_bytes()
    with other._locked(path, 5.0):
        choices.ban("B")
        choices.reload()
        assert choices.is_banned({"b"}), "the page shows the change at once"
        assert "saved as soon as" in str(choices.error)
        assert path.read_bytes() == before
    other.skip("A")
    choices.reload()
    assert choices.error is None
    saved = {choice.artist: choice for choice in FeedbackStore(path).list_artists()}
    assert (saved["A"].skips, saved["B"].banned) == (2, True)


@pytest.mark.skipif(sys.platform != "linux", reason="needs Linux")
def test_delete_all_waits_for_the_program_that_writes(path: Path) -> None:
    """Regression: a program that had read the file wrote all deleted choices back."""
    choices, other = FeedbackStore(path), FeedbackStore(path)
    other.ban("A")
    with other._locked(path, 5.0):
        deletion = threading.Thread(target=choices.delete_all)
        deletion.start()
        deletion.join(0.05)
        assert deletion.is_alive()
        assert path.exists()
        other._save(path)
    deletion.join(30)
    assert not path.exists()
    assert choices.error is None


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such modes")
def test_only_the_user_can_read_the_file_and_no_other_file_is_left(path: Path) -> None:
    FeedbackStore(path).like("A", "B")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [child.name for child in path.parent.iterdir()] == ["choices.json"]


def test_the_file_holds_names_and_counts_only(path: Path) -> None:
    FeedbackStore(path).like("A", "B")
    content = json.loads(path.read_text())
    assert content == {
        "version": 1,
        "artists": [{"artist": "A", "likes": 1, "skips": 0, "banned": False, "liked": ["B"]}],
    }


def test_delete_all_deletes_everything_also_for_other_pages(path: Path) -> None:
    path.parent.mkdir()
    path.write_text("{")
    choices, other = FeedbackStore(path), FeedbackStore(path)
    choices.like("A", "B")
    other.reload()
    assert other.list_artists() == choices.list_artists()
    choices.delete_all()
    assert list(path.parent.iterdir()) == []
    assert choices.list_artists() == ()
    other.reload()
    assert other.list_artists() == ()
    other.skip("C")
    assert [choice.artist for choice in FeedbackStore(path).list_artists()] == ["C"]


def test_two_pages_do_not_overwrite_each_others_feedback(path: Path) -> None:
    first, second = FeedbackStore(path), FeedbackStore(path)
    first.like("A", "x")
    second.like("B", "y")
    first.skip("A")
    assert [choice.artist for choice in FeedbackStore(path).list_artists()] == ["A", "B"]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[" * 100_000,
        b"\xff\xfe",
        b"[]",
        b'{"version": 2, "artists": []}',
        b'{"version": 1, "artists": {}}',
        b'{"version": 1, "artists": [{"artist": "A"}]}',
        b'{"version": 1, "artists": [{"artist": 1, "likes": 0, "skips": 0, "banned": true, "liked": []}]}',
        b'{"version": 1, "artists": [{"artist": "A", "likes": -1, "skips": 0, "banned": true, "liked": []}]}',
        b'{"version": 1, "artists": [{"artist": "A", "likes": 1, "skips": 0, "banned": true, "liked": [1]}]}',
        b" " * (module.MAX_FILE_BYTES + 1),
    ],
)
def test_a_damaged_file_is_set_aside_and_not_lost(path: Path, content: bytes) -> None:
    path.parent.mkdir()
    path.with_name("choices.json.broken-1").write_bytes(b"an earlier one")
    path.write_bytes(content)
    choices = FeedbackStore(path)
    assert choices.list_artists() == ()
    assert "damaged" in str(choices.error)
    assert path.with_name("choices.json.broken-1").read_bytes() == b"an earlier one"
    assert path.with_name("choices.json.broken-2").read_bytes() == content
    choices.like("A", "B")
    assert choices.error is None
    assert len(FeedbackStore(path).list_artists()) == 1


def test_a_folder_that_cannot_be_written_leaves_feedback_in_memory(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("")
    choices = FeedbackStore(blocked / "choices.json")
    choices.ban("A")
    assert choices.is_banned({"a"})
    assert choices.error is not None


def test_a_file_that_cannot_be_read_is_not_overwritten(path: Path) -> None:
    path.mkdir(parents=True)
    choices = FeedbackStore(path)
    choices.ban("A")
    assert choices.is_banned({"a"})
    assert "could not be read" in str(choices.error)
    choices.delete_all()
    assert "by hand" in str(choices.error)
    assert path.is_dir()


def test_a_damaged_file_that_cannot_be_renamed_is_left_unchanged(tmp_path: Path) -> None:
    """The file name leaves no room for ".broken-1", because file systems allow 255 bytes."""
    path = tmp_path / ("c" * 250)
    path.write_text("{")
    choices = FeedbackStore(path)
    choices.ban("A")
    assert "could not be moved" in str(choices.error)
    assert path.read_text() == "{"
    choices.delete_all()
    choices.ban("A")
    assert "could not be saved" in str(choices.error), "there is no room for a temporary file either"
    assert not path.exists()


def test_delete_all_leaves_other_files_beside_the_file(path: Path) -> None:
    choices = FeedbackStore(path)
    choices.ban("A")
    mine = path.with_name("choices.json.backup")
    mine.write_text("mine")
    choices.delete_all()
    assert [child.name for child in path.parent.iterdir()] == [mine.name]


def test_the_size_is_bounded_and_bans_are_dropped_last(path: Path) -> None:
    choices = FeedbackStore(path, max_artists=3)
    choices.ban("banned")
    for name in "abcd":
        choices.skip(name)
    choices.skip("c")
    assert [choice.artist for choice in choices.list_artists()] == ["c", "d", "banned"]
    for number in range(30):
        choices.like("c", f"song {number}" + "x" * 500)
    (liked,) = [choice.liked for choice in choices.list_artists() if choice.artist == "c"]
    assert [title.split("x")[0] for title in liked] == [f"song {number}" for number in range(10, 30)]
    assert {len(title) for title in liked} == {200}
    allowed = path.stat().st_size
    choices = FeedbackStore(path, max_file_bytes=allowed)
    choices.skip("e" * 200)
    assert path.stat().st_size <= allowed
    assert [choice.artist[0] for choice in choices.list_artists()] == ["e", "b"]
    assert choices.is_banned({"banned"})


def test_unusual_names_are_stored(path: Path) -> None:
    names = ["🎵", "???", "مرحبا", "Sigur Rós", "a\ud800b", "x" * 500, ""]
    choices = FeedbackStore(path)
    for name in names:
        choices.skip(name)
    assert len(FeedbackStore(path).list_artists()) == len(names)


def test_the_default_path_is_in_the_data_folder(tmp_path: Path) -> None:
    assert default_feedback_path() == tmp_path / "overheard" / "choices.json"


def test_parse_names_the_entry() -> None:
    with pytest.raises(ValueError, match=r"artists\[0\] is \[\]; it must be of type object"):
        parse_feedback('{"version": 1, "artists": [[]]}')
