"""Requests of clients while the history is written: documents, and corrections with their audio."""

from __future__ import annotations

import sqlite3
import stat
import threading
import wave
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from models.audio.samples import sanitize_samples
from realtime.history.errors import HistoryError
from realtime.history.service import HistoryService
from realtime.history.writer import HistoryWriter
from realtime.protocol.requests import CorrectLabel
from realtime.sources import FileSource
from tests.support.audio import programme, write
from tests.support.histories import MODEL, RATE, RunningHistory, estimate, query, state, write_version_1
from tests.support.waiting import at_most, wait_until


def test_the_history_is_empty_before_the_first_message(running: RunningHistory) -> None:
    assert running.document() == {"path": str(running.path), "sessions": [], "corrections": 0, "sounds": 0}
    assert running.document("1", 404) == {"error": "there is no session 1; the history has no sessions"}
    assert not running.path.exists()


def test_a_document_is_up_to_date(running: RunningHistory) -> None:
    for message in (state(0, "WARMING_UP"), estimate(5), estimate(5.5), estimate(6, "rock")):
        running.writer.consume(message)
    running.writer.consume(estimate(5, source="mic"))
    overview = running.document()
    assert [(each["id"], each["source"]) for each in overview["sessions"]] == [(2, "mic"), (1, "radio")]
    session = running.document("1")
    assert [(each["number"], each["genre"], each["correction"]) for each in session["segments"]] == [
        (1, "jazz", None),
        (2, "rock", None),
    ]
    assert session["segments"][1]["seconds"] == 0.5  # the segment is still open
    assert [each["kind"] for each in session["events"]] == ["warming_up"]
    assert session["running"]
    for rest in ("7", "9" * 18):
        assert running.document(rest, 404) == {"error": f"there is no session {rest}; the last session is 2"}
    for rest in ("x", "-1", "1/2", "9" * 5_000, "\N{ARABIC-INDIC DIGIT ONE}"):
        assert running.document(rest, 404)["error"].startswith("there is no session ")


def test_a_correction_saves_the_audio_of_exactly_that_segment(running: RunningHistory) -> None:
    running.play_programme()
    segment = running.longest_segment("jazz")
    number = segment["number"]
    assert running.correct(number, "rock") == f"session 1, segment {number} is now rock; its audio is saved"
    assert running.clips() == [f"rock/1-{number}.wav"]
    kept = running.path.parent / "corrections" / "rock" / f"1-{number}.wav"
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    assert {stat.S_IMODE(each.stat().st_mode) for each in (kept.parent, kept.parent.parent)} == {0o700}
    with wave.open(str(kept)) as file:
        assert (file.getnchannels(), file.getsampwidth(), file.getframerate()) == (1, 2, RATE)
        samples = np.frombuffer(file.readframes(file.getnframes()), "<i2")
    assert len(samples) / RATE == pytest.approx(segment["seconds"], abs=0.01)
    ((first, last),) = query(
        running.path, f"SELECT from_seconds, to_seconds FROM segment_audio WHERE number = {number}"
    )
    assert isinstance(first, float)
    assert isinstance(last, float)
    expected = sanitize_samples(programme())[round(first * RATE) : round(last * RATE)]
    assert np.abs(samples / 32_767 - expected).max() < 2 / 32_767
    segments = running.document("1")["segments"]
    assert {each["number"]: each["correction"] for each in segments}[number] == "rock"
    assert (running.document()["corrections"], running.document()["sounds"]) == (1, 1)


def test_a_clip_moves_with_a_changed_correction_and_is_deleted_with_a_removed_one(
    running: RunningHistory,
) -> None:
    running.play_programme()
    number = running.longest_segment("jazz")["number"]
    running.correct(number, "rock")
    before = (running.path.parent / "corrections" / "rock" / f"1-{number}.wav").read_bytes()
    running.audio.clear()  # minutes later
    assert running.correct(number, "blues").endswith("is now blues; its audio is saved")
    assert running.clips() == [f"blues/1-{number}.wav"]
    assert (running.path.parent / "corrections" / "blues" / f"1-{number}.wav").read_bytes() == before
    assert running.correct(number, "blues").endswith("its audio is saved")
    assert query(running.path, "SELECT genre, sound FROM corrections") == [
        ("blues", f"corrections/blues/1-{number}.wav")
    ]
    assert running.correct(number, None) == f"the correction of session 1, segment {number} is removed"
    assert running.clips() == []
    assert running.document("1")["segments"][0]["correction"] is None
    with pytest.raises(HistoryError, match=f"session 1, segment {number} has no correction to remove"):
        running.correct(number, None)


