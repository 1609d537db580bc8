"""Devices that come and go, on real PulseAudio and PipeWire servers."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from realtime.capture import portaudio
from realtime.clock import SystemClock
from realtime.errors import SourceError
from realtime.sources.reconnecting import ReconnectingSource
from tests.support.audio import noise, tone, write
from tests.support.sound_servers import SoundServer, run_listen, sound_server

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="needs Linux")

SOUNDING = ("LISTENING", "UNSURE", "NOT_MUSIC")


@pytest.fixture(params=["pulseaudio", "pipewire"])
def server(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[SoundServer]:
    with sound_server(tmp_path, request.param) as started:
        yield started


@pytest.fixture
def pulseaudio(tmp_path: Path) -> Iterator[SoundServer]:
    with sound_server(tmp_path, "pulseaudio") as started:
        yield started


@pytest.fixture(scope="module")
def music(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two minutes of sound, which is longer than any test."""
    n = 120 * 22_050
    return write(
        tmp_path_factory.mktemp("music") / "music.wav", 0.3 * tone(440, 120, 22_050) + 0.1 * noise(n), 22_050
    )


def test_a_server_that_is_killed_and_started_again_is_back_within_ten_seconds(
    server: SoundServer, music: Path
) -> None:
    server.play(music)
    with run_listen(server.environment, "--source", "system") as overheard:
        overheard.state(*SOUNDING)
        server.kill()
        lost = overheard.state("RECOVERING")
        assert "speakers" in lost["detail"] or "server" in lost["detail"], lost
        server.start()
        started = time.monotonic()
        server.play(music)
        first = overheard.until(
            lambda message: message["type"] == "state" and message["state"] == "WARMING_UP"
        )
        took = time.monotonic() - started
        estimate = overheard.until(lambda message: message["type"] == "estimate", 20)
        health = overheard.until(lambda message: message["type"] == "health" and message["reconnects"] == 1)
        print(f"{server.kind}: sound again {took:.1f} s after the server")
        assert took < 10
        assert first["source"] == "system audio (speakers.monitor)"
        assert estimate["end_seconds"] > 5
        assert health["samples_lost"] > 0
        assert health["gaps"] >= 1
        assert health["error"] == ""


def test_an_unplugged_output_is_waited_for_and_no_other_is_recorded(server: SoundServer, music: Path) -> None:
    """A sound server once moved the recording to another device, whose audio was analyzed instead."""
    server.run("pactl", "load-module", "module-null-sink", "sink_name=other", "rate=44100")
    usb = server.run("pactl", "load-module", "module-null-sink", "sink_name=usb", "rate=44100").strip()
    server.play(music, "--device=other")
    with run_listen(server.environment, "--source", "system:usb") as overheard:
        overheard.until(lambda message: message["type"] == "estimate")
        server.run("pactl", "unload-module", usb)
        lost = overheard.state("RECOVERING")
        assert "usb.monitor" in lost["detail"] or "'usb'" in lost["detail"], lost
        estimates = [message for message in overheard.seen if message["type"] == "estimate"]
        assert {message["estimate"]["state"] for message in estimates} == {"SILENT"}
        server.run("pactl", "load-module", "module-null-sink", "sink_name=usb", "rate=48000")
        overheard.state("WARMING_UP", seconds=10)
        server.play(music, "--device=usb")
        overheard.state(*SOUNDING)
        health = overheard.until(lambda message: message["type"] == "health")
        assert health["device"] == "usb.monitor"
        assert health["reconnects"] >= 1


def test_following_moves_with_the_default_output(pulseaudio: SoundServer, music: Path) -> None:
    pulseaudio.run("pactl", "load-module", "module-null-sink", "sink_name=phones", "rate=44100")
    pulseaudio.run("pactl", "set-default-sink", "speakers")
    pulseaudio.play(music, "--device=phones")
    with run_listen(pulseaudio.environment, "--source", "system", "--follow-default") as overheard:
        assert overheard.seen[0]["source"] == "system audio"
        overheard.state("SILENT")
        pulseaudio.run("pactl", "set-default-sink", "phones")
        overheard.state(*SOUNDING)
        health = overheard.until(lambda message: message["type"] == "health")
        assert health["device"] == "phones.monitor"


