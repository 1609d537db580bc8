"""``overheard listen``: analyse sources live and serve the estimates."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import logging
import signal
import sys
import threading
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TypeVar, cast

import numpy as np
import numpy.typing as npt

from models.classifier import Prediction, TFLiteClassifier
from models.manifest import ModelManifest
from realtime import messages, settings
from realtime.clock import Clock, SystemClock
from realtime.errors import SourceError
from realtime.estimates import StreamState
from realtime.history import History, chosen_path
from realtime.messages import Message
from realtime.outputs import GenreOutputs
from realtime.server import EstimateServer
from realtime.settings import ModelSettings, ServerSettings, Settings, SourceSettings
from realtime.sources import AudioSource, open_source
from realtime.worker import AnalysisWorker

logger = logging.getLogger(__name__)

T = TypeVar("T")

GROUPS = ("source", "model", "smoothing", "silence", "server", "history", "outputs")


def command(arguments: Sequence[str]) -> int:
    """Listen until the source ends or Ctrl-C."""
    parser = argparse.ArgumentParser(
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

    Returns
    -------
    int
        Exit code.

    Raises
    ------
    OverheardError
        Model, a source or the port cannot be had, or a source failed.
    """
    loop = asyncio.get_running_loop()
    finished = asyncio.Event()
    stopping = asyncio.Event()
    hang_up = (signal.SIGHUP,) if hasattr(signal, "SIGHUP") else ()  # the terminal was closed
    for number in (signal.SIGINT, signal.SIGTERM, *hang_up):
        with contextlib.suppress(NotImplementedError):  # Windows raises KeyboardInterrupt instead
            loop.add_signal_handler(number, stopping.set)
    clock = SystemClock()
    loaded = load_classifier(chosen.model)
    with contextlib.ExitStack() as told:
        watchers = open_watchers(chosen, clock, loaded.manifest)
        for watcher in watchers:
            told.callback(watcher.close)
        opening = _on_thread(lambda: open_sources(chosen.source, clock))
        await _first_of(opening, stopping.wait())
        if opening.cancelled():
            return 0  # a network address that does not answer goes on waiting on its own thread
        sources = opening.result()
        hellos = [
            messages.hello_message(
                source.name,
                clock.unix(clock.monotonic()),
                loaded.manifest,
                loaded.runtime,
                public_settings(chosen),
                StreamState.CONNECTING,
                "",
                None,
            )
            for source in sources
        ]
        server = EstimateServer(hellos, chosen.server, origins)
        playing = [source.name for source in sources]

        def end(name: str) -> None:
            playing.remove(name)
            if not playing:
                finished.set()

        def publish(message: Message) -> None:
            for watcher in watchers:
                watcher(message)
            if watch is not None:
                watch(message)
            with contextlib.suppress(RuntimeError):  # the loop is closed: nobody is left to tell
                loop.call_soon_threadsafe(server.publish, message)
                if message["type"] == "state" and message["state"] in ("ENDED", "FAILED"):
                    loop.call_soon_threadsafe(end, message["source"])

        classifier = loaded if len(sources) == 1 else SharedClassifier(loaded)
        workers = [
            AnalysisWorker(source, classifier, chosen, clock, publish, lambda: server.clients)
            for source in sources
        ]
        try:
            port = await server.start(chosen.server.host, chosen.server.port)
            companion = ready(", ".join(playing), websocket_address(chosen.server, port))
            for worker in workers:
                worker.start()
            ends = [stopping.wait(), companion] if companion else [stopping.wait(), finished.wait()]
            await _first_of(*ends)
        finally:
            # A capture may take seconds to end; signals and goodbyes do not wait for it.
            await asyncio.gather(*(asyncio.to_thread(worker.stop) for worker in workers), server.stop())
            for worker in workers:
                if worker.is_alive():
                    await asyncio.to_thread(worker.join, 2.0)
    for worker in workers:
        if worker.error is not None:
            raise worker.error
    return 0


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


def open_watchers(chosen: Settings, clock: Clock, manifest: ModelManifest) -> list[History | GenreOutputs]:
    """Who else is told of every message: the history and the outputs, as the settings name them.

    Raises
    ------
    SettingsError
        An address is none.
    """
    watchers: list[History | GenreOutputs] = [GenreOutputs(chosen.outputs, clock)]
    path = chosen_path(chosen.history.history)
    if path is not None:
        watchers.append(History(path, clock, manifest.name, manifest.version))
    return watchers


def open_sources(chosen: SourceSettings, clock: Clock) -> list[AudioSource]:
    """Open all of them, or none.

    Raises
    ------
    SourceError
        One cannot be opened, or two have one name, by which clients tell them apart.
    """
    opened: list[AudioSource] = []
    try:
        for description in chosen.source:
            source = open_source(
                description,
                chosen.speed,
                clock,
                follow_default=chosen.follow_default,
                give_up_seconds=chosen.give_up_seconds,
            )
            names = [each.name for each in opened]
            opened.append(source)
            if source.name in names:
                raise SourceError(f"two sources are called {source.name}; name each once")
    except BaseException:
        for source in opened:
            source.close()
        raise
    return opened


def public_settings(chosen: Settings) -> Message:
    """The settings that clients may know: how estimates come about, not where things lie."""
    return asdict(chosen.smoothing) | asdict(chosen.silence)


async def _first_of(*awaitables: Awaitable[object]) -> None:
    """Wait for one of them and drop the rest; its exception is raised."""
    waits = [asyncio.ensure_future(awaitable) for awaitable in awaitables]
    done, rest = await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    for wait in rest:
        wait.cancel()
    for wait in done:
        wait.result()


def _on_thread(work: Callable[[], T]) -> asyncio.Future[T]:
    """Run on a thread that need not end for the program to end, unlike those of ``asyncio.to_thread``."""
    loop = asyncio.get_running_loop()
    future: asyncio.Future[T] = loop.create_future()

    def settle(result: T | None, error: BaseException | None) -> None:
        if future.cancelled():
            return
        if error is not None:
            future.set_exception(error)
        else:
            future.set_result(cast(T, result))

    def body() -> None:
        try:
            outcome: tuple[T | None, BaseException | None] = (work(), None)
        except Exception as error:  # handed on to whoever waits
            outcome = (None, error)
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
            loop.call_soon_threadsafe(settle, *outcome)

    threading.Thread(target=body, name="opening", daemon=True).start()
    return future


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
