"""Standard streams that are closed, full, or read by a program that ends early."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from tests.support.audio import noise, tone, write

FULL = Path("/dev/full")
RATE = 22_050

needs_dev_full = pytest.mark.skipif(not FULL.exists(), reason="needs Linux")


@pytest.fixture(scope="module")
def audio(tmp_path_factory: pytest.TempPathFactory) -> str:
    """File of 20 s of sound, which is analyzed."""
    samples = 0.3 * tone(440, 20, RATE) + 0.1 * noise(20 * RATE)
    return str(write(tmp_path_factory.mktemp("audio") / "tone.wav", samples, RATE))


PRINTING = [
    ("--help",),
    ("--version",),
    ("history", "--help"),
    ("model",),
    ("completion", "bash"),
    ("analyze", "AUDIO"),
    ("analyze", "--json", "AUDIO"),
    ("listen", "--json", "--port", "0", "--speed", "8", "--history", "off", "--source", "AUDIO"),
]
"""Commands that print."""


def command_line(words: tuple[str, ...], audio: str) -> list[str]:
    return [sys.executable, "-m", "realtime.cli", *(audio if word == "AUDIO" else word for word in words)]


@needs_dev_full
@pytest.mark.parametrize("words", PRINTING, ids=" ".join)
def test_a_full_output_is_one_sentence(words: tuple[str, ...], audio: str) -> None:
    with FULL.open("w") as full:
        done = subprocess.run(
            command_line(words, audio),
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            timeout=60,
            check=False,
        )
    name = "overheard" if words[0].startswith("-") else f"overheard {words[0]}"
    assert done.stderr.splitlines()[-1] == f"{name}: the output cannot be written: No space left on device"
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert "Exception ignored" not in done.stderr


@pytest.mark.parametrize("words", PRINTING, ids=" ".join)
def test_a_reader_that_ends_early_ends_the_command_quietly(words: tuple[str, ...], audio: str) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    with open(writer, "w") as pipe:
        done = subprocess.run(
            command_line(words, audio),
            stdout=pipe,
            stderr=subprocess.PIPE,
            text=True,
            timeout=60,
            check=False,
        )
    assert done.returncode == 0
    assert [line for line in done.stderr.splitlines() if "; estimates at ws://" not in line] == []


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
@pytest.mark.parametrize("words", [("--version",), ("analyze", "AUDIO")], ids=" ".join)
def test_closed_streams_are_no_error(words: tuple[str, ...], closed: str, audio: str) -> None:
    done = subprocess.run(
        ["sh", "-c", f'exec "$@" {closed}', "sh", *command_line(words, audio)],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")


INHERITING = """
import os, subprocess, sys
from realtime.cli.main import open_missing_streams

open_missing_streams()
child = "import os; [os.fstat(number) for number in range(3)]"
sys.exit(subprocess.run([sys.executable, "-c", child]).returncode)
"""


def test_child_processes_have_the_streams_that_the_caller_has_closed() -> None:
    closing = ["sh", "-c", 'exec "$@" <&- >&- 2>&-', "sh"]
    assert subprocess.run([*closing, sys.executable, "-c", INHERITING], timeout=60).returncode == 0


def test_clients_see_no_failure_when_the_reader_of_the_estimates_ends(audio: str) -> None:
    """``listen --json | head -1`` told the clients that the source has FAILED."""
    command = command_line(
        ("listen", "--json", "--port", "0", "--speed", "2", "--history", "off", "--source", "AUDIO"), audio
    )
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as listen:
        assert listen.stdout is not None
        assert listen.stderr is not None
        address = listen.stderr.readline().split(" at ")[1].strip()
        with connect(address) as client:
            assert json.loads(listen.stdout.readline())["type"] == "estimate"
            listen.stdout.close()
            states = list(_states(client))
        assert "FAILED" not in states
        assert client.close_code == 1001
        assert listen.wait(timeout=20) == 0
        assert listen.stderr.read() == ""


def _states(client: object) -> Iterator[str]:
    try:
        while True:
            yield json.loads(client.recv(timeout=20)).get("state", "")  # type: ignore[attr-defined]
    except ConnectionClosed:
        return


def test_a_run_with_closed_streams_starts_and_stops(audio: str) -> None:
    command = command_line(
        ("listen", "--port", "0", "--speed", "0", "--history", "off", "--source", "AUDIO"), audio
    )
    listen = subprocess.Popen(["sh", "-c", 'exec "$@" <&- >&- 2>&-', "sh", *command])
    assert listen.wait(timeout=60) in (0, -signal.SIGTERM)
