"""``overheard listen``: analyse a source live and serve the estimates."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import logging
import signal
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict
from pathlib import Path

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
    ready: Callable[[AudioSource, str], None],
    watch: Callable[[Message], None] | None = None,
    origins: Iterable[str] = (),
    stay: bool = False,
) -> int:
    """Open the source, serve its estimates, return when it ends or a signal comes.

    Parameters
    ----------
    chosen : Settings
    ready : callable
        Told the source and the websocket's address once both are open.
    watch : callable
        Gets every message too, on the worker's thread.
    origins : iterable of str
        Web origins allowed besides those of the settings.
    stay : bool
        Go on serving after the source has ended, until a signal.

    Returns
    -------
    int
        Exit code.

    Raises
    ------
    OverheardError
        Model, source or port cannot be had, or the source failed.
    """
    clock = SystemClock()
    classifier = load_classifier(chosen.model)
    source = open_source(chosen.source.source, chosen.source.speed, clock)
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
    loop = asyncio.get_running_loop()
    finished = asyncio.Event()
    stopping = asyncio.Event()

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
        for number in (signal.SIGINT, signal.SIGTERM):
            with contextlib.suppress(NotImplementedError):  # Windows raises KeyboardInterrupt instead
                loop.add_signal_handler(number, stopping.set)
        ready(source, f"ws://{chosen.server.host}:{port}")
        worker.start()
        await _first_of(stopping, *([] if stay else [finished]))
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


async def _first_of(*events: asyncio.Event) -> None:
    waits = [asyncio.ensure_future(event.wait()) for event in events]
    await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    for wait in waits:
        wait.cancel()


def _say_address(source: AudioSource, address: str) -> None:
    print(f"listening to {source.name}; estimates at {address}", file=sys.stderr, flush=True)


def _print_estimate(message: Message) -> None:
    if message["type"] == "estimate":
        print(messages.encode(message), flush=True)
