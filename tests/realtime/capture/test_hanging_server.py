"""A sound server that takes connections and never answers."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.audio import tone, write
from tests.support.programs import need

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="needs Linux")

MAX_SECONDS = 15
"""Seconds in which every command answers."""


@pytest.fixture
def hanging_server() -> Iterator[dict[str, str]]:
    """Environment in which clients find a sound server that never answers."""
    with socket.create_server(("127.0.0.1", 0), backlog=100) as server:
        yield os.environ | {"PULSE_SERVER": f"tcp:127.0.0.1:{server.getsockname()[1]}"}


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
    began = time.monotonic()
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
    seconds = {}
    answers = {}
    try:
        for name, process in running.items():
            if name == "auto":
                assert process.stderr is not None
                while "; estimates at ws://" not in (line := process.stderr.readline()):
                    assert line
                answers[name] = line
            else:
                answers[name] = "".join(process.communicate(timeout=60))
            seconds[name] = time.monotonic() - began
    finally:
        for process in running.values():
            process.kill()
            process.communicate()
    assert max(seconds.values()) < MAX_SECONDS, seconds
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
