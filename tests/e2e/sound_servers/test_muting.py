"""Muted outputs, monitors, microphones and applications, on real PulseAudio and PipeWire servers."""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from websockets.sync.client import connect

from tests.support.audio import noise, tone, write
from tests.support.sound_servers import ListenProcess, SoundServer, run_listen, sound_server
from tests.support.waiting import wait_until

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="needs Linux")

SOUNDING = ("LISTENING", "UNSURE", "NOT_MUSIC")


@pytest.fixture(params=["pulseaudio", "pipewire"])
def server(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[SoundServer]:
    """Sound server that plays two minutes of sound, which is longer than any test."""
    samples = 0.3 * tone(440, 120, 22_050) + 0.1 * noise(120 * 22_050)
    music = write(tmp_path / "music.wav", samples, 22_050)
    with sound_server(tmp_path, request.param) as started:
        started.play(music, "--client-name=Player")
        wait_until(lambda: started.run("pactl", "list", "short", "sink-inputs") != "")
        yield started


def wait_for_state_code(overheard: ListenProcess, code: str | None) -> dict[str, Any]:
    """Receive messages up to a silent state with this code, which may already be the one of the hello."""

    def has_code(message: dict[str, Any]) -> bool:
        is_state = message["type"] in ("hello", "state")
        return is_state and message["state"] == "SILENT" and message["code"] == code

    last = overheard.seen[-1]
    return last if has_code(last) else overheard.until(has_code)


def list_devices(server: SoundServer) -> str:
    return server.run(sys.executable, "-m", "realtime.cli", "devices")


def unmute(server: SoundServer, state: dict[str, Any]) -> None:
    """Run the command that the detail of a state names."""
    server.run(*shlex.split(state["detail"].split(": ")[1]))


def test_a_muted_output_is_named_until_it_is_no_longer_muted(server: SoundServer) -> None:
    """The silence of a muted output looked like the silence of a player."""
    with run_listen(server.environment, "--source", "system") as overheard:
        overheard.state(*SOUNDING)
        server.run("pactl", "set-sink-mute", "speakers", "1")
        muted = wait_for_state_code(overheard, "muted")
        assert muted["detail"] == "the device is muted; unmute it with: pactl set-sink-mute speakers 0"
        (line,) = [line for line in list_devices(server).splitlines() if "muted" in line]
        assert "speakers.monitor" in line
        assert "unmute it with: pactl set-sink-mute speakers 0" in line
        with connect(overheard.address) as late:
            hello = json.loads(late.recv(timeout=10))
        assert (hello["state"], hello["code"], hello["detail"]) == ("SILENT", "muted", muted["detail"])
        unmute(server, muted)
        sounding = overheard.until(
            lambda message: message["type"] == "state" and message["state"] in SOUNDING
        )
        assert (sounding["code"], sounding["detail"]) == (None, "")


def test_a_source_that_is_muted_from_the_start_is_named(server: SoundServer) -> None:
    server.run("pactl", "set-source-mute", "speakers.monitor", "1")
    with run_listen(server.environment, "--source", "system") as overheard:
        muted = wait_for_state_code(overheard, "muted")
        assert "pactl set-source-mute speakers.monitor 0" in muted["detail"]
        unmute(server, muted)
        overheard.state(*SOUNDING)


def test_silence_after_the_end_of_a_mute_has_no_reason(server: SoundServer) -> None:
    server.run("pactl", "load-module", "module-null-sink", "sink_name=idle", "rate=44100")
    server.run("pactl", "set-sink-mute", "idle", "1")
    with run_listen(server.environment, "--source", "system:idle") as overheard:
        unmute(server, wait_for_state_code(overheard, "muted"))
        assert wait_for_state_code(overheard, None)["detail"] == ""


def test_a_muted_application_is_named(server: SoundServer) -> None:
    stream = server.run("pactl", "list", "short", "sink-inputs").split("\t")[0]
    with run_listen(server.environment, "--source", "system:player") as overheard:
        overheard.state(*SOUNDING)
        server.run("pactl", "set-sink-input-mute", stream, "1")
        muted = wait_for_state_code(overheard, "muted")
        assert "application Player  (22050 Hz, 1 channel; muted, unmute it with: pactl" in list_devices(
            server
        )
        unmute(server, muted)
        overheard.state(*SOUNDING)


def test_a_muted_microphone_is_named(server: SoundServer) -> None:
    server.run(
        "pactl", "load-module", "module-remap-source", "master=speakers.monitor", "source_name=desk_mic"
    )
    with run_listen(server.environment, "--source", "mic:desk") as overheard:
        overheard.state(*SOUNDING)
        server.run("pactl", "set-source-mute", "desk_mic", "1")
        muted = wait_for_state_code(overheard, "muted")
        assert muted["detail"].endswith("pactl set-source-mute desk_mic 0")
        unmute(server, muted)
        overheard.state(*SOUNDING)
