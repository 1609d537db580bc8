"""Many stations at one websocket: sequence numbers, lost groups and restarts."""

from __future__ import annotations

import asyncio
import errno
import gc
import json
import logging
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest
from websockets.asyncio.client import connect

from models.manifest import ModelManifest
from realtime.audio.source import AudioSource
from realtime.clock import SystemClock
from realtime.errors import SettingsError, SourceCrashError
from realtime.monitoring import group as group_module
from realtime.monitoring.group import STEADY_SECONDS, StationGroup
from realtime.monitoring.group_clients import GroupLostError, ProcessGroupClient
from realtime.monitoring.roster import StationRoster, serve_stations
from realtime.monitoring.stations import Station, make_groups, read_stations
from realtime.protocol import builders
from realtime.protocol.estimate import GenreEstimate, StreamState
from realtime.protocol.messages import Message
from realtime.server.broadcaster import Broadcaster
from realtime.sources.factory import open_source
from tests.support.cli import command_error
from tests.support.clock import VirtualClock
from tests.support.protocol import Json, as_json
from tests.support.stations import (
    ANALYSIS_SETTINGS,
    MAX_RUN_SECONDS,
    SETTINGS,
    UNREACHABLE_GROUP,
    TriggeredAction,
    check_messages,
    make_stations,
    radio,
    run_monitor,
    select_messages,
)
from tests.support.stream_servers import WebServer

__all__ = ["radio"]  # fixtures


def test_the_stations_of_a_process_that_ends_are_analyzed_again(radio: WebServer) -> None:
    groups = [make_stations(radio, "One", "Zwei"), make_stations(radio, "Три")]
    feeds = [ProcessGroupClient(group, ANALYSIS_SETTINGS) for group in groups]

    def kill() -> None:
        assert feeds[0].process is not None
        feeds[0].process.kill()

    event = TriggeredAction(("One", "Zwei", "Три"), ("One", "Zwei", "Три"), kill)
    received = run_monitor(groups, feeds, event)
    assert event.at is not None
    check_messages(received, ("One", "Zwei", "Три"))
    assert [message["source"] for message in received[:3]] == ["One", "Zwei", "Три"]
    (lost,) = [m for m in select_messages(received[event.at :], "One", "state") if m["state"] == "RECOVERING"]
    assert lost["detail"] == "its process has ended (SIGKILL); a new process starts"
    assert not [m for m in select_messages(received, "Три", "state") if m["state"] == "RECOVERING"]
    assert select_messages(received, "One")[-1]["estimate"]["label"] is not None
    assert "secret" not in json.dumps(received)
    assert all(feed.process is not None and feed.process.returncode is not None for feed in feeds)


def test_an_unreachable_station_is_reported_and_the_others_continue(radio: WebServer) -> None:
    groups = [(Station("Away", radio.url("nothing")), *make_stations(radio, "Here"))]
    received = run_monitor(
        groups,
        [ProcessGroupClient(groups[0], ANALYSIS_SETTINGS)],
        lambda published: (
            len(select_messages(published, "Away", "state")) >= 2 and bool(select_messages(published, "Here"))
        ),
    )
    check_messages(received, ("Away", "Here"))
    assert {message["state"] for message in select_messages(received, "Away", "state")} == {"RECOVERING"}
    assert "404" in select_messages(received, "Away", "state")[0]["detail"]


def test_groups_are_even_and_hold_every_station_once() -> None:
    stations = [Station(str(number), "http://radio.example") for number in range(17)]
    groups = make_groups(stations, 8)
    assert [len(group) for group in groups] == [6, 6, 5]
    assert sorted(station.name for group in groups for station in group) == sorted(s.name for s in stations)


