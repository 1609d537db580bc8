"""Many stations at one websocket: numbered without a break, whoever hears them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from websockets.asyncio.client import connect

from realtime import messages
from realtime.errors import SettingsError
from realtime.group_feeds import Feed, ProcessFeed
from realtime.messages import Message
from realtime.monitor import serve_stations
from realtime.settings import HistorySettings, ServerSettings, Settings
from realtime.stations import Group, Station, groups_of, read_stations
from realtime.track_hearing import Hearing
from tests.radio import Answer, WebServer, web
from tests.test_commands import DEMONSTRATION, refused

CHOSEN = Settings(server=ServerSettings(port=0), history=HistorySettings(history="off"))
HEARING = Hearing.of(CHOSEN)
MOST_SECONDS = 60


@pytest.fixture
def radio() -> Iterator[WebServer]:
    """A station that plays two minutes of music at everybody's own pace, and never ends."""
    music = Answer(DEMONSTRATION.read_bytes(), headers={"Content-Type": "audio/ogg"}, length=False, hang=True)
    with web({"music.opus": music}) as server:
        yield server


def stations_of(radio: WebServer, *names: str) -> Group:
    return tuple(Station(name, radio.url("music.opus", user="someone:secret")) for name in names)


def monitored(
    groups: Sequence[Group], feeds: Sequence[Feed], enough: Callable[[list[Message]], bool]
) -> list[Message]:
    """What a client is told until it has heard enough, which it is asked after every message."""
    heard: list[Message] = []

    async def listen(address: str) -> None:
        async with asyncio.timeout(MOST_SECONDS), connect(address) as client:
            async for text in client:
                heard.append(json.loads(text))
                if enough(heard):
                    return

    asyncio.run(serve_stations(CHOSEN, groups, feeds, ready=lambda count, address: listen(address)))
    return heard


def of(heard: list[Message], name: str, kind: str = "estimate") -> list[Message]:
    return [message for message in heard if message["source"] == name and message["type"] == kind]


def check_numbers(heard: list[Message], names: Sequence[str]) -> None:
    """Nothing is told twice, nothing comes late, and all of it obeys the schema."""
    import jsonschema

    validator = jsonschema.Draft202012Validator(messages.schema())
    for message in heard:
        validator.validate(message)
    for name in names:
        numbers = [message["seq"] for message in heard if message["source"] == name]
        assert numbers == sorted(set(numbers))


def goes_on_after(heard: list[Message], event: int, names: Sequence[str]) -> bool:
    """Whether all of these were heard again after a moment."""
    return all(len(of(heard[event:], name)) >= 2 for name in names)


class Event:
    """Something that is done once, when all have been heard."""

    def __init__(self, names: Sequence[str], again: Sequence[str], act: Callable[[], Any]) -> None:
        self.at: int | None = None
        self._names, self._again, self._act = names, again, act

    def __call__(self, heard: list[Message]) -> bool:
        if self.at is None and all(of(heard, name) for name in self._names):
            self.at = len(heard)
            self._act()
        return self.at is not None and goes_on_after(heard, self.at, self._again)


def test_the_stations_of_a_process_that_ends_are_heard_again(radio: WebServer) -> None:
    groups = [stations_of(radio, "One", "Zwei"), stations_of(radio, "Три")]
    feeds = [ProcessFeed(group, HEARING) for group in groups]

    def kill() -> None:
        assert feeds[0].process is not None
        feeds[0].process.kill()

    event = Event(("One", "Zwei", "Три"), ("One", "Zwei", "Три"), kill)
    heard = monitored(groups, feeds, event)
    assert event.at is not None
    check_numbers(heard, ("One", "Zwei", "Три"))
    assert [message["source"] for message in heard[:3]] == ["One", "Zwei", "Три"]
    (lost,) = [m for m in of(heard[event.at :], "One", "state") if m["state"] == "RECOVERING"]
    assert lost["detail"] == "the process that heard it has ended (SIGKILL); another one begins"
    assert not [m for m in of(heard, "Три", "state") if m["state"] == "RECOVERING"]
    assert of(heard, "One")[-1]["estimate"]["label"] is not None
    assert "secret" not in json.dumps(heard)
    assert all(feed.process is not None and feed.process.returncode is not None for feed in feeds)


def test_a_station_that_is_away_says_so_and_the_others_go_on(radio: WebServer) -> None:
    groups = [(Station("Away", radio.url("nothing")), *stations_of(radio, "Here"))]
    heard = monitored(
        groups,
        [ProcessFeed(groups[0], HEARING)],
        lambda told: len(of(told, "Away", "state")) >= 2 and bool(of(told, "Here")),
    )
    check_numbers(heard, ("Away", "Here"))
    assert {message["state"] for message in of(heard, "Away", "state")} == {"RECOVERING"}
    assert "404" in of(heard, "Away", "state")[0]["detail"]


def test_groups_are_even_and_hold_every_station_once() -> None:
    stations = [Station(str(number), "http://radio.example") for number in range(17)]
    groups = groups_of(stations, 8)
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
        ("[[station\n", "are not valid TOML"),
    ):
        path.write_text(text)
        with pytest.raises(SettingsError, match=sentence.replace("[", r"\[")):
            read_stations(path)
    assert "cannot read the stations" in refused("monitor", str(tmp_path / "none.toml"))
