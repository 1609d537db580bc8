"""``overheard run``: the main job, analyzer and dashboard together, stopped by one Ctrl-C."""

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

from models.common.cli import ArgumentParser
from realtime import config
from realtime.app import serve_sources
from realtime.cli.output import LIVE_GROUPS
from realtime.errors import ServerError
from realtime.history.writer import resolve_path

OFFERED = ("system", "mic", "demo")
"""What the page may change to when nothing else is said."""

PAGE_SECONDS = 30.0
"""How long the page is waited for before nobody opens it any more."""

DASHBOARD_SECONDS = 2.0
"""How long the dashboard may take to end before it is ended by force."""


def command(arguments: Sequence[str]) -> int:
    """Run both until Ctrl-C; the dashboard is a child process."""
    parser = ArgumentParser(
        prog="overheard run", description="Analyze what is playing and show it on a page."
    )
    config.add_options(parser, "source", *LIVE_GROUPS, "dashboard")
    chosen = config.load(parser.parse_args(arguments))
    page_port = chosen.dashboard.dashboard_port
    page = f"http://127.0.0.1:{page_port}"
    # Whoever shows it may change what is listened to and read the history; nobody else gets to know it.
    token = chosen.server.token or secrets.token_urlsafe(24)
    children: list[subprocess.Popen[bytes]] = []
    if page_port == chosen.server.port:
        raise ServerError(
            f"page and websocket cannot share port {page_port}; --dashboard-port takes another one"
        )
    _check_free(page_port)

    def ready(names: str, address: str) -> Awaitable[None]:
        children.append(_start_dashboard(address, page_port, token))
        pages = address.replace("ws", "http", 1)
        print(
            f"\n  Overheard listens to  {names}\n"
            f"  Open the page at      {page}\n"
            f"  Estimates at          {address}\n"
            f"  Health at             {pages}/healthz\n"
            "  Stop with             Ctrl-C\n",
            flush=True,
        )
        wanted = chosen.dashboard.browser and has_screen(os.environ, sys.platform)
        return _outlive(children[0], page_port, page if wanted else "")

    try:
        origins = [f"http://{host}:{page_port}" for host in ("127.0.0.1", "localhost")]
        code = asyncio.run(
            serve_sources(chosen, ready=ready, origins=origins, selectable=OFFERED, control_token=token)
        )
        kept = "; `overheard history` shows what was heard" if resolve_path(chosen.history.history) else ""
        print(f"\n  Stopped{kept}.", flush=True)
        return code
    finally:
        for child in children:
            _end(child)


def has_screen(environment: Mapping[str, str], platform: str) -> bool:
    """Whether a browser could open where a person sees it.

    Without a screen Python would start a text browser, which takes the terminal over.
    """
    if platform in ("darwin", "win32"):
        return sys.stdout.isatty()
    return bool(environment.get("DISPLAY") or environment.get("WAYLAND_DISPLAY"))


def _check_free(port: int) -> None:
    """Say before anything starts that the page's port is taken.

    Raises
    ------
    ServerError
        It is.
    """
    with socket.socket() as probe:
        if os.name == "posix":  # on Windows it would let two servers share a port
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            raise ServerError(
                f"port {port} of the page is taken ({error.strerror}); --dashboard-port takes another one"
            ) from error


def _start_dashboard(address: str, port: int, token: str) -> subprocess.Popen[bytes]:
    # -P: Python must not look for our packages in whatever folder the person is in.
    command_line = [
        sys.executable, "-P", "-m", "realtime.cli", "dashboard", "--analyzer", address, "--port", str(port),
    ]  # fmt: skip
    # Its output would give the address again; a session of its own, so that Ctrl-C reaches us alone
    # and we end it with all that it started.
    # The token travels in the environment: options can be read by every user of the machine.
    environment = os.environ | {"OVERHEARD_TOKEN": token}
    return subprocess.Popen(command_line, stdout=subprocess.DEVNULL, start_new_session=True, env=environment)


async def _outlive(child: subprocess.Popen[bytes], port: int, page: str) -> None:
    """Open the page, if one is named, as soon as it is there; return never, raise when the dashboard ends."""
    until = time.monotonic() + PAGE_SECONDS
    try:
        while child.poll() is None:
            there = bool(page) and await asyncio.to_thread(_answers, port)
            if there:
                threading.Thread(target=webbrowser.open, args=(page,), daemon=True).start()
                page = ""
            if time.monotonic() > until:
                page = ""
            await asyncio.sleep(0.2)
    finally:
        child.terminate()  # beside everything else that ends now; harmless when it has ended
    raise ServerError(f"the dashboard ended by itself with exit code {child.returncode}")


def _answers(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(0.2)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _end(child: subprocess.Popen[bytes]) -> None:
    """End the dashboard and all that it started."""
    child.terminate()
    try:
        child.wait(timeout=DASHBOARD_SECONDS)
    except subprocess.TimeoutExpired:
        child.kill()
    if os.name == "posix":
        with contextlib.suppress(ProcessLookupError, PermissionError):  # nothing of it is left
            os.killpg(child.pid, signal.SIGKILL)