def test_a_correction_of_a_played_file_stores_its_path(running: RunningHistory, tmp_path: Path) -> None:
    path = write(tmp_path / "song.wav", programme(), RATE)
    running.play(FileSource(str(path), running.clock))
    number = running.longest_segment("jazz")["number"]
    assert running.correct(number, "rock").endswith("its audio is in the file that was played")
    assert query(running.path, "SELECT sound FROM corrections") == [(str(path),)]
    assert running.clips() == []
    path.rename(tmp_path / "elsewhere.wav")  # as if its disk were not mounted
    assert running.correct(number, "blues").endswith("in the file that was played, which is missing now")
    assert running.correct(1, "rock").endswith("its audio is no longer in memory")
    assert query(running.path, "SELECT sound FROM corrections ORDER BY number") == [("",), (str(path),)]


def test_a_short_or_unbuffered_segment_is_corrected_without_audio(tmp_path: Path) -> None:
    running = RunningHistory(tmp_path / "h.sqlite", minutes=0)
    running.play_programme()
    running.writer.consume(estimate(5, source="short"))
    running.writer.consume(estimate(5.5, "rock", source="short"))
    assert running.correct(1, "rock").endswith("is now rock; its audio is no longer in memory")
    short = "is now blues; its audio is shorter than a window of 4.97 s and is not saved"
    assert running.correct(2, "blues", session=2).endswith(short)
    assert query(running.path, "SELECT sound FROM corrections") == [("",), ("",)]
    assert (running.document()["corrections"], running.document()["sounds"]) == (2, 0)
    running.writer.close()


@pytest.mark.parametrize(
    ("control", "sentence"),
    [
        ({"session": 9}, "there is no session 9; the last session is 1"),
        ({"session": 2**70}, f"there is no session {2**70}; the last session is 1"),
        ({"segment": 9}, "session 1 has no segment 9; its segments are 1 to 2"),
        ({"segment": -(2**70)}, f"session 1 has no segment -{2**70}; its segments are 1 to 2"),
        ({"genre": "polka"}, "'polka' is not a genre of the model; choose blues, jazz, rock"),
        ({"genre": "../../rock"}, "'../../rock' is not a genre of the model; choose blues, jazz, rock"),
        ({"segment": 2}, "session 1, segment 2 is silence, which has no genre"),
        ({"genre": None}, "session 1, segment 1 has no correction to remove"),
    ],
)
def test_an_invalid_correction_is_refused_in_one_sentence(
    running: RunningHistory, control: dict[str, Any], sentence: str
) -> None:
    running.writer.consume(estimate(5))
    running.writer.consume(estimate(5.5, "jazz", "SILENT"))
    whole: dict[str, Any] = {"session": 1, "segment": 1, "genre": "rock"} | control
    with pytest.raises(HistoryError) as refusal:
        running.service.handle_control(CorrectLabel(id="1", **whole))
    assert str(refusal.value) == sentence
    assert running.document()["corrections"] == 0
    assert running.clips() == []
    running.writer.consume(estimate(6, "rock"))  # the recording continues
    assert len(running.document("1")["segments"]) == 3


