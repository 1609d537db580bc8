"""``overheard run``: the main job, analyzer and dashboard together, stopped by one Ctrl-C."""

from __future__ import annotations

import argparse
import asyncio
import socket
import subprocess
import sys
from collections.abc import Sequence

from realtime import settings
from realtime.errors import ServerError
from realtime.listen import GROUPS, serve_source
from realtime.sources import AudioSource


def command(arguments: Sequence[str]) -> int:
    """Run both until Ctrl-C; the dashboard is a child process."""
    parser = argparse.ArgumentParser(
        prog="overheard run", description="Analyse what is playing and show it on a page."
    )
    settings.add_options(parser, *GROUPS, "dashboard")
    chosen = settings.load(parser.parse_args(arguments))
    page_port = chosen.dashboard.dashboard_port
    children: list[subprocess.Popen[bytes]] = []
    _check_free(page_port)

    def ready(source: AudioSource, address: str) -> None:
        children.append(_start_dashboard(address, page_port))
        print(
            f"\n  Overheard listens to  {source.name}\n"
            f"  Open the page at      http://127.0.0.1:{page_port}\n"
            f"  Estimates at          {address}\n"
            "  Stop with             Ctrl-C\n",
            flush=True,
        )

    try:
        origins = [f"http://{host}:{page_port}" for host in ("127.0.0.1", "localhost")]
        return asyncio.run(serve_source(chosen, ready=ready, origins=origins, stay=True))
    finally:
        for child in children:
            child.terminate()
            try:
                child.wait(timeout=3)
            except subprocess.TimeoutExpired:
                child.kill()


def _check_free(port: int) -> None:
    """Say before anything starts that the page's port is taken.

    Raises
    ------
    ServerError
        It is.
    """
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            raise ServerError(
                f"port {port} of the page is taken ({error.strerror}); --dashboard-port takes another one"
            ) from error


def _start_dashboard(address: str, port: int) -> subprocess.Popen[bytes]:
    command_line = [
        sys.executable, "-m", "realtime.cli", "dashboard", "--analyzer", address, "--port", str(port),
    ]  # fmt: skip
    return subprocess.Popen(command_line, stdout=subprocess.DEVNULL)  # it would give the address again