def test_a_file_of_stations_is_read(tmp_path: Path) -> None:
    path = tmp_path / "stations.toml"
    station = '[[station]]\nname = "{}"\nurl = "https://radio.example/{}"\n'
    path.write_text("group_size = 1\n" + station.format("A", 1) + station.format("B", 2))
    assert read_stations(path) == [
        (Station("A", "https://radio.example/1"),), (Station("B", "https://radio.example/2"),),
    ]  # fmt: skip
    for text, sentence in (
        (station.format("A", 1) * 2, "two stations are called A"),
        ("", "must have 1 to 10000 sections"),
        ("group_size = 0\n" + station.format("A", 1), "group_size is 0; it must be a whole number in 1..100"),
        ("groups = 3\n", "unknown key 'groups'"),
        ("[[station]]\nname = 'A'\n", "station 1 must have name and url and nothing else"),
        ("[[station]]\nname = ''\nurl = 'http://a'\n", "the name of station 1 must have 1 to 120 characters"),
        ("[[station]]\nname = 'A'\nurl = '/etc/passwd'\n", "the url of station A must begin with http"),
        ("[[station\n", "is not valid TOML"),
    ):
        path.write_text(text)
        with pytest.raises(SettingsError, match=sentence.replace("[", r"\[")):
            read_stations(path)
    assert "cannot read the file of stations" in command_error("monitor", str(tmp_path / "none.toml"))


MANIFEST = ModelManifest.load()


def message(kind: str, at: float, state: StreamState = StreamState.LISTENING, detail: str = "") -> Message:
    """Build a message of station One at a time in Unix seconds."""
    if kind == "state":
        return builders.state_message("One", at, state, detail)
    if kind == "title":
        return builders.title_message("One", at, "A song")
    even = MappingProxyType(dict.fromkeys(MANIFEST.labels, 1 / len(MANIFEST.labels)))
    label = MANIFEST.labels[0]
    estimate = GenreEstimate(label, label, 0.9, even, state, 0, at, -20.0, False, 1.0)
    return builders.estimate_message(estimate, "One", MANIFEST, at, 1.0)


class Scripted:
    """Client of a group that returns given messages or errors in order, and then nothing."""

    def __init__(self, *turns: list[Message] | Exception) -> None:
        self._turns = list(turns)

    async def take(self) -> list[Message]:
        if not self._turns:
            await asyncio.Event().wait()
        turn = self._turns.pop(0)
        if isinstance(turn, Exception):
            raise turn
        return turn

    async def close(self) -> None:
        pass


def test_repeated_messages_are_found() -> None:
    published = [
        as_json(message("estimate", 1.0)) | {"seq": 1},
        as_json(message("estimate", 2.0)) | {"seq": 2},
    ]
    check_messages(published, ("One",))
    with pytest.raises(AssertionError):
        check_messages([*published, as_json(message("estimate", 2.0)) | {"seq": 3}], ("One",))


def test_errors_of_a_group_do_not_end_the_monitor(caplog: pytest.LogCaptureFixture) -> None:
    """An unexpected error of one group once ended the monitor and all other groups."""
    faults = [OSError(errno.EMFILE, "secret"), ValueError("secret"), IndexError("secret"), RuntimeError()]
    feed = Scripted(*faults, [message("state", 1.0)])
    received = run_monitor(
        [UNREACHABLE_GROUP], [feed], lambda published: published[-1].get("state") == "LISTENING", 0.01
    )
    details = {message["detail"] for message in select_messages(received, "One", "state")} - {""}
    assert details <= {"internal error; the analyzer tries again"}
    traces = [record for record in caplog.records if record.exc_info]
    assert len(traces) == 1, "the traceback is in the log, once"


def test_the_end_logs_nothing(caplog: pytest.LogCaptureFixture) -> None:
    """Each Ctrl-C once logged "_GatheringFuture exception was never retrieved" and a traceback."""
    run_monitor([UNREACHABLE_GROUP], [Scripted()], lambda published: True)
    gc.collect()
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]


class Watched:
    """Roster with station One, its published messages, and the hello for new clients."""

    def __init__(self) -> None:
        self.published: list[tuple[str, str]] = []
        self.broadcaster = Broadcaster()
        self.roster = StationRoster(self.broadcaster, self._note, SystemClock())
        self.roster.add("One", builders.hello_message("One", 0.0, MANIFEST, "none", {}))

    def _note(self, message: Message) -> None:
        self.published.append((message.kind, as_json(message).get("state", "")))


