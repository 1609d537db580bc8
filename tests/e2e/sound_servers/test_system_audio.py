"""System audio from a real PulseAudio server to estimates on the websocket."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from realtime.clock import SystemClock
from realtime.sources.file import open_demo
from tests.support.audio import write
from tests.support.sound_servers import SoundServer, run_listen, sound_server

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="needs Linux")


@pytest.fixture
def pulse(tmp_path: Path) -> Iterator[SoundServer]:
    with sound_server(tmp_path, "pulseaudio") as started:
        yield started


def test_estimates_of_what_the_computer_plays(pulse: SoundServer, tmp_path: Path) -> None:
    """The genres of the demonstration are the same through the sound server as from the file."""
    source = open_demo(0.0, SystemClock())
    rate, samples = source.sample_rate, []
    for block in source.blocks():
        samples.append(block.samples)
        if block.position > 14 * rate:
            source.close()
    music = write(tmp_path / "music.wav", np.concatenate(samples), rate)
    offline = subprocess.run(
        [sys.executable, "-m", "realtime.cli", "analyze", "--json", str(music)],
        capture_output=True, text=True, timeout=60, check=True,
    ).stdout  # fmt: skip
    expected = json.loads(offline.splitlines()[-1])
    with run_listen(pulse.environment, "--source", "system") as overheard:
        (hello,) = overheard.seen
        assert hello["source"] == "system audio (speakers.monitor)"
        assert hello["model"]["runtime"].startswith("litert")
        player = pulse.play(music)
        probabilities: list[dict[str, float]] = []
        latencies = []
        while player.poll() is None:
            message = overheard.until(lambda message: message["type"] == "estimate")
            if message["estimate"]["state"] != "SILENT":
                probabilities.append(message["estimate"]["probabilities"])
                latencies.append(message["latency_ms"])
        assert player.returncode == 0
    assert len(probabilities) > 12
    mean = {
        genre: sum(row[genre] for row in probabilities) / len(probabilities) for genre in probabilities[0]
    }
    assert max(mean, key=mean.__getitem__) == expected["label"]
    difference = sum(abs(mean[genre] - p) for genre, p in expected["probabilities"].items()) / 2
    median_ms = sorted(latencies)[len(latencies) // 2]
    print(f"live against offline: {difference:.3f} of probability moved; sound to estimate {median_ms} ms")
    assert difference < 0.2


def test_auto_takes_system_audio_and_devices_says_so(pulse: SoundServer) -> None:
    with run_listen(pulse.environment, "--source", "auto") as overheard:
        assert overheard.seen[0]["source"] == "system audio (speakers.monitor)"
    listed = pulse.run(sys.executable, "-m", "realtime.cli", "devices")
    assert "* speakers.monitor  (48000 Hz, 2 channels)" in listed
    assert "`auto` selects system audio: speakers.monitor" in listed


def test_silence_has_a_state_and_no_genre(pulse: SoundServer) -> None:
    with run_listen(pulse.environment, "--source", "system") as overheard:
        message = overheard.until(lambda message: message["type"] == "estimate")
        assert {each["type"] for each in overheard.seen[:-1]} <= {"hello", "state", "health"}
        assert message["estimate"]["state"] == "SILENT"
        assert message["estimate"]["label"] is None
