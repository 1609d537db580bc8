"""Real sound servers without hardware: PulseAudio and PipeWire, each in a folder of its own."""

from __future__ import annotations

import json
import os
import shutil
import signal
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
    """A sound server that can be killed and started again, and the environment in which clients find it."""

    def __init__(self, folder: Path, kind: str) -> None:
        self.kind, self.folder = kind, folder
        self.environment = os.environ | {
            "HOME": str(folder),
            "XDG_RUNTIME_DIR": str(folder),
            "XDG_DATA_HOME": str(folder / "data"),
            "PULSE_RUNTIME_PATH": str(folder / "pulse"),
            "LC_ALL": "C",
        }
        if kind == "pulseaudio":
            socket = folder / "pulse.socket"
            (folder / "default.pa").write_text(PULSE.format(socket=socket))
            self.environment["PULSE_SERVER"] = f"unix:{socket}"
        self._processes: list[subprocess.Popen[bytes]] = []

    def start(self) -> None:
        """Start it and wait until it answers."""
        if self.kind == "pulseaudio":
            self._spawn(
                "pulseaudio", "-n", "--daemonize=no", "--exit-idle-time=-1", "--use-pid-file=no",
                f"--file={self.folder}/default.pa",
            )  # fmt: skip
            self._until_it_answers()
            return
        self._spawn("dbus-daemon", "--session", "--nofork", f"--address=unix:path={self.folder}/bus")
        self.environment["DBUS_SESSION_BUS_ADDRESS"] = f"unix:path={self.folder}/bus"
        for program in ("pipewire", "wireplumber", "pipewire-pulse"):
            self._spawn(program)
        self._until_it_answers()
        self.run("pactl", "load-module", "module-null-sink", "sink_name=speakers", "rate=48000")
        wait_until(lambda: self._asked("pactl", "set-default-sink", "speakers"))  # wireplumber takes a moment
        wait_until(lambda: "Default Sink: speakers" in self.run("pactl", "info"))

    def kill(self) -> None:
        """End it as a crash does, and whoever plays."""
        for process in self._processes:
            process.kill()
        for process in self._processes:
            process.wait()
        self._processes = []

    def run(self, *words: str) -> str:
        """Output of a client program."""
        done = subprocess.run(
            words, env=self.environment, capture_output=True, text=True, timeout=30, check=True
        )
        return done.stdout

    def play(self, path: Path, *options: str) -> subprocess.Popen[bytes]:
        """Play a file."""
        player = subprocess.Popen(["paplay", *options, str(path)], env=self.environment)
        self._processes.append(player)
        return player

    def _spawn(self, *words: str) -> None:
        quiet = subprocess.DEVNULL
        self._processes.append(subprocess.Popen(words, env=self.environment, stdout=quiet, stderr=quiet))

    def _until_it_answers(self) -> None:
        wait_until(lambda: self._asked("pactl", "info"))

    def _asked(self, *words: str) -> bool:
        """Check if a client program succeeds."""
        return subprocess.run(words, env=self.environment, capture_output=True, timeout=30).returncode == 0


NEEDED = {
    "pulseaudio": ("pulseaudio", "paplay", "pactl", "parec"),
    "pipewire": ("pipewire", "pipewire-pulse", "wireplumber", "dbus-daemon", "paplay", "pactl", "parec"),
}


@contextmanager
def sound_server(folder: Path, kind: str) -> Iterator[SoundServer]:
    """A running server with one output, ``speakers``, that nobody hears."""
    missing = [name for name in NEEDED[kind] if shutil.which(name) is None]
    if missing:
        pytest.skip(f"{missing[0]} is not installed; on Debian: apt install {missing[0]}")
    server = SoundServer(folder, kind)
    try:
        server.start()
        yield server
    finally:
        server.kill()


class ListenProcess:
    """``overheard listen`` as a child, and a client of its websocket."""

    def __init__(self, process: subprocess.Popen[str], client: ClientConnection, address: str) -> None:
        self.process, self.client, self.address = process, client, address
        self.seen: list[dict[str, Any]] = []

    def until(
        self, wanted: Callable[[dict[str, Any]], bool], seconds: float = PATIENCE_SECONDS
    ) -> dict[str, Any]:
        """Read messages up to one that is wanted."""
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
        """Read up to the first message that tells one of these states."""
        return self.until(lambda message: get_state(message) in names, seconds)


def get_state(message: dict[str, Any]) -> str | None:
    """The state that a message carries."""
    state: str | None = message.get("state") or (message.get("estimate") or {}).get("state")
    return state


def summarize(message: dict[str, Any]) -> str:
    """A message in a word or two."""
    return f"{message['type']} {get_state(message) or ''} {message.get('detail', '')}".strip()


@contextmanager
def run_listen(environment: dict[str, str], *words: str, token: str = "") -> Iterator[ListenProcess]:
    """``overheard listen`` with a client that has read the hello."""
    command = [sys.executable, "-m", "realtime.cli", "listen", "--port", "0", *words]
    process = subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    try:
        said = process.stderr.readline()
        while "ws://" not in said:
            assert process.poll() is None, said + process.stderr.read()
            said = process.stderr.readline()
        address = "ws://" + said.split("ws://")[1].strip()
        shown = {"Authorization": f"Bearer {token}"} if token else {}
        with connect(address, open_timeout=10, additional_headers=shown) as client:
            started = ListenProcess(process, client, address)
            started.until(lambda message: message["type"] == "hello")
            yield started
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
        _, rest = process.communicate(timeout=15)
        print(rest)  # the log tells the story; shown when a test fails
        assert "Traceback" not in rest
