"""Run the analyzer: open the sources, analyze them, and serve the estimates until all sources end."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
from collections.abc import Awaitable, Callable, Iterable, Sequence

from models.classifier import LockedClassifier, load_classifier
from models.manifest import ModelManifest
from realtime.clock import Clock, SystemClock
from realtime.config import ServerSettings, Settings
from realtime.control.source_manager import SourceManager
from realtime.history import HistoryService, HistoryWriter, RecentAudioBuffer, resolve_path
from realtime.outputs import GenreNotifier
from realtime.protocol.messages import Message
from realtime.server.broadcaster import Broadcaster
from realtime.server.log_buffer import LogBuffer
from realtime.server.websocket import EstimateServer


async def serve_sources(
    settings: Settings,
    *,
    ready: Callable[[str, str], Awaitable[None] | None],
    watch: Callable[[Message], None] | None = None,
    origins: Iterable[str] = (),
    selectable: Sequence[str] = (),
    control_token: str = "",
) -> int:
    """Open the sources and serve their estimates until all sources have ended or a stop signal arrives.

    Parameters
    ----------
    settings : Settings
    ready : callable
        Called with the sources' names and the websocket's address once all sources are open. If the call
        returns an awaitable, the server runs until that awaitable is done, not until the sources end.
    watch : callable, optional
        Called with every message, on the threads of the workers.
    origins : iterable of str
        Web origins allowed besides those of the settings.
    selectable : sequence of str
        Descriptions of sources that privileged clients may select, used if the settings name none.
    control_token : str
        Token of privileged clients, used if the settings have none.

    Returns
    -------
    int
        Exit code.

    Raises
    ------
    OverheardError
        If model, a source or the port is unavailable, or if a source failed.
    """
    stopping = catch_stop_signals()
    clock = SystemClock()
    log = LogBuffer((settings.server.token, control_token))
    classifier = LockedClassifier(load_classifier(settings.model.manifest, settings.model.runtime))
    manifest = classifier.manifest
    recorded = resolve_path(settings.history.history) is not None  # only recorded segments can be corrected
    audio_buffer = RecentAudioBuffer(settings.history.audio_buffer_minutes if recorded else 0, clock)
    with contextlib.ExitStack() as cleanup:
        logging.getLogger().addHandler(log)
        cleanup.callback(logging.getLogger().removeHandler, log)
        consumers = open_consumers(settings, clock, manifest, audio_buffer)
        for consumer in consumers:
            cleanup.callback(consumer.close)

        def publish(message: Message) -> None:
            for consumer in consumers:
                consumer.consume(message)
            if watch is not None:
                watch(message)

        service = open_history_service(settings, consumers, clock, manifest, audio_buffer)
        selectable = settings.source.allow_source or selectable
        broadcaster = Broadcaster()
        manager = SourceManager(
            settings,
            selectable,
            classifier,
            clock,
            broadcaster=broadcaster,
            watch=publish,
            audio_buffer=audio_buffer,
        )
        server = EstimateServer(
            broadcaster,
            settings.server,
            origins,
            control_token=control_token,
            controller=manager,
            history=service,
            log=log,
        )
        opening = asyncio.ensure_future(manager.open())
        try:
            await first_completed(opening, stopping.wait())
            if not opening.done():
                return 0  # the opening of an address that does not answer continues on its own thread
            port = await server.start(settings.server.host, settings.server.port)
            session_end = ready(", ".join(manager.names), format_websocket_url(settings.server, port))
            manager.start()
            await first_completed(stopping.wait(), session_end or manager.finished.wait())
        finally:
            # The end of a capture may take seconds. Signals and closing handshakes do not wait for it.
            await asyncio.gather(manager.stop(), server.stop())
    if manager.error is not None:
        raise manager.error
    return 0


def catch_stop_signals() -> asyncio.Event:
    """Return an event that SIGINT, SIGTERM and SIGHUP set."""
    stopping = asyncio.Event()
    hang_up = (signal.SIGHUP,) if hasattr(signal, "SIGHUP") else ()  # the terminal was closed
    for number in (signal.SIGINT, signal.SIGTERM, *hang_up):
        with contextlib.suppress(NotImplementedError):  # Windows raises KeyboardInterrupt instead
            asyncio.get_running_loop().add_signal_handler(number, stopping.set)
    return stopping


def open_consumers(
    settings: Settings, clock: Clock, manifest: ModelManifest, audio_buffer: RecentAudioBuffer
) -> list[HistoryWriter | GenreNotifier]:
    """Open the history and the outputs that the settings name. Each consumer takes every message.

    Raises
    ------
    SettingsError
        If an address is invalid.
    """
    consumers: list[HistoryWriter | GenreNotifier] = [GenreNotifier(settings.outputs, clock)]
    path = resolve_path(settings.history.history)
    if path is not None:
        consumers.append(
            HistoryWriter(path, clock, manifest.name, manifest.version, played_file=audio_buffer.played_file)
        )
    return consumers


def open_history_service(
    settings: Settings,
    consumers: Iterable[object],
    clock: Clock,
    manifest: ModelManifest,
    audio_buffer: RecentAudioBuffer,
) -> HistoryService | None:
    """Create the service through which privileged clients read and correct the history.

    Returns
    -------
    HistoryService or None
        None if the history is off.
    """
    path = resolve_path(settings.history.history)
    writer = next((each for each in consumers if isinstance(each, HistoryWriter)), None)
    if path is None or writer is None:
        return None
    return HistoryService(path, writer, clock, manifest, audio_buffer)


async def first_completed(*awaitables: Awaitable[object]) -> None:
    """Wait until one awaitable is done, and cancel the others. An exception of the first one is raised."""
    waits = [asyncio.ensure_future(awaitable) for awaitable in awaitables]
    done, rest = await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    for wait in rest:
        wait.cancel()
    for wait in done:
        wait.result()


def format_websocket_url(server: ServerSettings, port: int) -> str:
    """Format the URL at which a program on this machine reaches the server."""
    scheme = "wss" if server.tls_certificate else "ws"
    reachable = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(server.host, server.host)
    return f"{scheme}://[{reachable}]:{port}" if ":" in reachable else f"{scheme}://{reachable}:{port}"
