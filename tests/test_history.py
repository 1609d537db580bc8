"""The history: folding on values, then the real file under everything that can happen to a file."""

from __future__ import annotations

import json
import logging
import os
import random
import shutil
import signal
import sqlite3
import stat
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from itertools import pairwise
from pathlib import Path

import jsonschema
import pytest

from realtime import messages
from realtime.clock import SystemClock
from realtime.health import Percentiles, PipelineHealth, SourceStatus
from realtime.history import QUEUED_MESSAGES, WAITING_ROWS, History, Recorder, chosen_path, default_path
from realtime.history_command import open_history, read_session, read_sessions
from realtime.history_file import APPLICATION_ID, VERSION, HistoryError, Store
from realtime.messages import Message
from realtime.segments import Event, Fold, Row, Seen, Segment
from tests.fakes.clock import UNIX_OFFSET, VirtualClock

ROOT = Path(__file__).parent.parent
WINDOW, HOP = 5.0, 0.5


def estimate(
    at: float,
    genre: str | None = "jazz",
    state: str = "LISTENING",
    confidence: float = 0.8,
    source: str = "radio",
    leading: str | None = None,
) -> Message:
    """An estimate at ``at`` seconds of the stream, which began at Unix second 1000."""
    label = leading or genre
    probabilities = {} if genre is None else {genre: confidence}
    if leading:
        probabilities[leading] = 0.9
    return messages.envelope("estimate", source, 1_000 + at) | {
        "start_seconds": at - WINDOW,
        "end_seconds": at,
        "level_dbfs": -20.0,
        "has_gap": False,
        "inference_ms": 7.0,
        "latency_ms": 20.0,
        "estimate": {
            "label": label,
            "stable_label": genre,
            "confidence": max(probabilities.values(), default=0.0),
            "probabilities": probabilities,
            "state": state,
        },
    }


def state(at: float, name: str, detail: str = "", source: str = "radio") -> Message:
    return messages.envelope("state", source, 1_000 + at) | {"state": name, "detail": detail}


def health(at: float, gaps: int = 0, lost: int = 0, device: str = "", source: str = "radio") -> Message:
    pipeline = PipelineHealth(9, lost, gaps, 9, 0, 0, 20.0, Percentiles(1, 2, 3))
    return messages.health_message(source, 1_000 + at, pipeline, SourceStatus(device=device), 0)


def folded(*given: Message, end: bool = True) -> list[Row]:
    """All rows of these messages, each of which obeys the published schema."""
    validator = jsonschema.Draft202012Validator(messages.schema())
    fold = Fold(iter("abcdefgh").__next__)
    rows: list[Row] = []
    for number, message in enumerate(given):
        validator.validate(json.loads(messages.encode(message | {"seq": number})))
        rows += fold.take(message)
    return rows + (fold.end() if end else fold.open_rows(2_000.0))


def segments(rows: list[Row]) -> list[Segment]:
    return [row for row in rows if isinstance(row, Segment)]


def events(rows: list[Row]) -> list[tuple[float, str, str]]:
    return [(row.at, row.kind, row.detail) for row in rows if isinstance(row, Event)]


def test_consecutive_estimates_of_one_genre_become_one_segment() -> None:
    (found,) = segments(folded(*(estimate(5 + HOP * n, confidence=0.6 + 0.1 * n) for n in range(3))))
    assert (found.genre, found.state, found.estimates) == ("jazz", "LISTENING", 3)
    assert (found.started, found.ended, found.seconds) == (1_000, 1_006, 6)
    assert found.confidence == pytest.approx(0.7)


def test_genres_and_states_follow_each_other_without_overlap() -> None:
    rows = folded(
        estimate(5), estimate(5.5), estimate(6, "rock"), estimate(6.5, "rock", "UNSURE"),
        estimate(7, "rock", "NOT_MUSIC"), estimate(7.5, "rock", "SILENT"), estimate(8, "rock", "SILENT"),
    )  # fmt: skip
    found = [(each.genre, each.state, each.started, each.ended, each.seconds) for each in segments(rows)]
    assert found == [
        ("jazz", "LISTENING", 1_000, 1_005.5, 5.5),
        ("rock", "LISTENING", 1_005.5, 1_006, 0.5),
        ("rock", "UNSURE", 1_006, 1_006.5, 0.5),
        (None, "NOT_MUSIC", 1_006.5, 1_007, 0.5),
        (None, "SILENT", 1_007, 1_008, 1.0),
    ]
    assert [each.confidence for each in segments(rows)] == [0.8, 0.8, 0.8, None, None]


