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

SETTINGS = Settings(server=ServerSettings(port=0), history=HistorySettings(history="off"))
ANALYSIS_SETTINGS = AnalysisSettings.from_settings(SETTINGS)
MAX_RUN_SECONDS = 300


@pytest.fixture
def radio() -> Iterator[WebServer]:
    """A station that plays the demonstration at the pace of each reader, and never ends."""
    music = Answer(DEMONSTRATION.read_bytes(), headers={"Content-Type": "audio/ogg"}, length=False, hang=True)
    with web_server({"music.opus": music}) as server:
        yield server


def make_stations(radio: WebServer, *names: str) -> Group:
    return tuple(Station(name, radio.url("music.opus", user="someone:secret")) for name in names)


def run_monitor(
    groups: Sequence[Group],
    feeds: Sequence[GroupClient],
    enough: Callable[[list[Json]], bool],
    restart_pause_seconds: float = RESTART_PAUSE_SECONDS,
) -> list[Json]:
    """Run a monitor, and return the messages to a client until ``enough``, called after each, is true."""
    messages: list[Json] = []
    published: list[Json] = []

    async def listen(address: str) -> None:
        async with asyncio.timeout(MAX_RUN_SECONDS), connect(address) as client:
            async for text in client:
                messages.append(json.loads(text))
                if enough(messages):
                    return

    def watch(message: Message) -> None:
        published.append(as_json(message))

    asyncio.run(
        serve_stations(
            SETTINGS,
            groups,
            feeds,
            ready=lambda count, address: listen(address),
            watch=watch,
            restart_pause_seconds=restart_pause_seconds,
        )
    )
    check_unique(published)  # a client may miss a message that the next one replaces at once
    return messages


def select_messages(messages: list[Json], name: str, kind: str = "estimate") -> list[Json]:
    return [message for message in messages if message["source"] == name and message["type"] == kind]


def check_messages(messages: list[Json], names: Sequence[str]) -> None:
    """Check that messages match the schema, that none is repeated, and that each station's are in order."""
    for message in messages:
        VALIDATOR.validate(message)
    for name in names:
        numbers = [message["seq"] for message in messages if message["source"] == name]
        assert numbers == sorted(set(numbers))
    check_unique(messages)


def check_unique(messages: list[Json]) -> None:
    """Check that no message was published twice. A repeated message has a new number, but the same moment."""
    moments = [(message["source"], message["type"], message["captured_at"]) for message in messages]
    assert len(moments) == len(set(moments))


def sent_again_after(messages: list[Json], event: int, names: Sequence[str]) -> bool:
    """Check if all of these stations sent estimates again after a moment."""
    return all(len(select_messages(messages[event:], name)) >= 2 for name in names)


class TriggeredAction:
    """Condition of ``run_monitor`` that acts once, when all of ``names`` have sent an estimate.

    It is true when all of ``again`` have sent estimates since a station was lost by the action. Estimates
    that were on their way when it acted do not count.
    """

    def __init__(self, names: Sequence[str], again: Sequence[str], act: Callable[[], Any]) -> None:
        self.at: int | None = None
        self._names, self._again, self._act = names, again, act

    def __call__(self, messages: list[Json]) -> bool:
        if self.at is None and all(select_messages(messages, name) for name in self._names):
            self.at = len(messages)
            self._act()
        if self.at is None:
            return False
        lost = (
            number
            for number, message in enumerate(messages[self.at :], self.at)
            if message["type"] == "state" and message["state"] == "RECOVERING"
        )
        first = next(lost, None)
        return first is not None and sent_again_after(messages, first, self._again)


UNREACHABLE_GROUP = (Station("One", "http://127.0.0.1:1/music"),)
