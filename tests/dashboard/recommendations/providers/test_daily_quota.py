"""Daily quota in a file, shared by several processes, until midnight in Los Angeles."""

from __future__ import annotations

import logging
import os
import sqlite3
import subprocess
import sys
import threading
from datetime import UTC, datetime
from pathlib import Path

import pytest

from dashboard.recommendations.providers import daily_quota
from dashboard.recommendations.providers.daily_quota import DailyQuota, pacific_zone
from tests.support.services.faulty_http import MovableClock
from tests.support.waiting import at_most

HOUR = 3600
PATIENCE_SECONDS = 60.0
"""Longer than any process holds the file, even on a busy machine."""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "kept" / "budget.sqlite"


def at(*parts: int) -> MovableClock:
    return MovableClock(datetime(*parts, tzinfo=UTC))  # type: ignore[arg-type, misc]  # year, month, ...


def test_searches_are_counted_and_end(path: Path) -> None:
    quota = DailyQuota(path, MovableClock(), searches=3)
    assert [quota.take() for _ in range(5)] == [True, True, True, False, False]
    assert quota.left == 0
    quota.give_back()
    assert quota.left == 1


def test_some_are_kept_back_for_a_persons_clicks(path: Path) -> None:
    quota = DailyQuota(path, MovableClock(), searches=12)
    assert [quota.take(reserved=10) for _ in range(3)] == [True, True, False]
    assert [quota.take() for _ in range(11)] == [True] * 10 + [False]


def test_the_count_survives_a_restart_and_only_the_owner_may_read_it(path: Path) -> None:
    assert DailyQuota(path, MovableClock(), searches=3).take()
    assert DailyQuota(path, MovableClock(), searches=3).left == 2
    assert path.stat().st_mode & 0o777 == 0o600 or os.name == "nt"


def test_a_file_that_others_may_read_is_closed_to_them(path: Path) -> None:
    path.parent.mkdir()
    path.touch(0o644)
    DailyQuota(path, MovableClock()).take()
    assert path.stat().st_mode & 0o777 == 0o600 or os.name == "nt"


@pytest.mark.parametrize(
    ("now", "midnight"),
    [
        ((2026, 11, 22, 12), (2026, 11, 23, 8)),  # winter: UTC-8
        ((2026, 11, 22, 7, 59), (2026, 11, 22, 8)),
        ((2026, 7, 1, 12), (2026, 7, 2, 7)),  # summer: UTC-7
        ((2026, 3, 8, 9), (2026, 3, 9, 7)),  # the day with 23 hours
        ((2026, 3, 8, 7, 59), (2026, 3, 8, 8)),  # the evening before it
        ((2026, 11, 1, 8), (2026, 11, 2, 8)),  # the day with 25 hours
        ((2026, 11, 1, 6, 59), (2026, 11, 1, 7)),  # the evening before it
    ],
)
def test_it_is_midnight_in_los_angeles(path: Path, now: tuple[int, ...], midnight: tuple[int, ...]) -> None:
    clock = at(*now)
    quota = DailyQuota(path, clock, searches=1)
    resets_at = quota.resets_at()
    assert resets_at == at(*midnight).now().replace(microsecond=0)
    assert resets_at.utcoffset() is not None
    assert quota.take()
    assert not quota.take()
    clock.move((resets_at - clock.now()).total_seconds() - 30)
    assert not quota.take(), "the day is not over"
    clock.move(31)
    assert quota.take()
    assert quota.resets_at() > resets_at


