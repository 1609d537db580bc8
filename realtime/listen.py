"""``overheard listen``: analyse a source live and serve the estimates."""

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

from models.classifier import TFLiteClassifier
from models.manifest import ModelManifest
from realtime import messages, settings
from realtime.clock import SystemClock
from realtime.estimates import StreamState
from realtime.messages import Message
from realtime.server import EstimateServer
from realtime.settings import ModelSettings, Settings
from realtime.sources import AudioSource, open_source
from realtime.worker import AnalysisWorker

logger = logging.getLogger(__name__)

T = TypeVar("T")

GROUPS = ("source", "model", "smoothing", "silence", "server")


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
    return asyncio.run(serve_source(chosen, ready=_say_address, watch=watch))


def load_classifier(chosen: ModelSettings) -> TFLiteClassifier:
    """The classifier that the settings name.

    Raises
    ------
    ModelError
        It cannot be loaded.
    """
    manifest = ModelManifest.load(Path(chosen.manifest) if chosen.manifest else None)
    return TFLiteClassifier(manifest, runtime=chosen.runtime)


async def serve_source(
    chosen: Settings,
    *,
    ready: Callable[[AudioSource, str], Awaitable[None] | None],
    watch: Callable[[Message], None] | None = None,
    origins: Iterable[str] = (),
) -> int:
    """Open the source, serve its estimates, return when it ends or a signal comes.

    Parameters
    ----------
    chosen : Settings
    ready : callable
        Told the source and the websocket's address once both are open. It may return something to
        wait for, which then takes the place of the source's end.
    watch : callable
        Gets every message too, on the worker's thread.
    origins : iterable of str
        Web origins allowed besides those of the settings.

    Returns
    -------
    int
        Exit code.

    Raises
    ------
    OverheardError
        Model, source or port cannot be had, or the source failed.
    """
    loop = asyncio.get_running_loop()
    finished = asyncio.Event()
    stopping = asyncio.Event()
    hang_up = (signal.SIGHUP,) if hasattr(signal, "SIGHUP") else ()  # the terminal was closed
    for number in (signal.SIGINT, signal.SIGTERM, *hang_up):
        with contextlib.suppress(NotImplementedError):  # Windows raises KeyboardInterrupt instead
            loop.add_signal_handler(number, stopping.set)
    clock = SystemClock()
    classifier = load_classifier(chosen.model)
    opening = _on_thread(lambda: open_source(chosen.source.source, chosen.source.speed, clock))
    await _first_of(opening, stopping.wait())
    if opening.cancelled():
        return 0  # a network address that does not answer goes on waiting on its own thread
    source = opening.result()
    hello = messages.hello_message(
        source.name,
        clock.unix(clock.monotonic()),
        classifier.manifest,
        classifier.runtime,
        public_settings(chosen),
        StreamState.CONNECTING,
        "",
        None,
    )
    server = EstimateServer(hello, [*chosen.server.allow_origin, *origins])

    def publish(message: Message) -> None:
        if watch is not None:
            watch(message)
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody is left to tell
            loop.call_soon_threadsafe(server.publish, message)
            if message["type"] == "state" and message["state"] in ("ENDED", "FAILED"):
                loop.call_soon_threadsafe(finished.set)

    worker = AnalysisWorker(source, classifier, chosen, clock, publish, lambda: server.clients)
    try:
        port = await server.start(chosen.server.host, chosen.server.port)
        companion = ready(source, websocket_address(chosen.server.host, port))
        worker.start()
        ends = [stopping.wait(), companion] if companion else [stopping.wait(), finished.wait()]
        await _first_of(*ends)
    finally:
        worker.stop()
        await server.stop()
    if worker.is_alive():
        await asyncio.to_thread(worker.join, 2.0)
    if worker.error is not None:
        raise worker.error
    return 0


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


def websocket_address(host: str, port: int) -> str:
    """Where a program on this machine reaches a server that listens on ``host``."""
    reachable = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
    return f"ws://[{reachable}]:{port}" if ":" in reachable else f"ws://{reachable}:{port}"


def _say_address(source: AudioSource, address: str) -> None:
    print(f"listening to {source.name}; estimates at {address}", file=sys.stderr, flush=True)


def _print_estimate(message: Message) -> None:
    if message["type"] == "estimate":
        print(messages.encode(message), flush=True)
