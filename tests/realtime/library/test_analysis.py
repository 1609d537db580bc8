"""Child process that analyzes tracks. A file that kills or hangs it makes one faulty row."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from models.errors import OverheardError
from realtime.library.analysis import TrackAnalyzer, build_row
from realtime.library.discovery import find_tracks
from realtime.library.executors import ProcessTrackExecutor
from realtime.library.track import LibraryTrack
from tests.support.audio import tone, write
from tests.support.cli import run_command
from tests.support.libraries import (
    ANALYSIS_SETTINGS,
    endless_file,
    read_rows,
    settings_with_limit,
    write_tracks,
)
from tests.support.waiting import wait_until
from training.data.windows import SAMPLE_RATE

__all__ = ["endless_file"]  # fixtures

needs_linux = pytest.mark.skipif(sys.platform != "linux", reason="needs Linux")


def is_open(path: Path, process: int) -> bool:
    """Return whether a process has a file open."""
    with contextlib.suppress(OSError):
        return any(os.path.samefile(found, path) for found in Path(f"/proc/{process}/fd").iterdir())
    return False


@needs_linux
@pytest.mark.parametrize(("number", "retry"), [(signal.SIGSEGV, False), (signal.SIGKILL, True)])
def test_a_file_that_kills_its_decoder_costs_one_row(
    number: signal.Signals, retry: bool, endless_file: Path, tmp_path: Path
) -> None:
    """A library has damaged files of any kind. A crash of FFmpeg must not end a run of days."""
    good = write_tracks(tmp_path / "music", 1)[0]
    tracks = [next(find_tracks([str(path)])) for path in (good, endless_file, good)]
    analyzer = TrackAnalyzer(settings_with_limit(60))

    def kill() -> None:
        for _ in range(2):  # it is tried twice
            wait_until(lambda: analyzer._child is not None and is_open(endless_file, analyzer._child.pid))
            assert analyzer._child is not None
            child = analyzer._child
            child.send_signal(number)
            child.wait()

    killing = threading.Thread(target=kill, daemon=True)
    killing.start()
    try:
        first, second, third = list(analyzer.analyze(tracks))
    finally:
        analyzer.close()
    killing.join()
    assert first == third
    assert first["fault"] is None
    assert (second["fault"], second["retry"]) == (f"{endless_file} crashed its decoder: {number.name}", retry)


def test_a_file_that_hangs_its_decoder_costs_one_row(endless_file: Path) -> None:
    analyzer = TrackAnalyzer(settings_with_limit(1))
    try:
        (row,) = list(analyzer.analyze(list(find_tracks([str(endless_file)]))))
    finally:
        analyzer.close()
    assert (row["fault"], row["retry"]) == (f"{endless_file} took longer than 1 s and was stopped", False)


def test_a_row_comes_as_soon_as_its_track_is_analyzed_and_not_with_its_block(
    endless_file: Path, tmp_path: Path
) -> None:
    """A block may take half an hour. Rows that wait for its end would be lost with the process."""
    block = tuple(find_tracks([str(write_tracks(tmp_path / "music", 1)[0]), str(endless_file)]))
    executor = ProcessTrackExecutor(settings_with_limit(60), 1)
    try:
        analyzed = executor.analyze([block])
        assert [row["uri"] for row in next(rows for rows in analyzed if rows)] == [block[0].uri]
        assert next(analyzed) == []
    finally:
        executor.close()


@needs_linux
def test_the_child_ends_with_its_parent_in_the_middle_of_a_file(endless_file: Path) -> None:
    """The children of a killed run once continued to analyze their files, or hung in them."""
    program = (
        "import sys; from realtime.library.analysis import TrackAnalyzer; "
        "from realtime.library.discovery import find_tracks; "
        "from tests.support.libraries import ANALYSIS_SETTINGS; "
        "analyzer = TrackAnalyzer(ANALYSIS_SETTINGS); print(analyzer._ensure_child().pid, flush=True); "
        "list(analyzer.analyze(list(find_tracks(sys.argv[1:]))))"
    )
    command = [sys.executable, "-c", program, str(endless_file)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        poll = select.poll()
        process = os.pidfd_open(child)
        try:
            poll.register(process, select.POLLIN)
            wait_until(lambda: is_open(endless_file, child))
            parent.kill()
            assert poll.poll(10_000), "the child did not end"
        finally:
            os.close(process)


def test_closing_an_analyzer_while_it_starts_a_child_kills_the_child(endless_file: Path) -> None:
    """A child that was just being started once survived Ctrl-C."""
    track = next(find_tracks([str(endless_file)]))
    analyzer = TrackAnalyzer(settings_with_limit(5))
    popen = subprocess.Popen
    closing = threading.Thread(target=analyzer.close)

    def start_slowly(*arguments: Any, **options: Any) -> Any:
        closing.start()
        closing.join(0.2)  # close has to wait until the child is known
        children.append(popen(*arguments, **options))
        return children[0]

    children: list[subprocess.Popen[str]] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(subprocess, "Popen", start_slowly)
        with pytest.raises(OverheardError, match="the run was stopped"):
            list(analyzer.analyze([track]))
    closing.join()
    assert [child.poll() for child in children] == [-signal.SIGKILL]
    with pytest.raises(OverheardError, match="the run was stopped"):
        list(analyzer.analyze([track]))


def test_a_track_that_is_missing_or_changed_on_the_analyzing_computer_is_tried_again(tmp_path: Path) -> None:
    """Tracks in a folder that one computer of a cluster had not mounted were once faulty for good."""
    (tmp_path / "a.wav").write_bytes(b"no sound" * 100)
    (track,) = find_tracks([str(tmp_path)])
    others = [replace(track, size=1), replace(track, modified=1), replace(track, uri="/nowhere/a.wav")]
    analyzer = TrackAnalyzer(ANALYSIS_SETTINGS)
    try:
        *away, bad = list(analyzer.analyze([*others, track]))
    finally:
        analyzer.close()
    changed = f"{track.uri} has changed since it was found, or is another file on this computer"
    missing = "/nowhere/a.wav does not exist or cannot be read: No such file or directory"
    assert [row["fault"] for row in away] == [changed, changed, missing]
    assert [row["retry"] for row in away] == [True, True, True]
    assert not bad["retry"]


def test_names_that_no_terminal_can_show_are_escaped(tmp_path: Path) -> None:
    """The fault of a short file once had its unescaped name, which cannot be stored in a table."""
    sound = tone(440, 1.0)
    short = write(tmp_path / "short.wav", sound, SAMPLE_RATE)
    os.rename(short, os.fsencode(tmp_path) + b"/\xff\x1b[2J.wav")
    done = run_command("library", str(tmp_path), "--out", str(tmp_path / "t"))
    (row,) = read_rows(tmp_path / "t")
    assert row["uri"] == f"{tmp_path}/\\udcff\x1b[2J.wav"
    assert row["fault"].startswith(f"{row['uri']} contains 1.00 s of audio, but one window needs")
    assert f"overheard library: {tmp_path}/\\udcff\\x1b[2J.wav contains 1.00 s" in done.stderr
    assert done.returncode == 1
    assert build_row(LibraryTrack("/a", 1, 1), {"fault": "\udcff is bad"})["fault"] == "\\udcff is bad"
