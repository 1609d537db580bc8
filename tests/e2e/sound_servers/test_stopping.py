"""Ends of a recording: Ctrl-C in a terminal, and a program that is killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from tests.support.sound_servers import SoundServer, sound_server
from tests.support.waiting import wait_until

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="needs Linux")


@pytest.fixture
def server(tmp_path: Path) -> Iterator[SoundServer]:
    with sound_server(tmp_path, "pulseaudio") as started:
        yield started


@contextmanager
def recording(server: SoundServer) -> Iterator[tuple[subprocess.Popen[str], list[psutil.Process]]]:
    """Run ``overheard listen`` in a process group of its own, and yield it with its children."""
    command = [
        sys.executable, "-m", "realtime.cli", "listen", "--source", "system", "--port", "0",
        "--history", "off", "--no-now-playing",  # whose thread logs if there is no session bus
    ]  # fmt: skip
    listen = subprocess.Popen(
        command, env=server.environment, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    try:
        assert listen.stderr is not None
        assert "; estimates at ws://" in listen.stderr.readline()
        tree = psutil.Process(listen.pid)
        wait_until(lambda: {"parec", "pactl"} <= {each.name() for each in tree.children(recursive=True)})
        yield listen, tree.children(recursive=True)
    finally:
        listen.kill()
        listen.communicate()


def test_ctrl_c_in_a_terminal_is_no_lost_source(server: SoundServer) -> None:
    """Ctrl-C also reached the recording, whose end looked like a lost device while the program stopped."""
    with recording(server) as (listen, children):
        os.killpg(listen.pid, signal.SIGINT)
        _, printed = listen.communicate(timeout=20)
        assert (listen.returncode, printed) == (0, "")
        assert psutil.wait_procs(children, timeout=10)[1] == []


def test_a_killed_program_leaves_no_recording_behind(server: SoundServer) -> None:
    """``pactl subscribe`` stayed until the next change of the server."""
    with recording(server) as (listen, children):
        listen.kill()
        assert psutil.wait_procs(children, timeout=10)[1] == []