def test_only_the_named_application_is_recorded(server: SoundServer, music: Path) -> None:
    quiet = server.folder / "quiet.wav"
    write(quiet, 0 * tone(440, 60, 22_050), 22_050)
    loud = server.play(music, "--client-name=Loud Player")
    server.play(quiet, "--client-name=Still Player")
    devices = server.run(sys.executable, "-m", "realtime.cli", "devices")
    assert "application Loud Player" in devices
    with run_listen(server.environment, "--source", "system:still player") as overheard:
        first = overheard.until(lambda message: message["type"] == "estimate")
        assert first["estimate"]["state"] == "SILENT"
    with run_listen(server.environment, "--source", "system:loud") as overheard:
        overheard.state(*SOUNDING)
        loud.kill()
        lost = overheard.state("RECOVERING", seconds=15)
        assert lost["detail"]
        loud.wait()
        loud = server.play(music, "--client-name=Loud Player")
        overheard.state(*SOUNDING)


def test_a_microphone_is_opened_through_the_sound_server(pulseaudio: SoundServer, music: Path) -> None:
    """A microphone is opened by its name on the sound server, which stays the same after a replug.

    Here the microphone is a virtual one that records the audio of ``speakers``.
    """
    pulseaudio.run(
        "pactl", "load-module", "module-remap-source", "master=speakers.monitor", "source_name=desk_mic"
    )
    pulseaudio.play(music)
    with run_listen(pulseaudio.environment, "--source", "mic:desk") as overheard:
        assert overheard.seen[0]["source"] == "desk_mic"
        overheard.state(*SOUNDING)


def test_portaudio_in_a_process_of_its_own_comes_back(
    pulseaudio: SoundServer, music: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """PortAudio reads the list of devices only when it starts, so a new process replaces a lost one."""
    plugin = "pcm.!default { type pulse }\nctl.!default { type pulse }\n"
    (pulseaudio.folder / ".asoundrc").write_text(plugin)
    for name, value in pulseaudio.environment.items():
        monkeypatch.setenv(name, value)
    pulseaudio.run("pactl", "set-default-source", "speakers.monitor")
    pulseaudio.play(music)
    source = ReconnectingSource(lambda: portaudio.open_portaudio("", SystemClock()), SystemClock())
    assert source.name == "default"
    peaks, killed = {"before": 0.0, "after": 0.0}, False
    deadline = time.monotonic() + 30
    for block in source.blocks():
        assert time.monotonic() < deadline, peaks
        period = "after" if source.status().reconnects else "before"
        if len(block.samples):
            peaks[period] = max(peaks[period], float(np.abs(block.samples).max()))
        if peaks["before"] > 0.1 and not killed:
            children = ["-P", str(os.getpid()), "-f", "realtime.capture.portaudio_child"]
            subprocess.run(["pkill", "-KILL", *children], check=True)
            killed = True
        if peaks["after"] > 0.1:
            break
    source.close()
    assert peaks["after"] > 0.1, "no audio came after the process was killed"


def test_a_microphone_that_portaudio_cannot_open_is_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / ".asoundrc").write_text("pcm.!default { type hw card 99 }\n")
    monkeypatch.setenv("HOME", str(tmp_path))
    with pytest.raises(SourceError, match=r"this machine has no microphone|no microphone matches 'tape'"):
        portaudio.open_portaudio("tape", SystemClock())


@pytest.mark.parametrize(
    ("script", "error"),
    [("print('hello')", "ended before it opened the device: no reason given"),
     ("import sys; sys.exit('the driver is broken')", "opened the device: the driver is broken"),
     ("import signal; signal.pause()", "did not answer within 1 s"),
     ("print('half a li', end='', flush=True); import signal; signal.pause()", "did not answer within 1 s")],
)  # fmt: skip
def test_a_capture_process_that_sends_no_valid_line_is_ended(
    script: str, error: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The program once waited forever for a line if it was not JSON or had no end."""
    program = tmp_path / "python"
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -c "{script}"\n')
    program.chmod(0o755)
    monkeypatch.setattr("sys.executable", str(program))
    with pytest.raises(SourceError, match=error):
        portaudio.open_portaudio("", SystemClock(), open_timeout_seconds=1.0)
