"""Analysis of an uploaded file by the real command: limits, cancelling and cleanup."""

from __future__ import annotations

import fcntl
import io
import os
import subprocess
import sys
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dashboard.i18n.translator import Translator
from dashboard.uploads import analysis_job
from dashboard.uploads.analysis_job import AnalysisJob, Limits, resident_bytes
from dashboard.viewmodels.file import explanation_images, merge_bands
from models.audio.file import decode_file
from tests.support.audio import tone, write
from tests.support.paths import DEMONSTRATION
from tests.support.waiting import wait_until
from training.data.windows import SAMPLE_RATE

PATIENCE_SECONDS = 90.0


def analyze(content: bytes, name: str = "song.opus", limits: Limits | None = None) -> AnalysisJob:
    """Run a job to its end."""
    job = AnalysisJob(name, limits)
    job.start(io.BytesIO(content))
    wait(job)
    return job


def wait(job: AnalysisJob) -> None:
    wait_until(lambda: job.done, PATIENCE_SECONDS)


@pytest.fixture(scope="module")
def demonstration(tmp_path_factory: pytest.TempPathFactory) -> AnalysisJob:
    """Twenty seconds of the demonstration, in which the genre changes twice."""
    song = decode_file(str(DEMONSTRATION), SAMPLE_RATE)
    part = np.concatenate(
        [song[start * SAMPLE_RATE : end * SAMPLE_RATE] for start, end in ((12, 19), (84, 90), (130, 137))]
    )
    return analyze(
        write(tmp_path_factory.mktemp("song") / "song.flac", part, SAMPLE_RATE, "flac").read_bytes()
    )


def test_a_file_gets_its_genres_its_picture_and_its_tempo(demonstration: AnalysisJob) -> None:
    assert demonstration.fault == ""
    assert demonstration.summary is not None
    assert demonstration.summary["seconds"] == pytest.approx(20, abs=0.01)
    folded = merge_bands(demonstration.estimates)
    assert len({band.genre for band in folded}) > 2, "the demonstration has several genres"
    assert folded[0].start == 0
    assert all(one.end == two.start for one, two in pairwise(folded))
    assert demonstration.explanation is not None
    seen, mattered, fall = explanation_images(demonstration.explanation)
    assert seen.shape == mattered.shape == (512, 512, 3)
    assert (mattered <= seen).all()
    assert 0 < fall <= demonstration.explanation["probability"]


@pytest.mark.parametrize(
    "content",
    [b"", b"not a song", b"#EXTM3U\n#EXTINF:10,\n/etc/passwd\n#EXT-X-ENDLIST\n", os.urandom(100_000)],
    ids=["empty", "text", "playlist", "noise"],
)
def test_a_file_without_audio_is_refused_in_one_sentence(content: bytes) -> None:
    job = analyze(content, "song.mp3")
    assert job.fault == "unreadable"
    assert job.detail
    assert "/dev/fd" not in job.detail


def test_every_fault_has_a_text() -> None:
    translator = Translator("en")
    for fault in (
        "too_large",
        "too_long",
        "too_slow",
        "too_much_memory",
        "unreadable",
        "broken",
        "cancelled",
        "abandoned",
    ):
        assert translator(f"file.fault.{fault}", limit=1)


def test_too_many_bytes_are_refused_before_anything_is_decoded() -> None:
    job = AnalysisJob("big.wav", Limits(file_bytes=1000))
    job.start(io.BytesIO(bytes(2_000)))
    assert (job.done, job.fault) == (True, "too_large")


def test_sound_time_and_memory_are_bounded() -> None:
    content = DEMONSTRATION.read_bytes()
    assert analyze(content, limits=Limits(audio_seconds=10)).fault == "too_long"
    assert analyze(content, limits=Limits(run_seconds=0.1)).fault == "too_slow"
    assert analyze(content, limits=Limits(memory_bytes=1 << 20)).fault == "too_much_memory"