def test_confidence_is_that_of_the_genre_in_the_row_and_not_of_one_that_begins_to_lead() -> None:
    (found,) = segments(folded(estimate(5, "jazz", confidence=0.3, leading="rock")))
    assert (found.genre, found.confidence) == ("jazz", 0.3)


def test_silence_before_any_music_has_no_genre() -> None:
    (found,) = segments(folded(estimate(5, None, "SILENT")))
    assert (found.genre, found.confidence, found.seconds) == (None, None, 5)


def test_a_stall_ends_the_segment_and_its_time_belongs_to_nobody() -> None:
    rows = folded(
        estimate(5), state(8, "STALLED", "nothing comes"), state(60, "WARMING_UP"), estimate(65),
        state(65, "LISTENING"), estimate(65.5),
    )  # fmt: skip
    assert [(each.started, each.ended) for each in segments(rows)] == [(1_000, 1_005), (1_060, 1_065.5)]
    assert events(rows) == [(1_008, "stalled", "nothing comes"), (1_060, "warming_up", "")]


def test_a_jump_of_the_stream_counts_a_window_and_a_short_break_counts_nothing_twice() -> None:
    """Sound that was lost was not heard; and after two seconds of break a window holds three of before."""
    (found,) = segments(folded(estimate(5), estimate(65)))
    assert found.seconds == 10
    before, after = segments(folded(estimate(5), state(6, "STALLED"), estimate(7)))
    assert (before.seconds, after.seconds, after.started) == (5, 2, 1_005)
    again = segments(folded(estimate(50), state(51, "RECOVERING"), estimate(5) | {"captured_at": 1_060}))
    assert [each.seconds for each in again] == [5, 5]


def test_gaps_devices_and_titles_are_events_when_they_change() -> None:
    rows = folded(
        state(0, "WARMING_UP"), health(1, device="Speakers"), health(3, 1, 4_410, "Speakers"),
        health(5, 3, 6_000, "Headphones"), messages.title_message("radio", 1_006, "A - B"),
        messages.title_message("radio", 1_007, "A - B"), messages.title_message("radio", 1_008, ""),
    )  # fmt: skip
    assert events(rows)[1:] == [
        (1_001, "device", "Speakers"),
        (1_003, "gap", "1 gap, 4410 samples lost"),
        (1_005, "gap", "2 gaps, 1590 samples lost"),
        (1_005, "device", "Headphones"),
        (1_006, "title", "A - B"),
        (1_008, "title", ""),
    ]


def test_a_file_at_full_speed_counts_its_sound_and_not_the_clock() -> None:
    given = [estimate(5 + HOP * n) | {"captured_at": 1_000 + n / 100} for n in range(11)]
    given[6:] = [message | estimate(8 + HOP * n, "rock") for n, message in enumerate(given[6:])]
    given = [message | {"captured_at": 1_000 + n / 100} for n, message in enumerate(given)]
    first, second = segments(folded(*given))
    assert (first.seconds, second.seconds) == (7.5, 2.5)
    assert first.ended <= second.started <= second.ended == 1_000.1


def test_a_clock_that_is_set_back_makes_no_segment_end_before_it_begins() -> None:
    given = [estimate(5), estimate(5.5), estimate(6) | {"captured_at": 10.0}]
    given += [estimate(6.5, "rock") | {"captured_at": 10.5}]
    found = segments(folded(*given))
    assert all(each.started <= each.ended for each in found)
    assert [each.seconds for each in found] == [6, 0.5]


def test_sources_do_not_disturb_each_other_and_end_by_themselves() -> None:
    rows = folded(
        estimate(5, source="a"), estimate(5, "rock", source="b"), estimate(5.5, source="a"),
        state(6, "FAILED", "unplugged", source="b"), health(6, source="b"), estimate(6, source="a"),
    )  # fmt: skip
    assert [(each.session.source, each.genre, each.estimates) for each in segments(rows)] == [
        ("b", "rock", 1),
        ("a", "jazz", 3),
    ]
    ends = [(row.session.source, row.at) for row in rows if isinstance(row, Seen) and row.over]
    assert ends == [("b", 1_006), ("a", 1_006)]
    assert {row.session.key for row in rows} == {"a", "b"}  # health after the end began nothing


