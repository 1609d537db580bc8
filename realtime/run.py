"""``overheard run``: the main job, analyzer and dashboard together, stopped by one Ctrl-C."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Awaitable, Sequence

from realtime import settings
from realtime.errors import ServerError
from realtime.listen import GROUPS, serve_sources


def command(arguments: Sequence[str]) -> int:
    """Run both until Ctrl-C; the dashboard is a child process."""
    parser = argparse.ArgumentParser(
        prog="overheard run", description="Analyse what is playing and show it on a page."
    )
    settings.add_options(parser, *GROUPS, "dashboard")
    chosen = settings.load(parser.parse_args(arguments))
    page_port = chosen.dashboard.dashboard_port
    children: list[subprocess.Popen[bytes]] = []
    if page_port == chosen.server.port:
        raise ServerError(
            f"page and websocket cannot share port {page_port}; --dashboard-port takes another one"
        )
    _check_free(page_port)

    def ready(names: str, address: str) -> Awaitable[None]:
        children.append(_start_dashboard(address, page_port, chosen.server.token))
        print(
            f"\n  Overheard listens to  {names}\n"
            f"  Open the page at      http://127.0.0.1:{page_port}\n"
            f"  Estimates at          {address}\n"
            "  Stop with             Ctrl-C\n",
            flush=True,
        )
        return _outlive(children[0])

    try:
        origins = [f"http://{host}:{page_port}" for host in ("127.0.0.1", "localhost")]
        return asyncio.run(serve_sources(chosen, ready=ready, origins=origins))
    finally:
        for child in children:
            _end(child)


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
    environment = os.environ | ({"OVERHEARD_TOKEN": token} if token else {})
    return subprocess.Popen(command_line, stdout=subprocess.DEVNULL, start_new_session=True, env=environment)


async def _outlive(child: subprocess.Popen[bytes]) -> None:
    """Return never; raise when the dashboard ends by itself."""
    while child.poll() is None:
        await asyncio.sleep(0.2)
    raise ServerError(f"the dashboard ended by itself with exit code {child.returncode}")


def _end(child: subprocess.Popen[bytes]) -> None:
    """End the dashboard and all that it started."""
    child.terminate()
    try:
        child.wait(timeout=3)
    except subprocess.TimeoutExpired:
        child.kill()
    if os.name == "posix":
        with contextlib.suppress(ProcessLookupError, PermissionError):  # nothing of it is left
            os.killpg(child.pid, signal.SIGKILL)
