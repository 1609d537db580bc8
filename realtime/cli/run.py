"""``overheard run``: analyze what is playing and show it on a page."""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
import signal
import socket
import subprocess
import sys
import threading
import time
import webbrowser
from collections.abc import Awaitable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from models.common.child_environment import SECRETS
from models.common.child_guard import guard_children
from models.common.cli import ArgumentParser
from models.common.sockets import try_port
from models.common.text import escape_control
from models.common.urls import is_url, redact_url
from models.common.web_requests import parse_allowed_host
from realtime import config
from realtime.app import serve_sources
from realtime.cli.common import LIVE_GROUPS
from realtime.config import DashboardSettings
from realtime.errors import ServerError, SettingsError
from realtime.history.location import resolve_path

SELECTABLE_SOURCES = ("system", "mic", "demo")
"""Sources that the page may select if the settings name no sources."""

OPEN_PAGE_SECONDS = 30.0
"""Seconds after which a page that has not started is no longer opened in the browser."""

OPENING_SECONDS = 1.0
"""Seconds after which a terminal shows the sources that are still being opened."""

STOP_SECONDS = 2.0
"""Seconds after which a dashboard that has not ended is killed."""


def build_parser() -> ArgumentParser:
    """Return the parser of the command line."""
    parser = ArgumentParser(
        prog="overheard run",
        description="Analyze what is playing and show it on a page, until Ctrl-C.",
        examples=[
            ("overheard run", "system audio, else the microphone, else a demo"),
            ("overheard run --source mic", "the default microphone"),
            ("overheard run --source https://radio.example/stream", "an internet radio station"),
            ("overheard run --no-browser --history off", "open no browser and record nothing"),
        ],
    )
    config.add_options(parser, "source", *LIVE_GROUPS, "dashboard")
    return parser


def command(arguments: Sequence[str]) -> int:
    """Run the analyzer in this process and the dashboard in a child process, until Ctrl-C."""
    settings = config.load(build_parser().parse_args(arguments))
    page_port = settings.dashboard.dashboard_port
    page = f"http://127.0.0.1:{page_port}"
    # The page needs a token to select sources and to read the history. Only the page receives a new token.
    history = resolve_path(settings.history.history)
    settings = replace(settings, history=replace(settings.history, history=str(history or "off")))
    token = settings.server.token or secrets.token_urlsafe(24)
    children: list[subprocess.Popen[bytes]] = []
    cleanup = contextlib.ExitStack()
    _check_page_port(page_port, settings.server.port)
    if settings.dashboard.library:
        _check_library(Path(settings.dashboard.library))

    opening = threading.Timer(OPENING_SECONDS, _print_opening, [settings.source.source])
    opening.daemon = True

    def ready(names: str, address: str) -> Awaitable[None]:
        opening.cancel()
        children.append(_start_dashboard(address, settings.dashboard, token))
        cleanup.callback(guard_children(-children[0].pid))  # with the processes that the dashboard starts
        cleanup.callback(_stop_dashboard, children[0])
        http_address = address.replace("ws", "http", 1)
        print(
            f"\n  Overheard listens to  {names}\n"
            f"  Open the page at      {page}\n"
            f"  Estimates at          {address}\n"
            f"  Health at             {http_address}/healthz\n"
            "  Stop with             Ctrl-C\n",
            flush=True,
        )
        open_browser = settings.dashboard.browser and has_display(os.environ, sys.platform)
        return _watch_dashboard(children[0], page_port, page if open_browser else "")

    try:
        if sys.stdout.isatty():
            opening.start()
        names = ("127.0.0.1", "localhost", *map(parse_allowed_host, settings.dashboard.allow_host))
        origins = [f"http://{name}:{page_port}" for name in names]
        code = asyncio.run(
            serve_sources(
                settings, ready=ready, origins=origins, selectable=SELECTABLE_SOURCES, control_token=token
            )
        )
        hint = "; `overheard history` lists the sessions" if history is not None else ""
        print(f"\n  Stopped{hint}.", flush=True)
        return code
    finally:
        opening.cancel()
        cleanup.close()


