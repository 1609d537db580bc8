"""Publish the messages of many stations at one websocket."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import asdict
from typing import NamedTuple

from msgspec.structs import replace

from models.classifier import load_classifier
from models.common.text import format_count
from realtime.app import (
    OutputWatch,
    catch_stop_signals,
    first_completed,
    format_websocket_url,
    open_consumers,
)
from realtime.clock import Clock, SystemClock, unix_now
from realtime.config import Settings
from realtime.control.sequencer import MessageSequencer
from realtime.monitoring.group import INTERNAL_ERROR
from realtime.monitoring.group_clients import FILES_PER_PROCESS, OTHER_FILES, GroupClient, GroupLostError
from realtime.monitoring.stations import Group
from realtime.protocol.builders import hello_message, state_message
from realtime.protocol.codes import StateCode
from realtime.protocol.estimate import StreamState
from realtime.protocol.messages import EstimateMessage, HealthMessage, HelloMessage, Message, StateMessage
from realtime.server.broadcaster import Broadcaster
from realtime.server.limits import ServerLimits
from realtime.server.websocket import EstimateServer

logger = logging.getLogger(__name__)

RESTART_PAUSE_SECONDS = 1.0
"""Pause before the next request to a lost group, which restarts the group."""


class _StationState(NamedTuple):
    """State of a station with its detail and code."""

    state: StreamState
    detail: str = ""
    code: StateCode | None = None


class StationRoster:
    """Publisher of the messages and states of all stations. It must be used on the server's event loop.

    Parameters
    ----------
    broadcaster : Broadcaster
    watch : callable
        Called with every message. It must not block.
    clock : Clock
    """

    def __init__(self, broadcaster: Broadcaster, watch: Callable[[Message], None], clock: Clock) -> None:
        self._broadcaster, self._watch, self._clock = broadcaster, watch, clock
        self._sequencers: dict[str, MessageSequencer] = {}
        self._published: dict[str, _StationState] = {}  # last state that clients received, by station
        self._reported: dict[str, _StationState] = {}  # last state that its group reported, by station

    def add(self, name: str, hello: HelloMessage) -> None:
        """Add a station."""
        self._sequencers[name] = MessageSequencer(name, self._send)
        self._published[name] = self._reported[name] = _StationState(hello.state, hello.detail, hello.code)
        self._broadcaster.add(hello)

    def publish(self, message: Message) -> None:
        """Publish a message of a group with a new number, which continues after a restart of the group.

        If the published state of the station is outdated, the current state is published first. This is the
        case for a station that was reported as lost, or as without audio although it has estimates.
        """
        name = message.source
        if isinstance(message, StateMessage):
            self._reported[name] = _StationState(message.state, message.detail, message.code)
        elif isinstance(message, EstimateMessage) and self._published[name].state.is_silent_source:
            # The state message of the station was dropped.
            self._reported[name] = _StationState(message.estimate.state)
        elif isinstance(message, HealthMessage):
            message = replace(message, clients=self._broadcaster.clients)
        if not isinstance(message, StateMessage):
            self._publish_state(name, self._reported[name])
        self._published[name] = self._reported[name]
        self._sequencers[name].publish(message)

    def report_lost(self, group: Group, reason: str, *, late: bool = False) -> None:
        """Publish that the stations of a group are not analyzed, or that their group is late.

        Stations whose published state is the same already get no message.
        """
        for station in group:
            lost = _StationState(StreamState.RECOVERING, reason, StateCode.GROUP_UNREACHABLE)
            self._publish_state(station.name, lost)
            if not late:
                self._reported[station.name] = _StationState(StreamState.CONNECTING)

    def _publish_state(self, name: str, state: _StationState) -> None:
        if self._published[name] != state:
            self._published[name] = state
            now = unix_now(self._clock)
            self._sequencers[name].publish(state_message(name, now, *state))

    def _send(self, _sequencer: MessageSequencer, message: Message) -> None:
        self._watch(message)
        self._broadcaster.publish(message)


async def serve_stations(
    settings: Settings,
    groups: Sequence[Group],
    clients: Sequence[GroupClient],
    *,
    ready: Callable[[int, str], Awaitable[None] | None],
    watch: Callable[[Message], None] | None = None,
    restart_pause_seconds: float = RESTART_PAUSE_SECONDS,
) -> int:
    """Publish the messages of all groups until a stop signal arrives.

    Parameters
    ----------
    settings : Settings
    groups, clients : sequences
        Groups, and the client of each group.
    ready : callable
        Called with the number of stations and the websocket's address. If the call returns an awaitable, the
        server also stops once that awaitable is done.
    watch : callable, optional
        Called with every message.
    restart_pause_seconds : float
        Pause before the next request to a lost group.

    Returns
    -------
    int
        Exit code.

    Raises
    ------
    OverheardError
        If the model cannot be loaded, or if the port is unavailable.
    OSError
        If ``watch`` raised it.
    """
    stopping = catch_stop_signals()
    output = OutputWatch(watch, stopping)
    clock = SystemClock()
    classifier = load_classifier(settings.model.manifest, settings.model.runtime)
    shown_settings = asdict(settings.smoothing) | asdict(settings.silence)
    with contextlib.ExitStack() as cleanup:
        consumers, _ = open_consumers(settings, clock, classifier.manifest)
        for consumer in consumers:
            cleanup.callback(consumer.close)

        def forward(message: Message) -> None:
            for consumer in consumers:
                consumer.consume(message)
            output(message)

        broadcaster = Broadcaster()
        server = EstimateServer(
            broadcaster,
            settings.server,
            limits=ServerLimits(other_files=FILES_PER_PROCESS * len(groups) + OTHER_FILES),
        )
        roster = StationRoster(broadcaster, forward, clock)
        for station in (station for group in groups for station in group):
            now = unix_now(clock)
            hello = hello_message(station.name, now, classifier.manifest, classifier.runtime, shown_settings)
            roster.add(station.name, hello)
        port = await server.start(settings.server.host, settings.server.port)
        relays = [
            asyncio.create_task(relay(client, group, roster, restart_pause_seconds))
            for client, group in zip(clients, groups, strict=True)
        ]
        try:
            stop_condition = ready(sum(map(len, groups)), format_websocket_url(settings.server, port))
            await first_completed(stopping.wait(), *relays, *([stop_condition] if stop_condition else []))
        finally:
            for task in relays:
                task.cancel()
            await asyncio.gather(*relays, return_exceptions=True)
            await asyncio.gather(*(client.close() for client in clients), server.stop())
    if output.error is not None:
        raise output.error
    return 0


async def relay(
    client: GroupClient, group: Group, roster: StationRoster, restart_pause_seconds: float
) -> None:
    """Publish the messages of one group until the task is canceled."""
    logged = ""
    while True:
        error: Exception | None = None
        try:
            messages = await client.take()
        except GroupLostError as lost_error:
            lost = lost_error
        except Exception as unexpected:  # an error of one group must not end the other groups
            lost, error = GroupLostError(f"{INTERNAL_ERROR}; the analyzer tries again"), unexpected
        else:
            for message in messages:
                roster.publish(message)
                logged = ""
            continue
        if str(lost) != logged:
            logged = str(lost)
            logger.warning(
                "a group of %s (the first is %s) is lost: %s",
                format_count(len(group), "station"), group[0].name, lost, exc_info=error,
            )  # fmt: skip
        roster.report_lost(group, str(lost), late=lost.late)
        await asyncio.sleep(restart_pause_seconds)