@pytest.fixture(scope="module")
def long(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two minutes of audio, whose analysis is ended long before it is done."""
    return write(tmp_path_factory.mktemp("long") / "long.wav", tone(440, 120), 22_050)


def test_a_cancelled_job_ends_at_once_and_the_next_one_starts(long: Path) -> None:
    first, second = AnalysisJob("long.wav"), AnalysisJob("short.wav")
    with long.open("rb") as content:
        first.start(content)
    second.start(io.BytesIO(DEMONSTRATION.read_bytes()[:100]))
    first.cancel()
    wait(first)
    wait(second)
    assert (first.fault, second.fault) == ("cancelled", "unreadable")


def test_a_job_of_a_closed_page_ends_and_the_next_one_starts(long: Path) -> None:
    """Regression: after a user closed the tab, others waited up to a quarter of an hour for each file."""
    first = AnalysisJob("long.wav", Limits(unseen_seconds=0.1))
    with long.open("rb") as content:
        first.start(content)
    second = AnalysisJob("short.wav", Limits(unseen_seconds=PATIENCE_SECONDS))
    second.start(io.BytesIO(DEMONSTRATION.read_bytes()[:100]))
    wait(first)
    wait(second)
    assert (first.fault, second.fault) == ("abandoned", "unreadable")


@pytest.fixture
def child(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], list[subprocess.Popen[str]]]:
    """``child(code)`` replaces the analysis by a Python script, and returns the list of started processes."""
    real = subprocess.Popen

    def replace(code: str) -> list[subprocess.Popen[str]]:
        started: list[subprocess.Popen[str]] = []

        def start(_command: list[str], **options: Any) -> subprocess.Popen[str]:
            started.append(real([sys.executable, "-c", code], **options))
            return started[-1]

        monkeypatch.setattr(subprocess, "Popen", start)
        return started

    return replace


def test_a_child_with_much_error_output_ends(
    child: Callable[[str], list[subprocess.Popen[str]]],
) -> None:
    """Regression: only the beginning was read, so that a full pipe blocked the child until its time limit."""
    child("import sys\nfor i in range(20_000): print('fault', i, file=sys.stderr)\nsys.exit(2)")
    job = analyze(b"content", limits=Limits(run_seconds=30))
    assert job.fault == "unreadable"
    assert job.detail.endswith("fault 19999")


def test_a_child_that_prints_no_json_is_ended(
    child: Callable[[str], list[subprocess.Popen[str]]],
) -> None:
    """Regression: the child kept running beside the next one, for up to a quarter of an hour."""
    started = child("import time\nprint('{not JSON', flush=True)\ntime.sleep(60)")
    assert analyze(b"content").fault == "broken"
    assert started[0].poll() is not None


@pytest.mark.parametrize("ending", ["sys.exit()", "os.kill(os.getpid(), signal.SIGKILL)"])
def test_a_child_ends_with_the_server(tmp_path: Path, ending: str) -> None:
    """Regression: the child outlived the server without limits. It holds a lock for as long as it lives."""
    lock = tmp_path / "lock"
    child = f"import fcntl, time; file = open({str(lock)!r}, 'w'); fcntl.flock(file, 2); time.sleep(600)"
    server = f"""
import fcntl, io, os, signal, subprocess, sys, time
from dashboard.uploads.analysis_job import AnalysisJob
real = subprocess.Popen
subprocess.Popen = lambda command, **options: real(
    [sys.executable, "-c", {child!r}] if command[0] == "nice" else command, **options)
AnalysisJob("song").start(io.BytesIO(b"content"))
while True:
    try:
        with open({str(lock)!r}, "w") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        break
    time.sleep(0.01)
{ending}
"""
    done = subprocess.run([sys.executable, "-c", server], timeout=PATIENCE_SECONDS, check=False)
    assert done.returncode in (0, -9)
    with lock.open("w") as file:

        def is_free() -> bool:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return False
            return True

        wait_until(is_free, 10)


def test_a_full_disk_is_a_fault_of_this_file_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Regression: the page failed, and the file waited for its turn forever."""

    class Full(io.BytesIO):
        def write(self, piece: object) -> int:
            raise OSError(28, "No space left on device")

    monkeypatch.setattr("tempfile.TemporaryFile", Full)
    job = analyze(b"content")
    assert job.fault == "broken"
    assert "No space left" in job.detail


def test_the_uploaded_file_never_has_a_name_on_the_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    job = AnalysisJob("song.opus")
    job.start(io.BytesIO(DEMONSTRATION.read_bytes()))
    assert list(tmp_path.iterdir()) == [], "the file must have no name even during the analysis"
    job.cancel()
    wait(job)


def test_explaining_is_distinguished_from_analyzing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Regression: for half a minute the page showed "Analyzed so far: 2:00", as if it hung."""
    now = 100.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    job = AnalysisJob("song.mp3")
    job.running = True
    now += 60.0
    assert not job.explaining, "the job has not begun to analyze"
    estimate = {"state": "LISTENING", "label": "jazz", "stable_label": "jazz"}
    job._handle_message({"type": "estimate", "estimate": estimate, "start_seconds": 0.0, "end_seconds": 5.0})
    assert not job.explaining
    now += analysis_job.QUIET_SECONDS + 0.1
    assert job.explaining
    job._handle_message({"type": "picture"})
    assert not job.explaining


def test_memory_is_that_of_the_process_and_none_when_it_has_ended() -> None:
    code = "x = b'x' * 50_000_000; print(flush=True); input()"
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as child:
        assert child.stdout is not None
        child.stdout.readline()
        assert 50_000_000 < resident_bytes(child.pid) < 200_000_000
        child.communicate(b"\n")
    assert resident_bytes(child.pid) == 0
