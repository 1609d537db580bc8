"""``overheard listen``: analyse sources live and serve the estimates."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
import sys
import threading
from collections.abc import Awaitable, Callable, Iterable, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from models.classifier import Prediction, TFLiteClassifier
from models.manifest import ModelManifest
from models.options import OptionParser
from realtime import settings
from realtime.clock import Clock, SystemClock
from realtime.control.source_manager import SourceManager
from realtime.history.audio_buffer import RecentAudioBuffer
from realtime.history.service import HistoryService
from realtime.history.writer import HistoryWriter, resolve_path
from realtime.outputs.notifier import GenreNotifier
from realtime.protocol import messages
from realtime.protocol.messages import Message
from realtime.server.log_buffer import LogBuffer
from realtime.server.websocket import EstimateServer
from realtime.settings import ModelSettings, ServerSettings, Settings

GROUPS = ("source", "model", "smoothing", "silence", "server", "history", "outputs")


def command(arguments: Sequence[str]) -> int:
    """Listen until the source ends or Ctrl-C."""
    parser = OptionParser(
        prog="overheard listen", description="Analyse a source live and serve the estimates on a websocket."
    )
    settings.add_options(parser, *GROUPS)
    parser.add_argument("--json", action="store_true", help="print every estimate as a line of JSON")
    options = parser.parse_args(arguments)
    chosen = settings.load(options)
    watch = _print_estimate if options.json else None
    return asyncio.run(serve_sources(chosen, ready=_say_address, watch=watch))


def load_classifier(chosen: ModelSettings) -> TFLiteClassifier:
    """The classifier that the settings name.

    Raises
    ------
    ModelError
        It cannot be loaded.
    """
    manifest = ModelManifest.load(Path(chosen.manifest) if chosen.manifest else None)
    return TFLiteClassifier(manifest, runtime=chosen.runtime)


async def serve_sources(
    chosen: Settings,
    *,
    ready: Callable[[str, str], Awaitable[None] | None],
    watch: Callable[[Message], None] | None = None,
    origins: Iterable[str] = (),
    offered: Sequence[str] = (),
    control_token: str = "",
) -> int:
    """Open the sources, serve their estimates, return when all have ended or a signal comes.

    Parameters
    ----------
    chosen : Settings
    ready : callable
        Told the sources' names and the websocket's address once all are open. It may return something to
        wait for, which then takes the place of the sources' end.
    watch : callable
        Gets every message too, on the workers' threads.
    origins : iterable of str
        Web origins allowed besides those of the settings.
    offered : sequence of str
        What trusted clients may choose besides what is played, where the settings say nothing of it.
    control_token : str
        By which they are known where the settings have no token.

    Returns
    -------
    int
        Exit code.

    Raises
    ------
    OverheardError
        Model, a source or the port cannot be had, or a source failed.
    """
    stopping = stop_signals()
    clock = SystemClock()
    log = LogBuffer((chosen.server.token, control_token))
    classifier = SharedClassifier(load_classifier(chosen.model))
    manifest = classifier.manifest
    recorded = resolve_path(chosen.history.history) is not None  # only what is recorded can be corrected
    kept = RecentAudioBuffer(chosen.history.keep_sound_minutes if recorded else 0, clock)
    with contextlib.ExitStack() as told:
        logging.getLogger().addHandler(log)
        told.callback(logging.getLogger().removeHandler, log)
        watchers = open_watchers(chosen, clock, manifest, kept)
        for watcher in watchers:
            told.callback(watcher.close)

        def tell(message: Message) -> None:
            for watcher in watchers:
                watcher(message)
            if watch is not None:
                watch(message)

        desk = open_history_service(chosen, watchers, clock, manifest, kept)
        server = EstimateServer(
            (), chosen.server, origins, control_token=control_token, history=desk, log=log
        )
        offered = chosen.source.offer or offered
        board = server.switches = SourceManager(chosen, offered, classifier, clock, server, tell, kept)
        opening = asyncio.ensure_future(board.open())
        try:
            await first_of(opening, stopping.wait())
            if not opening.done():
                return 0  # a network address that does not answer goes on waiting on its own thread
            port = await server.start(chosen.server.host, chosen.server.port)
            companion = ready(", ".join(board.names), websocket_address(chosen.server, port))
            board.start()
            await first_of(stopping.wait(), companion or board.finished.wait())
        finally:
            # A capture may take seconds to end; signals and goodbyes do not wait for it.
            await asyncio.gather(board.stop(), server.stop())
    if board.error is not None:
        raise board.error
    return 0


def stop_signals() -> asyncio.Event:
    """Set when the program is asked to end."""
    stopping = asyncio.Event()
    hang_up = (signal.SIGHUP,) if hasattr(signal, "SIGHUP") else ()  # the terminal was closed
    for number in (signal.SIGINT, signal.SIGTERM, *hang_up):
        with contextlib.suppress(NotImplementedError):  # Windows raises KeyboardInterrupt instead
            asyncio.get_running_loop().add_signal_handler(number, stopping.set)
    return stopping


class SharedClassifier:
    """One model for several streams: whoever comes while it works waits, a few milliseconds a window."""

    def __init__(self, classifier: TFLiteClassifier) -> None:
        self.manifest = classifier.manifest
        self.runtime = classifier.runtime
        self._classifier = classifier
        self._lock = threading.Lock()

    def predict(self, picture: npt.NDArray[np.uint8]) -> Prediction:
        """Classify one picture, (image_size, image_size, 3) uint8."""
        with self._lock:
            return self._classifier.predict(picture)


def open_watchers(
    chosen: Settings, clock: Clock, manifest: ModelManifest, kept: RecentAudioBuffer
) -> list[HistoryWriter | GenreNotifier]:
    """Who else is told of every message: the history and the outputs, as the settings name them.

    Raises
    ------
    SettingsError
        An address is none.
    """
    watchers: list[HistoryWriter | GenreNotifier] = [GenreNotifier(chosen.outputs, clock)]
    path = resolve_path(chosen.history.history)
    if path is not None:
        watchers.append(HistoryWriter(path, clock, manifest.name, manifest.version, file_of=kept.played_file))
    return watchers


def open_history_service(
    chosen: Settings,
    watchers: Iterable[object],
    clock: Clock,
    manifest: ModelManifest,
    kept: RecentAudioBuffer,
) -> HistoryService | None:
    """What trusted clients see of the history and correct in it; None where there is none."""
    path = resolve_path(chosen.history.history)
    history = next((each for each in watchers if isinstance(each, HistoryWriter)), None)
    if path is None or history is None:
        return None
    return HistoryService(path, history, clock, manifest, kept)


async def first_of(*awaitables: Awaitable[object]) -> None:
    """Wait for one of them and drop the rest; its exception is raised."""
    waits = [asyncio.ensure_future(awaitable) for awaitable in awaitables]
    done, rest = await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    for wait in rest:
        wait.cancel()
    for wait in done:
        wait.result()


def websocket_address(server: ServerSettings, port: int) -> str:
    """Where a program on this machine reaches a server."""
    scheme = "wss" if server.tls_certificate else "ws"
    reachable = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(server.host, server.host)
    return f"{scheme}://[{reachable}]:{port}" if ":" in reachable else f"{scheme}://{reachable}:{port}"


def _say_address(names: str, address: str) -> None:
    print(f"listening to {names}; estimates at {address}", file=sys.stderr, flush=True)


def _print_estimate(message: Message) -> None:
    if message["type"] == "estimate":
        print(messages.encode(message), flush=True)