def test_a_late_group_is_not_lost() -> None:
    """Its stations once stayed RECOVERING although their estimates arrived."""
    watched = Watched()
    watched.roster.publish(message("state", 1.0, StreamState.STALLED, "quiet"))
    watched.roster.report_lost(UNREACHABLE_GROUP, "its group waits", late=True)
    watched.roster.publish(message("title", 2.0))
    watched.roster.publish(message("title", 3.0))
    states = [("state", "STALLED"), ("state", "RECOVERING"), ("state", "STALLED")]
    assert watched.published == [*states, ("title", ""), ("title", "")]


def test_the_stations_of_a_restarted_group_start_anew() -> None:
    watched = Watched()
    watched.roster.publish(message("state", 1.0))
    watched.roster.report_lost(UNREACHABLE_GROUP, "its process has ended")
    watched.roster.report_lost(UNREACHABLE_GROUP, "its process has ended")
    watched.roster.publish(message("title", 2.0))
    watched.roster.publish(message("state", 3.0, StreamState.WARMING_UP))
    states = [state for _, state in watched.published if state]
    assert states == ["LISTENING", "RECOVERING", "CONNECTING", "WARMING_UP"]


def test_a_station_whose_state_was_dropped_is_not_silent() -> None:
    watched = Watched()
    watched.roster.publish(message("state", 1.0, StreamState.RECOVERING, "404"))
    watched.roster.publish(message("estimate", 2.0, StreamState.UNSURE))
    watched.roster.publish(message("estimate", 3.0, StreamState.UNSURE))
    assert watched.published == [
        ("state", "RECOVERING"),
        ("state", "UNSURE"),
        ("estimate", ""),
        ("estimate", ""),
    ]


def test_a_later_client_gets_the_state_of_a_late_group() -> None:
    late = GroupLostError("its group waits", late=True)
    feed = Scripted([message("state", 1.0)], late, [message("estimate", 2.0)])
    hellos: list[Json] = []

    async def listen(address: str) -> None:
        async with asyncio.timeout(MAX_RUN_SECONDS):
            while not hellos or hellos[-1]["estimate"] is None:
                async with connect(address) as client:
                    hellos.append(json.loads(await client.recv()))

    asyncio.run(
        serve_stations(
            SETTINGS, [UNREACHABLE_GROUP], [feed],
            ready=lambda count, address: listen(address), restart_pause_seconds=0.01,
        )
    )  # fmt: skip
    assert hellos[-1]["state"] == "LISTENING"


def test_a_station_continues_after_an_unexpected_error(
    radio: WebServer, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Its thread once ended, and the station stayed silent. Clients must not see passwords."""
    asked = []

    def fails_once(url: str, *more: Any) -> AudioSource:
        asked.append(url)
        if len(asked) == 1:
            raise RuntimeError(f"can't start new thread for {url}")
        return open_source(url, *more)

    monkeypatch.setattr(group_module, "open_source", fails_once)
    group = StationGroup(make_stations(radio, "One"), ANALYSIS_SETTINGS)
    received: list[Json] = []
    try:
        for _ in range(MAX_RUN_SECONDS):
            received += map(as_json, group.take(1.0))
            if select_messages(received, "One"):
                break
    finally:
        group.stop()
    assert select_messages(received, "One")
    assert [m["detail"] for m in select_messages(received, "One", "state") if m["detail"]] == [
        "internal error"
    ]
    assert "can't start new thread" in caplog.text


def test_crashes_before_a_steady_time_do_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = VirtualClock()
    lasted = [0.0, 0.0, STEADY_SECONDS + 1, 0.0, 0.0]
    crashed: list[float] = []

    def crashes(*_: Any) -> AudioSource:
        clock.now += lasted[len(crashed)] if len(crashed) < len(lasted) else 0.0
        crashed.append(clock.now)
        raise SourceCrashError("crashed")

    monkeypatch.setattr(group_module, "open_source", crashes)
    monkeypatch.setattr(group_module, "SystemClock", lambda: clock)
    monkeypatch.setattr(group_module, "MAX_BACKOFF_SECONDS", 0.0)
    group = StationGroup((), ANALYSIS_SETTINGS)
    group._run_station(Station("One", "http://127.0.0.1:9/"))
    assert len(crashed) == len(lasted)