def test_a_source_that_begins_again_is_another_session() -> None:
    rows = folded(estimate(5), state(6, "ENDED"), estimate(105))
    assert [each.session.key for each in segments(rows)] == ["a", "b"]


def test_every_estimate_is_in_exactly_one_segment_whatever_comes() -> None:
    """Random streams: counts and seconds add up, neighbours differ, and folding never looks back."""
    chance = random.Random(7)
    for _ in range(50):
        given = [
            estimate(5 + HOP * n, chance.choice(["jazz", "rock"]), chance.choice(["LISTENING", "SILENT"]))
            for n in range(60)
        ]
        fold = Fold()
        found = segments([row for message in given for row in fold.take(message)] + fold.end())
        assert sum(each.estimates for each in found) == 60
        assert sum(each.seconds for each in found) == pytest.approx(WINDOW + 59 * HOP)
        assert [each.number for each in found] == list(range(1, len(found) + 1))
        for one, next_one in pairwise(found):
            assert (one.genre, one.state) != (next_one.genre, next_one.state)
            assert one.ended == next_one.started


# The file


def query(path: Path, sql: str) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(path, timeout=10)) as connection:
        return connection.execute(sql).fetchall()


def written(path: Path) -> int:
    """How many estimates are in the file, which may still be in the making."""
    try:
        with closing(open_history(path)) as connection:
            return int(connection.execute("SELECT total(estimates) FROM segments").fetchone()[0])
    except HistoryError:
        return 0


def until(condition: Callable[[], bool], seconds: float = 20.0) -> None:
    """Wait for something that another thread or process does."""
    pause, end = threading.Event(), time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen in time"
        pause.wait(0.02)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "data" / "overheard" / "history.sqlite"


@pytest.fixture
def recorder(path: Path) -> Iterator[Recorder]:
    """What the thread drives, driven by the test in virtual time."""
    found = Recorder(Store(path, "net", "1.2", busy_seconds=0.05), VirtualClock())
    yield found
    found.close()


def clock_of(recorder: Recorder) -> VirtualClock:
    assert isinstance(recorder._clock, VirtualClock)
    return recorder._clock


def test_a_session_is_written_and_read(path: Path) -> None:
    history = History(path, SystemClock(), "net", "1.2", flush_seconds=0.05)
    for message in (
        state(0, "WARMING_UP"),
        estimate(5),
        estimate(5.5),
        estimate(6, "rock"),
        health(6, 1, 100),
    ):
        history(message)
    history({"type": "spectrum", "data": "x"})
    history.close()
    history.close()
    history(estimate(7))  # too late, and no harm
    assert (history.dropped, history.lost) == (0, 0)
    assert query(path, "SELECT id, source, model, model_version, started, ended FROM sessions") == [
        (1, "radio", "net", "1.2", 1_000, 1_006)
    ]
    assert query(path, "SELECT * FROM segments") == [
        (1, 1, "jazz", "LISTENING", 1_000, 1_005.5, 5.5, 0.8, 2),
        (1, 2, "rock", "LISTENING", 1_005.5, 1_006, 0.5, 0.8, 1),
    ]
    assert query(path, "SELECT kind FROM events") == [("warming_up",), ("gap",)]
    assert query(path, "PRAGMA journal_mode") == [("wal",)]
    assert query(path, "PRAGMA user_version") == [(VERSION,)]


def test_file_and_folder_are_for_this_user_only(path: Path, recorder: Recorder) -> None:
    previous = os.umask(0)
    try:
        recorder.take(estimate(5))
        recorder.flush()
    finally:
        os.umask(previous)
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    beside = sorted(each.name for each in path.parent.iterdir())
    assert beside == ["history.sqlite", "history.sqlite-shm", "history.sqlite-wal"]
    assert {stat.S_IMODE(each.stat().st_mode) for each in path.parent.iterdir()} == {0o600}


