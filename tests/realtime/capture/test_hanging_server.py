"""A sound server that takes connections and never answers."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.audio import tone, write
from tests.support.programs import need
from tests.support.waiting import at_most, wait_until

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="needs Linux")

MAX_SECONDS = 15
"""Seconds in which every command answers."""


@pytest.fixture
def hanging_server() -> Iterator[dict[str, str]]:
    """Environment in which clients find a sound server that never answers."""
    with socket.create_server(("127.0.0.1", 0), backlog=100) as server:
        yield os.environ | {"PULSE_SERVER": f"tcp:127.0.0.1:{server.getsockname()[1]}"}


def has_ended(process: subprocess.Popen[str]) -> bool:
    """Return True if a process has ended. It stays a zombie, so that ``at_most`` still knows its waiting."""
    return os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None


def test_every_command_answers_within_fifteen_seconds(hanging_server: dict[str, str], tmp_path: Path) -> None:
    """``devices`` took 140 s, because each of its requests and PortAudio waited for the server."""
    need("pulseaudio-utils", "pactl")
    file = write(tmp_path / "tone.wav", tone(440, 10, 22_050), 22_050)
    listen = ["listen", "--port", "0", "--history", "off"]
    commands = {
        "devices": ["devices"],
        "devices without pactl": ["devices"],
        "system": [*listen, "--source", "system"],
        "mic": [*listen, "--source", "mic"],
        "file": [*listen, "--source", str(file), "--speed", "0"],
        "auto": [*listen, "--source", "auto", "--speed", "0"],
    }
    running = {
        name: subprocess.Popen(
            [sys.executable, "-m", "realtime.cli", *words],
            env=hanging_server | ({"PATH": str(tmp_path)} if "without" in name else {}),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for name, words in commands.items()
    }
    try:
        with at_most(MAX_SECONDS):
            endless = running["auto"].stderr
            assert endless is not None
            while "; estimates at ws://" not in (line := endless.readline()):
                assert line
            wait_until(lambda: all(has_ended(running[name]) for name in commands if name != "auto"), 60)
        answers = {name: "".join(running[name].communicate()) for name in commands if name != "auto"}
        answers["auto"] = line
    finally:
        for process in running.values():
            process.kill()
            process.communicate()
    assert not [answer for answer in answers.values() if "Traceback" in answer]
    hangs = (
        "the sound server takes connections and does not answer (pactl waited 5 s); restart the sound server"
    )
    for name, code in {"devices": 0, "system": 2, "mic": 2}.items():
        assert hangs in answers[name]
        assert running[name].returncode == code
    assert running["devices without pactl"].returncode == 0
    assert running["file"].returncode == 0
    assert "demonstration" in answers["auto"]
