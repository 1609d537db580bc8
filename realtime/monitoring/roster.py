"""``overheard monitor``: many stations, heard in groups here or on a cluster, told at one websocket."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import asdict
from typing import NamedTuple

from msgspec.structs import replace

from models.classifier import load_classifier
from realtime.app import catch_stop_signals, first_completed, open_consumers, websocket_address
from realtime.clock import Clock, SystemClock
from realtime.config import Settings
from realtime.control.sequencer import MessageSequencer
from realtime.history import RecentAudioBuffer
from realtime.monitoring.feeds import GroupClient, GroupLostError
from realtime.monitoring.group import INTERNAL_ERROR
from realtime.monitoring.stations import Group
from realtime.protocol.builders import hello_message, state_message
from realtime.protocol.codes import StateCode
from realtime.protocol.estimate import StreamState
from realtime.protocol.messages import EstimateMessage, HealthMessage, HelloMessage, Message, StateMessage
from realtime.server.broadcaster import Broadcaster
from realtime.server.websocket import EstimateServer

logger = logging.getLogger(__name__)

RESTART_PAUSE_SECONDS = 1.0
"""Between two questions to a group that is lost."""


class _Shown(NamedTuple):
    """State of a station, as clients or its group have it."""

    state: StreamState
    detail: str = ""
    code: StateCode | None = None


class StationRoster:
    """All stations as the clients see them; runs on the server's event loop.

    Parameters
    ----------
    broadcaster : Broadcaster
    watch : callable
        Gets every message too; must not block.
    """

    def __init__(self, broadcaster: Broadcaster, watch: Callable[[Message], None], clock: Clock) -> None:
        self._broadcaster, self._watch, self._clock = broadcaster, watch, clock
        self._lines: dict[str, MessageSequencer] = {}
        # By station: as clients were told last, and as its group said last.
        self._told: dict[str, _Shown] = {}
        self._heard: dict[str, _Shown] = {}

    def add(self, name: str, hello: HelloMessage) -> None:
        """One more station."""
        self._lines[name] = MessageSequencer(name, self._tell)
        self._told[name] = self._heard[name] = _Shown(hello.state, hello.detail, hello.code)
        self._broadcaster.add(hello)

    def say(self, message: Message) -> None:
        """Number a group's message and hand it on; ``seq`` of a station only rises, whoever hears it.

        Before a message of a station that clients hold for lost, or without sound although it is heard, its
        state is said again.
        """
        name = message.source
        if isinstance(message, StateMessage):
            self._heard[name] = _Shown(message.state, message.detail, message.code)
        elif isinstance(message, EstimateMessage) and self._told[name].state.is_silent_source:
            self._heard[name] = _Shown(message.estimate.state)  # its own state came late or was dropped
        elif isinstance(message, HealthMessage):
            message = replace(message, clients=self._broadcaster.clients)
        if not isinstance(message, StateMessage):
            self._say_state(name, self._heard[name])
        self._told[name] = self._heard[name]
        self._lines[name].publish(message)

    def lost(self, group: Group, reason: str, *, late: bool = False) -> None:
        """Nobody hears these stations, or nobody knows while their group is late; said once."""
        for station in group:
            lost = _Shown(StreamState.RECOVERING, reason, StateCode.GROUP_UNREACHABLE)
            self._say_state(station.name, lost)
            if not late:
                self._heard[station.name] = _Shown(StreamState.CONNECTING)

    def _say_state(self, name: str, shown: _Shown) -> None:
        if self._told[name] != shown:
            self._told[name] = shown
            now = self._clock.unix(self._clock.monotonic())
            self._lines[name].publish(state_message(name, now, *shown))

    def _tell(self, line: MessageSequencer, message: Message) -> None:
        self._watch(message)
        self._broadcaster.publish(message)


async def serve_stations(
    chosen: Settings,
    groups: Sequence[Group],
    feeds: Sequence[GroupClient],
    *,
    ready: Callable[[int, str], Awaitable[None] | None],
    watch: Callable[[Message], None] | None = None,
    restart_pause_seconds: float = RESTART_PAUSE_SECONDS,
) -> int:
    """Gather what all groups hear until a signal comes.

    Parameters
    ----------
    chosen : Settings
    groups, feeds : sequences
        Each group and where it is heard.
    ready : callable
        Told how many stations there are and the websocket's address. It may return something to wait for,
        whose end is the end of all.
    watch : callable
        Gets every message too.
    restart_pause_seconds : float
        Pause before a lost group is asked again.

    Returns
    -------
    int
        Exit code.

    Raises
    ------
    OverheardError
        The model cannot be loaded, or the port cannot be had.
    """
    stopping = catch_stop_signals()
    clock = SystemClock()
    classifier = load_classifier(chosen.model.manifest, chosen.model.runtime)
    told = asdict(chosen.smoothing) | asdict(chosen.silence)
    with contextlib.ExitStack() as open_ones:
        watchers = open_consumers(chosen, clock, classifier.manifest, RecentAudioBuffer(0, clock))
        for watcher in watchers:
            open_ones.callback(watcher.close)

        def tell(message: Message) -> None:
            for watcher in watchers:
                watcher.consume(message)
            if watch is not None:
                watch(message)

        broadcaster = Broadcaster()
        server = EstimateServer(broadcaster, chosen.server)
        roll = StationRoster(broadcaster, tell, clock)
        for station in (station for group in groups for station in group):
            now = clock.unix(clock.monotonic())
            hello = hello_message(station.name, now, classifier.manifest, classifier.runtime, told)
            roll.add(station.name, hello)
        port = await server.start(chosen.server.host, chosen.server.port)
        following = [
            asyncio.create_task(relay(feed, group, roll, restart_pause_seconds))
            for feed, group in zip(feeds, groups, strict=True)
        ]
        try:
            companion = ready(sum(map(len, groups)), websocket_address(chosen.server, port))
            await first_completed(stopping.wait(), *following, *([companion] if companion else []))
        finally:
            for task in following:
                task.cancel()
            await asyncio.gather(*following, return_exceptions=True)
            await asyncio.gather(*(feed.close() for feed in feeds), server.stop())
    return 0


async def relay(feed: GroupClient, group: Group, roll: StationRoster, restart_pause_seconds: float) -> None:
    """Hand on what one group hears, for as long as it is not cancelled."""
    logged = ""
    while True:
        fault: Exception | None = None
        try:
            taken = await feed.take()
        except GroupLostError as error:
            lost = error
        except Exception as error:  # one group's fault is not the end of the others
            lost, fault = GroupLostError(f"{INTERNAL_ERROR}; it is tried again"), error
        else:
            for message in taken:
                roll.say(message)
                logged = ""
            continue
        if str(lost) != logged:
            logged = str(lost)
            logger.warning("%d stations from %s on: %s", len(group), group[0].name, lost, exc_info=fault)
        roll.lost(group, str(lost), late=lost.late)
        await asyncio.sleep(restart_pause_seconds)
