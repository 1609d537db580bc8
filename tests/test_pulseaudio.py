"""System audio for real: a PulseAudio server, music played into its output, estimates on a websocket."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from websockets.sync.client import connect

from realtime.clock import SystemClock
from realtime.sources import demonstration
from tests.sounds import write

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="needs Linux")

SERVER = """\
load-module module-native-protocol-unix socket={socket} auth-anonymous=1
load-module module-null-sink sink_name=speakers rate=48000
set-default-sink speakers
"""


@dataclass(frozen=True)
class Pulse:
    """A running server and the environment in which clients find it."""

    environment: dict[str, str]

    def run(self, *words: str) -> str:
        return subprocess.run(
            words, env=self.environment, capture_output=True, text=True, timeout=30, check=True
        ).stdout


@pytest.fixture
def pulse(tmp_path: Path) -> Iterator[Pulse]:
    """A sound server of our own with an output that nobody hears."""
    for name in ("pulseaudio", "paplay", "pactl", "parec"):
        if shutil.which(name) is None:
            pytest.skip(f"{name} is not installed; on Debian: apt install pulseaudio pulseaudio-utils")
    socket = tmp_path / "pulse.socket"
    (tmp_path / "default.pa").write_text(SERVER.format(socket=socket))
    environment = os.environ | {
        "HOME": str(tmp_path),
        "XDG_RUNTIME_DIR": str(tmp_path),
        "PULSE_RUNTIME_PATH": str(tmp_path),
        "PULSE_SERVER": f"unix:{socket}",
        "LC_ALL": "C",
    }
    command = [
        "pulseaudio",
        "-n",
        "--daemonize=no",
        "--exit-idle-time=-1",
        "--use-pid-file=no",
        f"--file={tmp_path}/default.pa",
    ]
    server = subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True)
    try:
        wait = "for i in $(seq 100); do pactl info >/dev/null 2>&1 && exit 0; sleep 0.1; done; exit 1"
        subprocess.run(["sh", "-c", wait], env=environment, check=True, timeout=30)
        yield Pulse(environment)
    finally:
        server.terminate()
        server.communicate(timeout=10)


@contextmanager
def listening(pulse: Pulse, source: str) -> Iterator[str]:
    """``overheard listen`` on this server; gives the websocket's address."""
    command = [sys.executable, "-m", "realtime.cli", "listen", "--source", source, "--port", "0"]
    process = subprocess.Popen(command, env=pulse.environment, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    try:
        said = process.stderr.readline()
        found = re.search(r"ws://\S+", said)
        assert found, said + process.stderr.read()
        yield found[0]
    finally:
        process.terminate()
        process.communicate(timeout=10)


def test_estimates_of_what_the_computer_plays(pulse: Pulse, tmp_path: Path) -> None:
    """The demonstration is played; the same genres are heard through the server as in the file."""
    source = demonstration(0.0, SystemClock())
    rate, samples = source.sample_rate, []
    for block in source.blocks():
        samples.append(block.samples)
        if block.position > 14 * rate:
            source.close()
    import numpy as np

    music = write(tmp_path / "music.wav", np.concatenate(samples), rate)
    offline = subprocess.run(
        [sys.executable, "-m", "realtime.cli", "analyze", "--json", str(music)],
        capture_output=True, text=True, timeout=60, check=True,
    ).stdout  # fmt: skip
    expected = json.loads(offline.splitlines()[-1])
    with listening(pulse, "system") as address, connect(address, open_timeout=10) as client:
        hello = json.loads(client.recv(timeout=10))
        assert hello["source"] == "system audio (speakers.monitor)"
        assert hello["model"]["runtime"].startswith("litert")
        player = subprocess.Popen(["paplay", str(music)], env=pulse.environment)
        heard: list[dict[str, float]] = []
        latencies = []
        while player.poll() is None:
            message = json.loads(client.recv(timeout=10))
            if message["type"] == "estimate" and message["estimate"]["state"] != "SILENT":
                heard.append(message["estimate"]["probabilities"])
                latencies.append(message["latency_ms"])
        assert player.returncode == 0
    assert len(heard) > 12
    mean = {genre: sum(row[genre] for row in heard) / len(heard) for genre in heard[0]}
    assert max(mean, key=mean.__getitem__) == expected["label"]
    difference = sum(abs(mean[genre] - p) for genre, p in expected["probabilities"].items()) / 2
    median_ms = sorted(latencies)[len(latencies) // 2]
    print(f"live against offline: {difference:.3f} of probability moved; sound to estimate {median_ms} ms")
    assert difference < 0.2


def test_auto_takes_system_audio_and_devices_says_so(pulse: Pulse) -> None:
    with listening(pulse, "auto") as address, connect(address, open_timeout=10) as client:
        assert json.loads(client.recv(timeout=10))["source"] == "system audio (speakers.monitor)"
    command = [sys.executable, "-m", "realtime.cli", "devices"]
    done = subprocess.run(
        command, env=pulse.environment, capture_output=True, text=True, timeout=30, check=True
    )
    assert "* speakers.monitor  (48000 Hz, 2 channels)" in done.stdout
    assert "`auto` takes system audio: speakers.monitor" in done.stdout


def test_silence_is_silence_and_not_a_genre(pulse: Pulse) -> None:
    with listening(pulse, "system") as address, connect(address, open_timeout=10) as client:
        while (message := json.loads(client.recv(timeout=15)))["type"] != "estimate":
            assert message["type"] in ("hello", "state", "health")
        assert message["estimate"]["state"] == "SILENT"
        assert message["estimate"]["label"] is None


def test_a_server_that_goes_away_ends_with_a_sentence(pulse: Pulse) -> None:
    command = [sys.executable, "-m", "realtime.cli", "listen", "--source", "system", "--port", "0"]
    process = subprocess.Popen(command, env=pulse.environment, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    assert "listening to system audio" in process.stderr.readline()
    pulse.run("pactl", "exit")
    _, said = process.communicate(timeout=15)
    assert process.returncode == 2
    assert "overheard listen: system audio (speakers.monitor) ended:" in said
    assert "Traceback" not in said