def test_corrections_on_many_threads_while_the_history_is_written(running: RunningHistory) -> None:
    stop = threading.Event()

    def publish() -> None:
        n = 0
        while not stop.is_set():
            n += 1
            running.writer.consume(estimate(5 + n / 2, ("jazz", "rock")[n % 2]))
            stop.wait(0.001)

    publisher = threading.Thread(target=publish)
    publisher.start()
    wait_until(
        lambda: len(running.document()["sessions"]) == 1 and len(running.document("1")["segments"]) > 20
    )
    answers: list[str] = []
    threads = [
        threading.Thread(target=lambda number=number: answers.append(running.correct(number, "blues")))
        for number in range(1, 17)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    stop.set()
    publisher.join()
    assert len(answers) == 16
    assert query(running.path, "SELECT count(*) FROM corrections WHERE genre = 'blues'") == [(16,)]
    assert (running.writer.dropped, running.writer.lost) == (0, 0)
    assert len(running.document("1")["segments"]) > 20  # rewritten segments keep their correction


@pytest.mark.parametrize("action", ["correct", "delete"])
def test_a_locked_file_is_reported_and_keeps_its_content(tmp_path: Path, action: str) -> None:
    running = RunningHistory(tmp_path / "h.sqlite")
    running.writer.close()
    running.writer = HistoryWriter(running.path, running.clock, flush_seconds=0.05, busy_seconds=0.1)
    running.service = HistoryService(running.path, running.writer, running.clock, MODEL, running.audio)
    running.writer.consume(estimate(5))
    running.document()
    actions: dict[str, Callable[[], str]] = {
        "correct": lambda: running.correct(1, "rock"),
        "delete": running.delete_all,
    }
    with closing(sqlite3.connect(running.path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(HistoryError, match="database is locked; close the program that locks it"):
            actions[action]()
        other.execute("ROLLBACK")
    assert {"correct": "is now rock", "delete": "is deleted"}[action] in actions[action]()
    running.writer.close()


def test_a_clip_that_cannot_be_written_is_reported_and_the_correction_saved(running: RunningHistory) -> None:
    running.play_programme()
    (running.path.parent / "corrections").write_text("a file where the folder should be")
    answer = running.correct(1, "rock")
    assert answer.startswith("session 1, segment 1 is now rock; its audio could not be saved: ")
    assert query(running.path, "SELECT genre, sound FROM corrections") == [("rock", "")]


def test_a_clip_that_cannot_be_moved_stays(running: RunningHistory) -> None:
    """The second correction could not write the clip, and deleted the clip of the first one."""
    running.play_programme()
    number = running.longest_segment("jazz")["number"]
    running.correct(number, "rock")
    running.audio.clear()  # minutes later
    obstacle = running.path.parent / "corrections" / "blues"
    obstacle.write_text("a file where the folder should be")
    assert "is now blues; its audio could not be moved: " in running.correct(number, "blues")
    assert query(running.path, "SELECT genre, sound FROM corrections") == [
        ("blues", f"corrections/rock/1-{number}.wav")
    ]
    assert running.clips() == [f"rock/1-{number}.wav"]
    obstacle.unlink()
    assert running.correct(number, "blues").endswith("its audio is saved")
    assert running.clips() == [f"blues/1-{number}.wav"]


def test_a_folder_whose_name_is_not_valid_utf_8_is_shown(tmp_path: Path) -> None:
    """The document could not be sent, since UTF-8 cannot encode a lone surrogate."""
    running = RunningHistory(tmp_path / "caf\udce9" / "h.sqlite")
    _, text = running.service.read_document("")
    assert text.isascii()
    assert running.document()["path"] == str(running.path)
    running.writer.close()


def test_a_correction_that_cannot_be_written_leaves_no_clip(running: RunningHistory) -> None:
    running.play_programme()
    running.document()
    with closing(sqlite3.connect(running.path, isolation_level=None)) as other:
        other.execute(
            "CREATE TRIGGER full BEFORE INSERT ON corrections BEGIN SELECT raise(ABORT, 'disk full'); END"
        )
        with pytest.raises(HistoryError, match="cannot be written: disk full"):
            running.correct(1, "rock")
        assert running.clips() == []
        other.execute("DROP TRIGGER full")
    assert running.correct(1, "rock").endswith("its audio is saved")


def test_an_old_history_is_corrected_after_its_migration(tmp_path: Path) -> None:
    running = RunningHistory(write_version_1(tmp_path / "h.sqlite"))
    assert [each["correction"] for each in running.document("1")["segments"]] == [None, None]
    assert query(running.path, "PRAGMA user_version") == [(1,)]  # reading does not change the file
    assert running.correct(2, "blues").endswith("its audio is no longer in memory")
    assert [each["correction"] for each in running.document("1")["segments"]] == [None, "blues"]
    running.writer.close()


def test_a_closed_history_refuses_requests_at_once(running: RunningHistory) -> None:
    running.writer.close()
    with at_most(5):
        with pytest.raises(HistoryError, match="the history is closed because the analyzer is stopping"):
            running.correct(1, "rock")
        assert "closed" in running.document(status=503)["error"]
