"""Serve the page: ``python -m dashboard.server --analyzer URL``, which ``overheard dashboard`` starts.

Streamlit is used as an application of this process. Its own command would read a ``.streamlit/config.toml``
of the working folder or of the user, which may turn its protection off or move the page.
"""

from __future__ import annotations

import argparse
import os
import socket
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import uvicorn
from streamlit import config
from streamlit.starlette import App

from dashboard.environment import ANALYZER_URL, KEY_VARIABLE
from dashboard.library.shelf import shared_shelf
from dashboard.server.guard import Application, PageGuard
from dashboard.server.library_files import LibraryFiles
from dashboard.server.peer import current_user
from dashboard.server.policy import PagePolicy
from dashboard.uploads.analysis_job import MAX_FILE_BYTES, MEBIBYTE
from models.common.urls import is_loopback

SCRIPT: Final = Path(__file__).parent.parent / "app.py"

STREAMLIT_OPTIONS: Final = {
    "global.developmentMode": False,  # guessed from the folder of Streamlit, it accepts every origin
    "server.headless": True,
    "server.fileWatcherType": "none",  # installed files do not change while the page runs
    "runner.magicEnabled": False,  # expression statements are not shown on the page
    "browser.gatherUsageStats": False,
    "server.maxUploadSize": MAX_FILE_BYTES // MEBIBYTE,  # Streamlit rejects larger files unread
    "client.toolbarMode": "viewer",  # the menu has only the choice of the theme
    "client.showErrorDetails": "none",
    "theme.baseRadius": "0.75rem",
    "theme.light.primaryColor": "#2f5fd0",
    "theme.light.backgroundColor": "#fafaf8",
    "theme.light.secondaryBackgroundColor": "#ffffff",
    "theme.light.textColor": "#1b1d22",
    "theme.light.borderColor": "#e3e2dd",
    "theme.dark.primaryColor": "#8fb1ff",
    "theme.dark.backgroundColor": "#101114",
    "theme.dark.secondaryBackgroundColor": "#191b20",
    "theme.dark.textColor": "#eceae4",
    "theme.dark.borderColor": "#2c2f36",
}

MAX_MESSAGE_BYTES: Final = 1 << 24
"""Bytes of a websocket message from a browser, which holds values of widgets. Files come by HTTP."""
PING_SECONDS: Final = 30
"""Seconds between pings, which end connections to browsers that are gone."""
GRACE_SECONDS: Final = 1
"""Seconds for open requests when the server stops."""


def build_policy(host: str, port: int, allowed_hosts: Sequence[str], key: str) -> PagePolicy:
    """Return the access rules of a page that listens on an address."""
    local = is_loopback(host)
    any_address = host in ("0.0.0.0", "::")
    names = {name.lower() for name in allowed_hosts} | (set() if any_address else {host.lower()})
    return PagePolicy(port, frozenset(names), any_address, key, current_user() if local else None)


def configure_streamlit(host: str, port: int) -> None:
    """Set Streamlit's options. Its configuration files and environment variables are not read."""
    config.get_config_files = lambda _name: []  # type: ignore[assignment]
    options = STREAMLIT_OPTIONS | {"server.address": host, "server.port": port}
    config.get_config_options(force_reparse=True, options_from_flags=options)


def main() -> None:
    """Serve the page until SIGTERM."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--analyzer", default=ANALYZER_URL)
    parser.add_argument("--host", required=True)
    parser.add_argument("--port", required=True, type=int)
    parser.add_argument("--allow-host", action="append", default=[])
    parser.add_argument("--library", default="")
    options = parser.parse_args()
    configure_streamlit(options.host, options.port)
    library = os.path.abspath(options.library) if options.library else ""
    # The arguments of the script.
    sys.argv = [str(SCRIPT), "--analyzer", options.analyzer, *([f"--library={library}"] if library else [])]
    key = os.environ.pop(KEY_VARIABLE, "")
    policy = build_policy(options.host, options.port, options.allow_host, key)
    application: Application = App(SCRIPT)
    if library:
        application = LibraryFiles(application, shared_shelf(library))
    family, *_, address = socket.getaddrinfo(options.host, options.port, type=socket.SOCK_STREAM)[0]
    with socket.create_server(
        address[:2], family=family, backlog=128, dualstack_ipv6=options.host == "::"
    ) as listener:
        uvicorn.Server(
            uvicorn.Config(
                PageGuard(application, policy),
                ws="websockets-sansio",
                ws_max_size=MAX_MESSAGE_BYTES,
                ws_ping_interval=PING_SECONDS,
                ws_ping_timeout=PING_SECONDS,
                ws_per_message_deflate=False,
                proxy_headers=False,  # a header must not replace the address of the client
                server_header=False,
                access_log=False,
                log_level="warning",
                timeout_graceful_shutdown=GRACE_SECONDS,
            )
        ).run(sockets=[listener])


if __name__ == "__main__":
    main()