@pytest.mark.parametrize(
    "content",
    [b"not a database, but long enough to be one" * 50, b"{}", b"\0" * 4096],
    ids=["text", "json", "zeros"],
)
def test_a_damaged_file_is_replaced_and_logged(
    path: Path, content: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    path.parent.mkdir()
    path.write_bytes(content)
    quota = DailyQuota(path, MovableClock(), searches=2)
    assert quota.left == 2
    assert [quota.take() for _ in range(3)] == [True, True, False]
    assert [record.levelno for record in caplog.records] == [logging.WARNING]
    assert "damaged" in caplog.text
    assert DailyQuota(path, MovableClock(), searches=2).left == 0, "from now on it is counted"


@pytest.mark.parametrize("value", ["many", -4, 2.5, b"\0"])
def test_a_count_that_is_none_is_begun_anew(path: Path, value: object) -> None:
    clock = MovableClock()
    DailyQuota(path, clock).take()
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE days SET used = ?", (value,))
    connection.close()
    assert DailyQuota(path, clock).left == 100


def test_a_table_of_other_columns_is_begun_anew(path: Path) -> None:
    path.parent.mkdir()
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE days (a, b, c)")
    connection.close()
    assert [DailyQuota(path, MovableClock(), searches=1).take() for _ in range(2)] == [True, False]


def test_a_place_that_cannot_be_written_counts_in_memory(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").touch()
    quota = DailyQuota(tmp_path / "file" / "budget", MovableClock(), searches=2)
    assert [quota.take() for _ in range(3)] == [True, True, False]
    assert len(caplog.records) == 1, "it is told of once"


def test_a_file_that_another_process_holds_does_not_hang(path: Path) -> None:
    clock = MovableClock()
    quota = DailyQuota(path, clock, searches=2)
    assert quota.take()
    holder = sqlite3.connect(path, isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    with at_most(3.5):
        assert [quota.take() for _ in range(2)] == [True, False], "it goes on from what it last read"
    holder.close()


def test_what_the_service_says_counts(path: Path) -> None:
    clock = MovableClock()
    DailyQuota(path, clock).exhaust()
    assert DailyQuota(path, clock).left == 0


def test_threads_and_processes_share_the_searches(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two processes and four threads of this process try 40 times each. 60 tries succeed."""
    monkeypatch.setattr(daily_quota, "LOCK_TIMEOUT_SECONDS", PATIENCE_SECONDS)
    code = (
        "import sys; from pathlib import Path\n"
        "from dashboard.recommendations.providers import daily_quota\n"
        "from dashboard.recommendations.providers.daily_quota import DailyQuota\n"
        "from tests.support.services.faulty_http import MovableClock\n"
        f"daily_quota.LOCK_TIMEOUT_SECONDS = {PATIENCE_SECONDS}\n"
        "quota = DailyQuota(Path(sys.argv[1]), MovableClock(), searches=60)\n"
        "print(sum(quota.take() for _ in range(40)))"
    )
    others = [
        subprocess.Popen([sys.executable, "-c", code, str(path)], stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    quota = DailyQuota(path, MovableClock(), searches=60)
    taken: list[bool] = []

    def work() -> None:
        taken.extend(quota.take() for _ in range(10))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(taken) + sum(int(other.communicate()[0]) for other in others) == 60


def test_a_system_without_time_zones_says_so(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    zone = pacific_zone("Nowhere/At_All")
    assert "pip install tzdata" in caplog.text
    summer = DailyQuota(path, at(2026, 7, 1, 12), zone=zone)
    assert summer.resets_at() == datetime(2026, 7, 2, 8, tzinfo=UTC), "an hour late, never early"


WITH_A_FULL_DISK = """
import resource, sys
from pathlib import Path
from dashboard.recommendations.providers.daily_quota import DailyQuota
from tests.support.services.faulty_http import MovableClock
quota = DailyQuota(Path(sys.argv[1]), MovableClock())
limits = resource.getrlimit(resource.RLIMIT_FSIZE)
resource.setrlimit(resource.RLIMIT_FSIZE, (1, limits[1]))
for _ in range(10):
    quota.take()
print(quota.left)
resource.setrlimit(resource.RLIMIT_FSIZE, limits)
quota.take()
"""


@pytest.mark.skipif(sys.platform != "linux", reason="needs Linux")
def test_searches_on_a_full_disk_are_counted_from_the_last_number_and_written_later(path: Path) -> None:
    """On a full disk the count began at 0 again, and was forgotten once the disk had space."""
    earlier = DailyQuota(path, MovableClock())
    for _ in range(60):
        earlier.take()
    done = subprocess.run(
        [sys.executable, "-c", WITH_A_FULL_DISK, str(path)],
        capture_output=True, text=True, timeout=PATIENCE_SECONDS, check=True,
    )  # fmt: skip
    assert done.stdout == "30\n"
    assert done.stderr.count("cannot be used") == 1
    assert earlier.left == 29
