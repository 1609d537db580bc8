"""``overheard run`` and its children when it is killed."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import psutil
from websockets.sync.client import connect

from tests.support.audio import tone, write
from tests.support.cli import main_error
from tests.support.network import free_port, is_listening
from tests.support.waiting import wait_until


def test_the_page_ends_with_a_killed_analyzer_and_the_next_one_gets_its_ports(
    tmp_path: Path,
) -> None:
    """A page that outlived its analyzer kept the port, so that the next start failed."""
    ports = free_port(), free_port()
    file = write(tmp_path / "tone.wav", tone(440, 30, 22_050), 22_050)
    command = [
        sys.executable, "-m", "realtime.cli", "run", "--source", str(file), "--history", "off",
        "--port", str(ports[0]), "--dashboard-port", str(ports[1]),
    ]  # fmt: skip
    for ending in (signal.SIGKILL, signal.SIGTERM):
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as run:
            try:
                wait_until(lambda: is_listening(ports[1]))
                children = psutil.Process(run.pid).children(recursive=True)
                assert len(children) >= 2, "the page runs in processes of its own"
                run.send_signal(ending)
                printed, _ = run.communicate(timeout=20)
                assert "Open the page at" in printed
                assert run.returncode == (-ending if ending is signal.SIGKILL else 0)
                wait_until(lambda: not any(map(is_listening, ports)), 10)
                assert psutil.wait_procs(children, timeout=10)[1] == []
            finally:
                run.kill()


def test_the_page_under_an_allowed_name_reaches_the_analyzer(tmp_path: Path) -> None:
    """Browsers send names in lower case, and other alphabets as ASCII."""
    ports = free_port(), free_port()
    file = write(tmp_path / "tone.wav", tone(440, 30, 22_050), 22_050)
    command = [
        sys.executable, "-m", "realtime.cli", "run", "--source", str(file), "--history", "off",
        "--no-browser", "--port", str(ports[0]), "--dashboard-port", str(ports[1]),
        "--allow-host", "Räd.Example",
    ]  # fmt: skip
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as run:
        try:
            wait_until(lambda: is_listening(ports[0]))
            origin = f"http://xn--rd-via.example:{ports[1]}"
            with connect(f"ws://127.0.0.1:{ports[0]}", additional_headers={"Origin": origin}) as client:
                assert client.recv(timeout=20)
        finally:
            run.terminate()
            run.wait(timeout=20)


def test_a_missing_library_is_an_error_before_anything_is_opened(tmp_path: Path) -> None:
    error = main_error("run", "--library", str(tmp_path / "absent"), "--source", "demo", "--port", "0")
    assert f"--library {tmp_path}/absent is not a folder; `overheard library" in error


def test_a_folder_without_a_table_is_an_error_before_anything_is_opened(tmp_path: Path) -> None:
    """The folder with the music is easily confused with the folder of the table."""
    (tmp_path / "song.mp3").touch()
    error = main_error("run", "--library", str(tmp_path), "--source", "demo", "--port", "0")
    assert f"--library {tmp_path} has no table of tracks; `overheard library" in error
