"""Run the analyzer: open the sources, analyze them, and serve the estimates until all sources end."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import TYPE_CHECKING, NamedTuple, Protocol

from models.classifier import LockedClassifier, load_classifier
from models.manifest import ModelManifest
from realtime.clock import Clock, SystemClock
from realtime.config import ServerSettings, Settings
from realtime.control.source_manager import SourceManager
from realtime.history.location import resolve_path
from realtime.protocol.messages import Message
from realtime.server.broadcaster import Broadcaster
from realtime.server.log_buffer import LogBuffer
from realtime.server.websocket import EstimateServer

if TYPE_CHECKING:
    from realtime.history.audio_buffer import RecentAudioBuffer
    from realtime.history.service import HistoryService


class MessageConsumer(Protocol):
    """Receiver of every message, such as the history. Any thread may call ``consume``."""

    def consume(self, message: Message) -> None:
        """Take one message without blocking."""
        ...

    def close(self) -> None:
        """Process the remaining messages and release all resources."""
        ...


class RecordedHistory(NamedTuple):
    """Service and audio buffer of a history that is being recorded."""

    service: HistoryService
    audio_buffer: RecentAudioBuffer


class OutputWatch:
    """Receiver of messages that stops the program once its output can no longer be written.

    Parameters
    ----------
    watch : callable or None
        Called with every message, on any thread.
    stopping : asyncio.Event
        Set after an error. It belongs to the running event loop.

    Attributes
    ----------
    error : OSError or None
        Error of ``watch``, such as a pipe that its reader has closed.
    """

    def __init__(self, watch: Callable[[Message], None] | None, stopping: asyncio.Event) -> None:
        self.error: OSError | None = None
        self._watch, self._stopping = watch, stopping
        self._loop = asyncio.get_running_loop()

    def __call__(self, message: Message) -> None:
        """Pass a message on. An error ends the program, and not the analysis of the message's source."""
        if self._watch is None or self.error is not None:
            return
        try:
            self._watch(message)
        except OSError as error:
            self.error = error
            self._loop.call_soon_threadsafe(self._stopping.set)


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
    OSError
        If ``watch`` raised it. BrokenPipeError means that nobody reads the output.
    """
    stopping = catch_stop_signals()
    output = OutputWatch(watch, stopping)
    clock = SystemClock()
    log = LogBuffer((settings.server.token, control_token))
    classifier = LockedClassifier(load_classifier(settings.model.manifest, settings.model.runtime))
    manifest = classifier.manifest
    with contextlib.ExitStack() as cleanup:
        logging.getLogger().addHandler(log)
        cleanup.callback(logging.getLogger().removeHandler, log)
        consumers, history = open_consumers(settings, clock, manifest)
        for consumer in consumers:
            cleanup.callback(consumer.close)

        def publish(message: Message) -> None:
            for consumer in consumers:
                consumer.consume(message)
            output(message)

        selectable = settings.source.allow_source or selectable
        broadcaster = Broadcaster()
        manager = SourceManager(
            settings,
            selectable,
            classifier,
            clock,
            broadcaster=broadcaster,
            watch=publish,
            audio_buffer=history.audio_buffer if history else None,
        )
        server = EstimateServer(
            broadcaster,
            settings.server,
            origins,
            control_token=control_token,
            controller=manager,
            history=history.service if history else None,
            log=log,
            sound=manager.describe_sound,
        )
        opening = asyncio.ensure_future(manager.open())
        try:
            await first_completed(opening, stopping.wait())
            if not opening.done():
                return 0  # the opening of an address that does not answer continues on its own thread
            port = await server.start(settings.server.host, settings.server.port)
            stop_condition = ready(", ".join(manager.names), format_websocket_url(settings.server, port))
            manager.start()
            await first_completed(stopping.wait(), stop_condition or manager.finished.wait())
        finally:
            # The end of a capture may take seconds. Signals and closing handshakes do not wait for it.
            await asyncio.gather(manager.stop(), server.stop())
    if output.error is not None:
        raise output.error
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
    settings: Settings, clock: Clock, manifest: ModelManifest
) -> tuple[list[MessageConsumer], RecordedHistory | None]:
    """Open the outputs and the history that the settings name.

    Returns
    -------
    list of MessageConsumer
        Each consumer takes every message.
    RecordedHistory or None
        None if the settings turn the history off.

    Raises
    ------
    SettingsError
        If an address is invalid.
    """
    # The imports are in this function, so that a start without outputs and history is 30 ms faster.
    consumers: list[MessageConsumer] = []
    if settings.outputs.mqtt or settings.outputs.webhook:
        from realtime.outputs import GenreNotifier

        consumers.append(GenreNotifier(settings.outputs, clock))
    path = resolve_path(settings.history.history)
    if path is None:
        return consumers, None
    from realtime.history.audio_buffer import RecentAudioBuffer
    from realtime.history.service import HistoryService
    from realtime.history.writer import HistoryWriter

    audio_buffer = RecentAudioBuffer(settings.history.audio_buffer_minutes, clock)
    writer = HistoryWriter(path, clock, manifest.name, manifest.version, played_file=audio_buffer.played_file)
    service = HistoryService(path, writer, clock, manifest, audio_buffer)
    return [*consumers, writer], RecordedHistory(service, audio_buffer)


async def first_completed(*awaitables: Awaitable[object]) -> None:
    """Wait until one awaitable is done, and cancel the others. An exception of that awaitable is raised."""
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
