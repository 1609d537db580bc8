"""Real sound servers without hardware (PulseAudio and PipeWire), and ``overheard listen`` on them."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from websockets.sync.client import ClientConnection, connect

from tests.support.waiting import wait_until

PULSE = """\
load-module module-native-protocol-unix socket={socket} auth-anonymous=1
load-module module-rescue-streams
load-module module-null-sink sink_name=speakers rate=48000
set-default-sink speakers
"""

PATIENCE_SECONDS = 30.0


class SoundServer:
    """Sound server that can be killed and started again, with the environment in which clients find it."""

    def __init__(self, folder: Path, kind: str) -> None:
        self.kind, self.folder = kind, folder
        self.environment = os.environ | {
            "HOME": str(folder),
            "XDG_RUNTIME_DIR": str(folder),
            "XDG_DATA_HOME": str(folder / "data"),
            "PULSE_RUNTIME_PATH": str(folder / "pulse"),
            "DBUS_SESSION_BUS_ADDRESS": "",  # the titles of the developer's player belong to no test
            "LC_ALL": "C",
        }
        if kind == "pulseaudio":
            address = folder / "pulse.socket"
            (folder / "default.pa").write_text(PULSE.format(socket=address))
            self.environment["PULSE_SERVER"] = f"unix:{address}"
        self._processes: list[subprocess.Popen[bytes]] = []

    def start(self) -> None:
        """Start the server and wait until it responds."""
        if self.kind == "pulseaudio":
            self._spawn(
                "pulseaudio", "-n", "--daemonize=no", "--exit-idle-time=-1", "--use-pid-file=no",
                f"--file={self.folder}/default.pa",
            )  # fmt: skip
            self._wait_until_ready()
            return
        self._spawn("dbus-daemon", "--session", "--nofork", f"--address=unix:path={self.folder}/bus")
        self.environment["DBUS_SESSION_BUS_ADDRESS"] = f"unix:path={self.folder}/bus"
        wait_until(lambda: _accepts_connections(self.folder / "bus"))
        self._spawn("pipewire")
        wait_until(lambda: _accepts_connections(self.folder / "pipewire-0"))  # its clients end without it
        for program in ("wireplumber", "pipewire-pulse"):
            self._spawn(program)
        self._wait_until_ready()
        self.run("pactl", "load-module", "module-null-sink", "sink_name=speakers", "rate=48000")
        wait_until(
            lambda: self._succeeds("pactl", "set-default-sink", "speakers")
        )  # wireplumber takes a moment
        wait_until(lambda: "Default Sink: speakers" in self.run("pactl", "info"))

    def kill(self) -> None:
        """Kill the server as a crash does, and all players."""
        for process in self._processes:
            process.kill()
        for process in self._processes:
            process.wait()
        self._processes = []

    def run(self, *command: str) -> str:
        """Run a client program and return its output."""
        done = subprocess.run(
            command, env=self.environment, capture_output=True, text=True, timeout=30, check=True
        )
        return done.stdout

    def play(self, path: Path, *options: str) -> subprocess.Popen[bytes]:
        """Play a file, and return the playing process."""
        player = subprocess.Popen(["paplay", *options, str(path)], env=self.environment)
        self._processes.append(player)
        return player

    def _spawn(self, *command: str) -> None:
        quiet = subprocess.DEVNULL
        self._processes.append(subprocess.Popen(command, env=self.environment, stdout=quiet, stderr=quiet))

    def _wait_until_ready(self) -> None:
        wait_until(lambda: self._succeeds("pactl", "info"))

    def _succeeds(self, *command: str) -> bool:
        """Check if a client program succeeds."""
        return subprocess.run(command, env=self.environment, capture_output=True, timeout=30).returncode == 0


def _accepts_connections(path: Path) -> bool:
    """Check if a server listens at a Unix socket. A killed server leaves the file of its socket."""
    with socket.socket(socket.AF_UNIX) as client:
        return client.connect_ex(str(path)) == 0


PROGRAMS = {
    "pulseaudio": ("pulseaudio", "paplay", "pactl", "parec"),
    "pipewire": ("pipewire", "pipewire-pulse", "wireplumber", "dbus-daemon", "paplay", "pactl", "parec"),
}


@contextmanager
def sound_server(folder: Path, kind: str) -> Iterator[SoundServer]:
    """Run a sound server with one output, ``speakers``."""
    missing = [name for name in PROGRAMS[kind] if shutil.which(name) is None]
    if missing:
        pytest.skip(f"{missing[0]} is not installed; on Debian: apt install {missing[0]}")
    server = SoundServer(folder, kind)
    try:
        server.start()
        yield server
    finally:
        server.kill()


class ListenProcess:
    """Process of ``overheard listen``, and a client of its websocket."""

    def __init__(self, process: subprocess.Popen[str], client: ClientConnection, address: str) -> None:
        self.process, self.client, self.address = process, client, address
        self.seen: list[dict[str, Any]] = []

    def until(
        self, wanted: Callable[[dict[str, Any]], bool], seconds: float = PATIENCE_SECONDS
    ) -> dict[str, Any]:
        """Receive messages up to the first one that is wanted, and return it."""
        deadline = time.monotonic() + seconds
        while True:
            left = deadline - time.monotonic()
            last = [summarize(message) for message in self.seen[-8:]]
            assert left > 0, f"the message did not come within {seconds} s; the last ones: {last}"
            with suppress(TimeoutError):
                message: dict[str, Any] = json.loads(self.client.recv(timeout=left))
                self.seen.append(message)
                if wanted(message):
                    return message

    def state(self, *names: str, seconds: float = PATIENCE_SECONDS) -> dict[str, Any]:
        """Receive messages up to the first one with one of these states, and return it."""
        return self.until(lambda message: get_state(message) in names, seconds)

    def request(self, action: str, **fields: Any) -> dict[str, Any]:
        """Send a control and return its response."""
        self.client.send(json.dumps({"type": "control", "id": action, "action": action} | fields))
        return self.until(lambda message: message["type"] == "response" and message["id"] == action)

    def estimate(self, source: str) -> dict[str, Any]:
        """Receive messages up to the first estimate of a source, and return it."""
        return self.until(lambda message: message["type"] == "estimate" and message["source"] == source)


def get_state(message: dict[str, Any]) -> str | None:
    """Return the state in a message, or None if it has none."""
    state: str | None = message.get("state") or (message.get("estimate") or {}).get("state")
    return state


def summarize(message: dict[str, Any]) -> str:
    """Return type, state and detail of a message on one line."""
    return f"{message['type']} {get_state(message) or ''} {message.get('detail', '')}".strip()


@contextmanager
def run_listen(environment: dict[str, str], *arguments: str, token: str = "") -> Iterator[ListenProcess]:
    """Run ``overheard listen`` with a client that has received the first hello."""
    command = [sys.executable, "-m", "realtime.cli", "listen", "--port", "0", *arguments]
    process = subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    try:
        line = process.stderr.readline()
        while "ws://" not in line:
            assert process.poll() is None, line + process.stderr.read()
            line = process.stderr.readline()
        address = "ws://" + line.split("ws://")[1].strip()
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        with connect(address, open_timeout=10, additional_headers=headers) as client:
            started = ListenProcess(process, client, address)
            started.until(lambda message: message["type"] == "hello")
            yield started
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
        _, log = process.communicate(timeout=15)
        print(log)  # pytest shows it if the test fails
        assert "Traceback" not in log
