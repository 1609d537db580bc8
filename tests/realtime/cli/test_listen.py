"""``overheard listen``: several sources, history, metrics and secrets."""

from __future__ import annotations

import io
import json
import os
import sqlite3
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from realtime.cli.common import print_address
from realtime.history.location import default_path
from realtime.server.requests import UNPRIVILEGED
from tests.support.audio import noise, tone, write
from tests.support.cli import command_error
from tests.support.sound_servers import get_state, run_listen
from tests.support.websocket_client import http_get

RATE = 22_050
TOKEN = "a-token-of-these-tests"


def write_two_files(folder: Path) -> tuple[str, str]:
    quiet = write(folder / "quiet.wav", 0 * tone(440, 40, RATE), RATE)
    loud = write(folder / "loud.wav", 0.3 * tone(440, 40, RATE) + 0.1 * noise(40 * RATE), RATE)
    return str(quiet), str(loud)


def test_several_sources_have_states_and_estimates_of_their_own(tmp_path: Path) -> None:
    quiet, loud = write_two_files(tmp_path)
    with run_listen(dict(os.environ), "--source", quiet, "--source", loud, "--speed", "4") as overheard:
        overheard.until(lambda message: message["type"] == "hello")  # the second one
        assert {message["source"] for message in overheard.seen} == {"quiet.wav", "loud.wav"}
        for name in ("quiet.wav", "loud.wav"):
            overheard.until(lambda m, name=name: m["type"] == "estimate" and m["source"] == name)  # type: ignore[misc]
        for _ in range(40):
            overheard.until(lambda message: message["type"] == "estimate")
        for name, states in (("quiet.wav", {"SILENT"}), ("loud.wav", {"LISTENING", "UNSURE", "NOT_MUSIC"})):
            own = [message for message in overheard.seen if message["source"] == name]
            estimates = [message for message in own if message["type"] == "estimate"]
            assert {message["estimate"]["state"] for message in estimates} <= states
            numbers = [message["seq"] for message in own if message["type"] != "hello"]
            assert numbers == sorted(numbers)
        base = overheard.address.replace("ws://", "http://")
        with urllib.request.urlopen(f"{base}/metrics", timeout=5) as answer:
            metrics = answer.read().decode()
        with urllib.request.urlopen(f"{base}/healthz", timeout=5) as answer:
            health = json.load(answer)
    assert 'overheard_latency_seconds_count{source="loud.wav"}' in metrics
    assert set(health["sources"]) == {"quiet.wav", "loud.wav"}
    with sqlite3.connect(default_path()) as history:
        sources = {row[0] for row in history.execute("SELECT source FROM sessions")}
        states = {row[0] for row in history.execute("SELECT state FROM segments")}
    assert sources == {"quiet.wav", "loud.wav"}
    assert "SILENT" in states
    command = [sys.executable, "-m", "realtime.cli", "history"]
    listed = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout
    assert "loud.wav" in listed
    assert "quiet.wav" in listed


def test_the_address_is_printed_in_one_write(monkeypatch: pytest.MonkeyPatch) -> None:
    """A log line of another thread stood between the address and the end of its line."""
    written: list[str] = []
    stream = io.StringIO()
    monkeypatch.setattr(stream, "write", written.append)
    monkeypatch.setattr(sys, "stderr", stream)
    print_address("listening to a\x1b[2J", "ws://127.0.0.1:1")
    assert written == ["listening to a\\x1b[2J; estimates at ws://127.0.0.1:1\n"]


def test_two_sources_of_one_name_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    one = write(tmp_path / "tone.wav", tone(440, 6), RATE)
    other = write(tmp_path / "a" / "tone.wav", tone(440, 6), RATE)
    error = command_error("listen", "--source", str(one), "--source", str(other), "--port", "0")
    assert "two sources are called tone.wav" in error


def test_a_token_is_required_and_never_logged(tmp_path: Path) -> None:
    _, loud = write_two_files(tmp_path)
    environment = os.environ | {"OVERHEARD_TOKEN": TOKEN}
    command = [
        sys.executable,
        "-m",
        "realtime.cli",
        "listen",
        "--source",
        loud,
        "--port",
        "0",
        "--history",
        "off",
    ]
    process = subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    try:
        address = process.stderr.readline().split(" at ")[1].strip()
        for headers in ({}, {"Authorization": "Bearer a-token-of-these-tesst"}):
            try:
                connect(address, additional_headers=headers).close()
                status = 101
            except InvalidStatus as refusal:
                status = refusal.response.status_code
            assert status == 401
        with connect(address, additional_headers={"Authorization": f"Bearer {TOKEN}"}) as client:
            assert json.loads(client.recv(timeout=10))["type"] == "hello"
    finally:
        process.terminate()
    _, log = process.communicate(timeout=15)
    assert TOKEN not in log
    assert "Traceback" not in log


def test_without_a_token_controls_are_refused_with_the_remedy(tmp_path: Path) -> None:
    quiet, _ = write_two_files(tmp_path)
    with run_listen(dict(os.environ), "--source", quiet, "--allow-source", "demo") as overheard:
        for control in (
            {"action": "pause"},
            {"action": "select_source", "name": "demo"},
            {"action": "delete_history"},
        ):
            response = overheard.request(**control)
            assert (response["ok"], response["code"]) == (False, "unauthorized")
            assert response["detail"] == UNPRIVILEGED
        for page in ("/history", "/log"):
            assert http_get(overheard.address + page)[0] == 401
        assert {message["source"] for message in overheard.seen} == {"quiet.wav", ""}
        assert "sources" not in {message["type"] for message in overheard.seen}


def test_with_the_token_a_client_gets_the_sources_and_reads_the_log(tmp_path: Path) -> None:
    """``listen`` may serve other machines, so it offers only the playing source unless options allow more."""
    quiet, _ = write_two_files(tmp_path)
    bearer = {"Authorization": f"Bearer {TOKEN}"}
    environment = os.environ | {"OVERHEARD_TOKEN": TOKEN}
    with run_listen(environment, "--source", quiet, "--speed", "4", token=TOKEN) as overheard:
        sources = overheard.until(lambda message: message["type"] == "sources")
        assert [each["name"] for each in sources["available"]] == ["quiet.wav"]
        assert overheard.request("pause")["ok"]
        assert "PAUSED" in [get_state(message) for message in overheard.seen]
        status, _, body = http_get(overheard.address + "/log", bearer)
        assert (status, json.loads(body)["lines"][-1][9:]) == (200, "INFO paused: all sources are closed")
        history = json.loads(http_get(overheard.address + "/history", bearer)[2])
        assert history["path"] == str(default_path())
        assert [session["source"] for session in history["sessions"]] == ["quiet.wav"]


def test_a_file_is_analyzed_although_the_history_cannot_be_written(tmp_path: Path) -> None:
    """A history that cannot be written causes a warning, and the analysis continues."""
    _, loud = write_two_files(tmp_path)
    (tmp_path / "no folder").write_text("a file")
    command = [
        sys.executable, "-m", "realtime.cli", "listen", "--source", loud, "--port", "0", "--speed", "0",
        "--json", "--history", str(tmp_path / "no folder" / "history.sqlite"),
    ]  # fmt: skip
    began = time.monotonic()
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    assert len(done.stdout.splitlines()) > 60
    assert "history" in done.stderr
    assert time.monotonic() - began < 50