def test_a_source_whose_name_is_no_text_is_recorded_all_the_same(path: Path, recorder: Recorder) -> None:
    """The name of a file may hold any bytes; SQLite refused it, and with it everything else."""
    recorder.take(estimate(5, source="caf\udce9.mp3"))
    recorder.flush()
    assert query(path, "SELECT source FROM sessions") == [(r"caf\udce9.mp3",)]


CHILD = """
import json, os, sys, threading
from pathlib import Path
from realtime.clock import SystemClock
from realtime.history import History
from tests.test_history import estimate, state, until
"""


def child(script: str, *words: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", CHILD + script, *words],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_kill_9_loses_no_more_than_what_was_not_flushed(path: Path) -> None:
    process = child(
        """
history = History(Path(sys.argv[1]), SystemClock(), flush_seconds=0.05)
for n in range(10):
    history(estimate(5 + n / 2))
print("published", flush=True)
sys.stdin.read()
""",
        str(path),
    )
    with process:
        assert process.stdout is not None
        assert process.stdout.readline() == "published\n"
        until(lambda: written(path) == 10)
        process.send_signal(signal.SIGKILL)
    assert process.returncode == -signal.SIGKILL
    with closing(open_history(path)) as connection:
        (session,) = read_sessions(connection, 0, time.time() + 60)
        assert (session["ended"], session["broken_off"], session["running"]) == (None, True, False)
        assert session["seconds"] == {"jazz": 9.5}
        (session,) = read_sessions(connection, 0, session["seen"] + 1)
        assert (session["broken_off"], session["running"]) == (False, True)
    assert query(path, "PRAGMA integrity_check") == [("ok",)]


def test_two_programs_with_several_sources_write_one_file(path: Path) -> None:
    script = """
history = History(Path(sys.argv[1]), SystemClock(), flush_seconds=0.01)
sys.stdin.readline()  # so that both write at the same time
for n in range(200):
    for source in ("a", "b", "c"):
        history(estimate(5 + n / 2, ("jazz", "rock")[n % 2], source=source))
    threading.Event().wait(0.002)
history.close()
print(json.dumps([history.dropped, history.lost]))
"""
    processes = [child(script, str(path)) for _ in range(2)]
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    for process in processes:
        told, complaint = process.communicate(timeout=60)
        assert (json.loads(told), complaint) == ([0, 0], "")
    found = query(path, "SELECT source, count(*) FROM sessions WHERE ended = 1104.5 GROUP BY source")
    assert found == [("a", 2), ("b", 2), ("c", 2)]
    assert query(path, "SELECT DISTINCT session, count(*) FROM segments GROUP BY session") == [
        (number, 200) for number in range(1, 7)
    ]


def may_mount() -> bool:
    """Whether this process holds CAP_SYS_ADMIN."""
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
    except OSError:
        return False
    return any(line.startswith("CapEff:") and int(line.split()[1], 16) >> 21 & 1 for line in lines)


FULL_DISK = """
import resource
path, how = Path(sys.argv[1]), sys.argv[2]
ballast = path.parent.parent / "ballast"
def no_room():
    if how == "limit":
        resource.setrlimit(resource.RLIMIT_FSIZE, (40_000, resource.RLIM_INFINITY))
    else:
        try:
            with ballast.open("wb", buffering=0) as file:
                while file.write(bytes(512)):
                    pass
        except OSError:
            pass
def room():
    if how == "limit":
        resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    else:
        ballast.unlink()
import logging
lines = []
class Keep(logging.Handler):
    def emit(self, record):
        lines.append(record.getMessage())
logging.getLogger().addHandler(Keep())
logging.getLogger().setLevel(logging.INFO)
history = History(path, SystemClock(), flush_seconds=0.01)
history(estimate(5))
until(path.exists)
no_room()
n = 0
def publish():
    global n
    n += 1
    history(estimate(5 + n / 2, ("jazz", "rock")[n % 2]))
    return any("cannot be written" in line for line in lines)
until(publish)
for _ in range(50):
    publish()
alive = history._thread.is_alive()
room()
until(lambda: any("written again" in line for line in lines))
history.close()
print(json.dumps([n + 1, alive, history.dropped, history.lost, lines]))
"""


@pytest.mark.parametrize("how", ["limit", *(["tmpfs"] if may_mount() else [])])
def test_a_full_disk_is_survived_and_nothing_is_lost_when_space_comes_back(tmp_path: Path, how: str) -> None:
    """Everybody can limit a file's size, which SQLite meets as an error of the disk; root has a real disk."""
    disk = tmp_path / "disk"
    disk.mkdir()
    if how == "tmpfs":
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=192k", "tmpfs", str(disk)], check=True)
    try:
        path = disk / "overheard" / "history.sqlite"
        told, complaint = child(FULL_DISK, str(path), how).communicate(timeout=120)
        assert told, complaint
        count, alive, dropped, lost, lines = json.loads(told)
        assert (alive, dropped, lost) == (True, 0, 0)
        assert sum("cannot be written" in line for line in lines) == 1  # though it was tried many times
        remedy = "look whether its disk is full" if how == "limit" else "free some space"
        assert remedy in next(line for line in lines if "cannot be written" in line)
        assert query(path, "SELECT sum(estimates) FROM segments") == [(count,)]
        assert query(path, "PRAGMA integrity_check") == [("ok",)]
    finally:
        if how == "tmpfs":
            subprocess.run(["umount", str(disk)], check=True)


def test_a_locked_file_is_told_once_a_minute_and_written_when_it_is_free(
    path: Path, recorder: Recorder, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    recorder.take(estimate(5))
    recorder.flush()
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        for second in range(0, 121, 5):
            clock_of(recorder).now = 200.0 + second
            recorder.take(estimate(6 + second, ("jazz", "rock")[second % 2]))
            recorder.flush(dropped=3)
        assert [record.levelname for record in caplog.records] == ["WARNING"] * 3
        assert caplog.messages[-1] == (
            f"the history {path} cannot be written: database is locked; end the program that keeps it locked "
            "(24 rows wait, 0 and 3 messages were lost; it is tried again)"
        )
        other.execute("ROLLBACK")
    recorder.flush(dropped=3)
    assert caplog.messages[3:] == [f"the history {path} is written again; 0 rows were lost"]
    assert query(path, "SELECT sum(estimates) FROM segments") == [(26,)]


def test_rows_beyond_what_memory_may_hold_are_lost_oldest_first_and_counted(path: Path) -> None:
    path.parent.parent.mkdir()
    path.parent.write_text("a file where the folder should be")
    recorder = Recorder(Store(path), VirtualClock())
    for n in range(WAITING_ROWS + 11):
        recorder.take(estimate(5 + n / 2, ("jazz", "rock")[n % 2]))
    recorder.flush()
    assert recorder.lost == 10
    path.parent.unlink()
    recorder.flush()
    numbers = query(path, "SELECT min(number), max(number), count(*) FROM segments")
    assert numbers == [(11, WAITING_ROWS + 11, WAITING_ROWS + 1)]
    recorder.close()


def test_the_analysis_is_never_made_to_wait_and_what_does_not_fit_is_counted(path: Path) -> None:
    Recorder(Store(path), VirtualClock()).close()
    first = History(path, SystemClock(), flush_seconds=0.01)
    first(estimate(5))
    first.close()
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        history = History(path, SystemClock(), flush_seconds=0.01, busy_seconds=3.0)
        history(estimate(5))
        until(lambda: history._queue.empty())  # now the thread waits for the lock
        threading.Event().wait(0.1)
        began = time.monotonic()
        for n in range(QUEUED_MESSAGES + 500):
            history(estimate(6 + n / 2))
        assert time.monotonic() - began < 1.0
        assert history.dropped == 500
        other.execute("ROLLBACK")
    history.close()
    assert query(path, "SELECT sum(estimates) FROM segments") == [(1 + 1 + QUEUED_MESSAGES,)]


def test_closing_does_not_wait_for_ever_for_a_lock(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    first = Recorder(Store(path), VirtualClock())
    first.take(estimate(5))
    first.close()
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        history = History(path, SystemClock(), busy_seconds=0.2)
        history(estimate(5))
        began = time.monotonic()
        history.close()
        assert time.monotonic() - began < 3
        assert history.lost == 2  # a segment and the session's end
    assert caplog.messages[-1] == "the history lost 2 rows that could not be written any more"


READ_ONLY = """
folder = Path(sys.argv[1])
if os.geteuid() == 0:
    os.seteuid(65_534)  # root may write anywhere
import logging
logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stdout)
history = History(folder / "history.sqlite", SystemClock(), flush_seconds=0.01)
history(estimate(5))
sys.stdin.readline()
(history(estimate(6)), history.close())
"""


@pytest.mark.parametrize("what", ["folder", "file"])
def test_what_may_not_be_written_is_told_with_the_remedy_and_written_once_it_may(what: str) -> None:
    folder = Path(tempfile.mkdtemp(prefix="overheard-"))  # one that another user reaches, unlike tmp_path
    target = folder
    try:
        if what == "file":
            target = folder / "history.sqlite"
            recorder = Recorder(Store(target), VirtualClock())
            recorder.take(estimate(1))
            recorder.close()
        for each in (folder, *folder.iterdir()):
            if os.geteuid() == 0:
                os.chown(each, 65_534, 65_534)
        folder.chmod(0o700)
        target.chmod(0o500)
        process = child(READ_ONLY, str(folder))
        assert process.stdout is not None
        line = process.stdout.readline()
        assert "cannot be written" in line, process.communicate()
        assert "make the file and its folder writable" in line
        target.chmod(0o700)
        told, complaint = process.communicate("\n", timeout=30)
        assert told.startswith("the history")
        assert told.endswith("is written again; 0 rows were lost\n"), complaint
        expected = [(2,)] if what == "folder" else [(3,)]
        assert query(folder / "history.sqlite", "SELECT sum(estimates) FROM segments") == expected
    finally:
        shutil.rmtree(folder)


def damage_the_header(path: Path) -> None:
    path.write_bytes(b"this is no database" * 1_000)


def damage_the_middle(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[4_096:] = b"\xa5" * (len(content) - 4_096)
    path.write_bytes(content)


def cut_off(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:60])


@pytest.mark.parametrize("damage", [damage_the_header, damage_the_middle, cut_off])
def test_a_damaged_file_is_kept_under_another_name_and_a_new_one_begun(
    path: Path, recorder: Recorder, damage: Callable[[Path], None], caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(2):  # twice within a second: the second must not replace the first
        before = Recorder(Store(path), VirtualClock())
        before.take(estimate(5))
        before.close()
        damage(path)
        damaged = path.read_bytes()
        after = Recorder(Store(path), VirtualClock())
        after.take(estimate(5, "rock"))
        after.flush()
        after.close()
        assert query(path, "SELECT genre FROM segments") == [("rock",)]
        kept = [each for each in path.parent.iterdir() if ".damaged-" in each.name]
        assert damaged in [each.read_bytes() for each in kept]
        assert f"the history {path} is damaged" in caplog.messages[-1]
        assert any(each.name in caplog.messages[-1] for each in kept)
        path.unlink()
    assert len(kept) == 2
    assert after.lost == 0


def test_a_folder_that_vanishes_is_made_again_with_the_session(
    path: Path, recorder: Recorder, caplog: pytest.LogCaptureFixture
) -> None:
    """SQLite would go on writing to the deleted file, and nobody would ever read it."""
    recorder.take(estimate(5))
    recorder.flush()
    shutil.rmtree(path.parent)
    recorder.take(estimate(5.5))
    recorder.flush()
    assert caplog.messages == [f"the history {path} was moved or deleted; it is begun anew"]
    assert query(path, "SELECT source, ended FROM sessions") == [("radio", None)]
    assert query(path, "SELECT estimates FROM segments") == [(2,)]


@pytest.mark.parametrize(
    ("pragmas", "sentence"),
    [
        (
            f"PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = {VERSION + 1}",
            f"the history {{}} has version {VERSION + 1}, and this program knows up to {VERSION}; "
            "update Overheard or name another file",
        ),
        ("PRAGMA user_version = 1", "{} is a database of another program; name another file for the history"),
    ],
)
def test_what_is_not_ours_is_refused_in_one_sentence_and_not_touched(
    path: Path, recorder: Recorder, pragmas: str, sentence: str, caplog: pytest.LogCaptureFixture
) -> None:
    path.parent.mkdir(parents=True)
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(f"PRAGMA journal_mode = WAL; {pragmas}; CREATE TABLE theirs (x)")
    content, changed = path.read_bytes(), path.stat().st_mtime_ns
    for n in range(3):
        clock_of(recorder).now += 100
        recorder.take(estimate(5 + n / 2, ("jazz", "rock")[n % 2]))
        recorder.flush()
    assert caplog.messages == [sentence.format(path) + "; nothing is recorded"]
    assert recorder.lost == 2
    with pytest.raises(HistoryError) as refusal:
        open_history(path)
    assert str(refusal.value) == sentence.format(path)
    assert (path.read_bytes(), path.stat().st_mtime_ns) == (content, changed)
    assert [each.name for each in path.parent.iterdir()] == [path.name]


def test_a_newer_change_that_waits_in_the_log_beside_the_file_is_seen_too(
    path: Path, recorder: Recorder, caplog: pytest.LogCaptureFixture
) -> None:
    recorder.take(estimate(5))
    recorder.close()
    with closing(sqlite3.connect(path)) as newer:
        newer.execute(f"PRAGMA user_version = {VERSION + 1}")
        again = Recorder(Store(path), VirtualClock())
        again.take(estimate(5))
        again.flush()
    assert f"has version {VERSION + 1}" in caplog.messages[0]


def test_where_the_history_lies() -> None:
    assert default_path({"XDG_DATA_HOME": "/data"}) == Path("/data/overheard/history.sqlite")
    home = Path.home() / ".local/share/overheard/history.sqlite"
    assert default_path({}) == default_path({"XDG_DATA_HOME": "relative"}) == home
    assert chosen_path("auto", {"XDG_DATA_HOME": "/data"}) == Path("/data/overheard/history.sqlite")
    assert chosen_path("off") is None
    assert chosen_path("~/h.sqlite") == Path.home() / "h.sqlite"


# The command


@pytest.fixture
def recorded(path: Path) -> Path:
    """Three sessions: one that ended, one that was broken off, one that runs."""
    clock = VirtualClock()
    for offset, source, over in ((0, "radio", True), (90_000, "mic\x1b[2J", False)):
        recorder = Recorder(Store(path, "net", "1.2"), clock)
        given = [state(0, "WARMING_UP"), *(estimate(5 + n / 2) for n in range(19))]
        given += [estimate(14.5, "rock"), estimate(15, "rock"), estimate(15.5, "rock", "NOT_MUSIC")]
        given += [messages.title_message("radio", 1_015.6, "T\x1b[2J")]
        for message in given:
            captured_at = UNIX_OFFSET + offset + message["captured_at"] - 1_000
            recorder.take(message | {"source": source, "captured_at": captured_at})
        clock.now = 100.0 + offset
        recorder.close() if over else recorder.flush()
        recorder._store.close()
    running = Recorder(Store(path, "net", "1.2"), SystemClock())
    running.take(estimate(0) | {"captured_at": time.time()})
    running.flush()
    running._store.close()
    return path


def overheard(*words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """The command in a process of its own, by its function: the entry point is tested with the others."""
    script = (
        "import sys\nfrom models.errors import OverheardError\nfrom realtime.history_command import command\n"
        "try: sys.exit(command(sys.argv[1:]))\n"
        "except OverheardError as error: print(error, file=sys.stderr); sys.exit(2)"
    )
    return subprocess.run(
        [sys.executable, "-c", script, *words],
        capture_output=True,
        text=True,
        timeout=60,
        cwd=ROOT,
        env=os.environ | {"TZ": "UTC"} | environment,
        check=False,
    )


def test_the_command_lists_sessions(recorded: Path) -> None:
    done = overheard("--file", str(recorded))
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    heard = "jazz 0:00:14, rock 0:00:01, not music 0:00:00"
    assert lines[0] == f"    1  2023-11-14 22:13:20    0:00:16  radio  {heard}"
    assert lines[1].startswith("    2  2023-11-15 23:13:20    0:01:40 (broken off)  mic?[2J  jazz 0:00:14")
    assert "(running)" in lines[2]


def test_the_command_speaks_json_one_object_a_line(recorded: Path) -> None:
    done = overheard("--json", OVERHEARD_HISTORY=str(recorded))
    sessions = [json.loads(line) for line in done.stdout.splitlines()]
    assert [(each["id"], each["running"], each["broken_off"]) for each in sessions] == [
        (1, False, False),
        (2, False, True),
        (3, True, False),
    ]
    assert sessions[0]["seconds"] == {"jazz": 14.0, "rock": 1.0, "NOT_MUSIC": 0.5}
    assert (sessions[0]["started"], sessions[0]["ended"]) == (UNIX_OFFSET, UNIX_OFFSET + 15.6)


def test_the_command_shows_one_session_with_times_and_totals(recorded: Path) -> None:
    done = overheard("--file", str(recorded), "--session", "1")
    assert done.stdout.splitlines() == [
        "session 1: radio",
        "2023-11-14 22:13:20 to 2023-11-14 22:13:35",
        "model net 1.2",
        "",
        "2023-11-14 22:13:20    0:00:14  jazz  80%",
        "2023-11-14 22:13:20             [warming up]",
        "2023-11-14 22:13:34    0:00:01  rock  80%",
        "2023-11-14 22:13:35    0:00:00  not music",
        "2023-11-14 22:13:35             [title: T?[2J]",
        "",
        "in total",
        "  0:00:14   90%  jazz",
        "  0:00:01    6%  rock",
        "  0:00:00    3%  not music",
    ]
    done = overheard("--file", str(recorded), "--session", "1", "--json")
    session = json.loads(done.stdout)
    assert [segment["genre"] for segment in session["segments"]] == ["jazz", "rock", None]
    assert [event["kind"] for event in session["events"]] == ["warming_up", "title"]


def test_the_command_keeps_to_a_date(recorded: Path) -> None:
    def since(date: str) -> list[int]:
        done = overheard("--file", str(recorded), "--json", "--since", date)
        return [json.loads(line)["id"] for line in done.stdout.splitlines()]

    assert since("2023-11-14") == [1, 2, 3]
    assert since("2023-11-15") == since("2023-11-15T23:14:00") == [2, 3]
    assert since("2023-11-15T23:16:00+00:00") == [3]
    assert overheard("--file", str(recorded), "--since", "2999-01-01").stdout.startswith("no such session")


def test_the_command_explains_what_is_wrong_in_one_sentence(recorded: Path, tmp_path: Path) -> None:
    def refused(*words: str) -> str:
        done = overheard(*words)
        assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1), done
        return done.stderr.strip()

    missing = tmp_path / "none.sqlite"
    assert refused("--file", str(missing)).startswith(
        f"there is no history at {missing}; it is written while"
    )
    assert not missing.exists()
    missing.touch()  # one that is just being made
    assert refused("--file", str(missing)).startswith(
        f"there is no history at {missing}; it is written while"
    )
    at = ("--file", str(recorded))
    assert refused(*at, "--session", "9") == "no session 9; there are 3, the last is 3"
    assert refused(*at, "--since", "soon").startswith("--since is 'soon'; it must be a date such as")
    damage_the_header(missing)
    assert refused("--file", str(missing)) == f"cannot read the history {missing}: file is not a database"
    damage_the_middle(recorded)
    assert (
        refused(*at, "--session", "1")
        == f"cannot read the history {recorded}: database disk image is malformed"
    )
    assert refused("--file", str(tmp_path)) == f"cannot read the history {tmp_path}: Is a directory"


def test_reading_changes_nothing_and_works_where_nothing_may_be_written(recorded: Path) -> None:
    content = recorded.read_bytes()
    with closing(open_history(recorded)) as connection:
        session = read_session(connection, 1, time.time())
    assert session["source"] == "radio"
    assert recorded.read_bytes() == content
    script = (
        "import os, sys\nfrom pathlib import Path\nfrom realtime.history_command import *\n"
        "if os.geteuid() == 0: os.seteuid(65_534)\n"
        "print(len(read_sessions(open_history(Path(sys.argv[1])), 0, 0)))"
    )
    folder = Path(tempfile.mkdtemp(prefix="overheard-"))
    try:
        copy = folder / "history.sqlite"
        copy.write_bytes(content)
        copy.chmod(0o444)
        folder.chmod(0o555)
        done = subprocess.run(
            [sys.executable, "-c", script, str(copy)], capture_output=True, text=True, cwd=ROOT, check=False
        )
        assert (done.stdout, done.stderr) == ("3\n", "")
    finally:
        folder.chmod(0o700)
        shutil.rmtree(folder)
