"""Radio stations of one web server, and a monitor of them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest
from websockets.asyncio.client import connect

from realtime.config import AnalysisSettings, HistorySettings, ServerSettings, Settings
from realtime.monitoring.group_clients import GroupClient
from realtime.monitoring.roster import RESTART_PAUSE_SECONDS, serve_stations
from realtime.monitoring.stations import Group, Station
from realtime.protocol.messages import Message
from tests.support.paths import DEMONSTRATION
from tests.support.protocol import VALIDATOR, Json, as_json
from tests.support.stream_servers import Answer, WebServer, web_server

CHOSEN = Settings(server=ServerSettings(port=0), history=HistorySettings(history="off"))
HEARING = AnalysisSettings.from_settings(CHOSEN)
MOST_SECONDS = 60


@pytest.fixture
def radio() -> Iterator[WebServer]:
    """A station that plays two minutes of music at everybody's own pace, and never ends."""
    music = Answer(DEMONSTRATION.read_bytes(), headers={"Content-Type": "audio/ogg"}, length=False, hang=True)
    with web_server({"music.opus": music}) as server:
        yield server


def stations_of(radio: WebServer, *names: str) -> Group:
    return tuple(Station(name, radio.url("music.opus", user="someone:secret")) for name in names)


def monitored(
    groups: Sequence[Group],
    feeds: Sequence[GroupClient],
    enough: Callable[[list[Json]], bool],
    restart_pause_seconds: float = RESTART_PAUSE_SECONDS,
) -> list[Json]:
    """Messages to a client until ``enough`` returns True. It is called after every message."""
    heard: list[Json] = []
    told: list[Json] = []

    async def listen(address: str) -> None:
        async with asyncio.timeout(MOST_SECONDS), connect(address) as client:
            async for text in client:
                heard.append(json.loads(text))
                if enough(heard):
                    return

    def watch(message: Message) -> None:
        told.append(as_json(message))

    asyncio.run(
        serve_stations(
            CHOSEN,
            groups,
            feeds,
            ready=lambda count, address: listen(address),
            watch=watch,
            restart_pause_seconds=restart_pause_seconds,
        )
    )
    check_once(told)  # a client does not see the first of two that follow at once
    return heard


def of(heard: list[Json], name: str, kind: str = "estimate") -> list[Json]:
    return [message for message in heard if message["source"] == name and message["type"] == kind]


def check_numbers(heard: list[Json], names: Sequence[str]) -> None:
    """Nothing is told twice, nothing comes late, and all of it obeys the schema."""
    for message in heard:
        VALIDATOR.validate(message)
    for name in names:
        numbers = [message["seq"] for message in heard if message["source"] == name]
        assert numbers == sorted(set(numbers))
    check_once(heard)


def check_once(told: list[Json]) -> None:
    """The monitor numbers whatever it is told, so that only the moments show what was told twice."""
    moments = [(message["source"], message["type"], message["captured_at"]) for message in told]
    assert len(moments) == len(set(moments))


def goes_on_after(heard: list[Json], event: int, names: Sequence[str]) -> bool:
    """Check if all of these stations sent estimates again after a moment."""
    return all(len(of(heard[event:], name)) >= 2 for name in names)


class Event:
    """Something that is done once, when all have been heard."""

    def __init__(self, names: Sequence[str], again: Sequence[str], act: Callable[[], Any]) -> None:
        self.at: int | None = None
        self._names, self._again, self._act = names, again, act

    def __call__(self, heard: list[Json]) -> bool:
        if self.at is None and all(of(heard, name) for name in self._names):
            self.at = len(heard)
            self._act()
        return self.at is not None and goes_on_after(heard, self.at, self._again)


ALONE = (Station("One", "http://127.0.0.1:1/music"),)