def _check_library(table: Path) -> None:
    if not table.is_dir():
        raise SettingsError(
            f"--library {table} is not a folder; `overheard library ~/Music --out FOLDER` makes a table"
        )
    if next(table.glob("part-*.parquet"), None) is None:
        raise SettingsError(
            f"--library {table} has no table of tracks; `overheard library ~/Music --out FOLDER` makes one"
        )


def _check_page_port(page_port: int, websocket_port: int) -> None:
    """Raise ServerError if the page cannot be served on its port."""
    if page_port == websocket_port:
        raise ServerError(
            f"page and websocket cannot share port {page_port}; --dashboard-port selects another port"
        )
    try:
        try_port("127.0.0.1", page_port)
    except OSError as error:
        raise ServerError(
            f"port {page_port} of the page is taken ({error.strerror}); --dashboard-port selects another port"
        ) from error


def _print_opening(sources: Sequence[str]) -> None:
    names = [redact_url(source) if is_url(source) else source for source in sources]
    print(f"\n  Overheard opens       {escape_control(', '.join(names))}", flush=True)


def has_display(environment: Mapping[str, str], platform: str) -> bool:
    """Return True if a browser would open a window.

    Without a display, Python would start a text browser, which takes over the terminal.
    """
    if platform in ("darwin", "win32"):
        return sys.stdout.isatty()
    return bool(environment.get("DISPLAY") or environment.get("WAYLAND_DISPLAY"))


def _start_dashboard(address: str, settings: DashboardSettings, token: str) -> subprocess.Popen[bytes]:
    # -P prevents Python from importing packages in the current folder.
    command_line = [
        sys.executable, "-P", "-m", "realtime.cli", "dashboard", "--analyzer", address,
        "--port", str(settings.dashboard_port), *(f"--allow-host={name}" for name in settings.allow_host),
        f"--library={settings.library}",
    ]  # fmt: skip
    # The output of the dashboard would only repeat the address. In a separate session the dashboard does not
    # receive Ctrl-C, and can be killed with all its children. Token and key are environment variables,
    # because every user of the machine can read command-line options.
    environment = {name: value for name, value in os.environ.items() if name not in SECRETS}
    environment |= {"OVERHEARD_TOKEN": token, "OVERHEARD_PAGE_KEY": settings.page_key}
    return subprocess.Popen(command_line, stdout=subprocess.DEVNULL, start_new_session=True, env=environment)


async def _watch_dashboard(child: subprocess.Popen[bytes], port: int, page: str) -> None:
    """Open the page in the browser once it answers, and wait for the dashboard.

    Parameters
    ----------
    child : subprocess.Popen
    port : int
    page : str
        Address of the page. If empty, no browser is opened.

    Raises
    ------
    ServerError
        If the dashboard ends.
    """
    until = time.monotonic() + OPEN_PAGE_SECONDS
    try:
        while child.poll() is None:
            is_served = bool(page) and await asyncio.to_thread(_accepts_connections, port)
            if is_served:
                threading.Thread(target=webbrowser.open, args=(page,), daemon=True).start()
                page = ""
            if time.monotonic() > until:
                page = ""
            await asyncio.sleep(0.2)
    finally:
        child.terminate()  # this has no effect if the child has ended
    raise ServerError(f"the dashboard ended unexpectedly with exit code {child.returncode}")


def _accepts_connections(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(0.2)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _stop_dashboard(child: subprocess.Popen[bytes]) -> None:
    """End the dashboard and all processes that it started."""
    child.terminate()
    try:
        child.wait(timeout=STOP_SECONDS)
    except subprocess.TimeoutExpired:
        child.kill()
    if os.name == "posix":
        with contextlib.suppress(ProcessLookupError, PermissionError):  # all its processes have ended
            os.killpg(child.pid, signal.SIGKILL)
