"""``overheard dashboard``: serve the page."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import FrameType
from urllib.parse import parse_qsl, urlsplit

from dashboard.environment import ANALYZER_URL, KEY_VARIABLE, LIBRARY_VARIABLE, TOKEN_VARIABLE
from dashboard.errors import DashboardError
from dashboard.library.table import read_signature
from models.common.child_guard import guard_children
from models.common.cli import ArgumentParser
from models.common.sockets import try_port
from models.common.text import format_count
from models.common.urls import is_loopback
from models.common.web_requests import parse_allowed_host

HOST = "127.0.0.1"
PORT = 8501


def build_parser() -> ArgumentParser:
    """Return the parser of the command line."""
    parser = ArgumentParser(
        prog="overheard dashboard",
        description="Serve the page for an analyzer that is already running, here or on another machine.",
        examples=[
            ("overheard dashboard", "`overheard listen` on this machine"),
            (f"{TOKEN_VARIABLE}=... overheard dashboard --analyzer wss://radio.example:8765", "elsewhere"),
            (f"{KEY_VARIABLE}=... overheard dashboard --host 0.0.0.0", "open to everyone with the key"),
        ],
    )
    parser.add_argument(
        "--analyzer",
        default=ANALYZER_URL,
        metavar="URL",
        help=f"websocket of the analyzer (default: {ANALYZER_URL})",
    )
    parser.add_argument(
        "--host", default=HOST, metavar="ADDRESS", help=f"address that the page listens on (default: {HOST})"
    )
    parser.add_argument(
        "--allow-host",
        action="append",
        default=[],
        metavar="NAME",
        help="further name under which browsers may open the page, such as radio.example; may be repeated",
    )
    parser.add_argument(
        "--port", default=PORT, type=int, metavar="PORT", help=f"port of the page (default: {PORT})"
    )
    parser.add_argument(
        "--library",
        default=os.environ.get(LIBRARY_VARIABLE, ""),
        metavar="FOLDER",
        help="table of `overheard library`, whose tracks the page offers and plays "
        f"(default: the variable {LIBRARY_VARIABLE})",
    )
    return parser


def command(arguments: Sequence[str]) -> int:
    """Run the dashboard until it is stopped.

    Returns
    -------
    int
        Exit code, 0 after Ctrl-C or SIGTERM.

    Raises
    ------
    DashboardError
        If the analyzer's address, a host, the token or the key is invalid, the port is unavailable, or there
        is no library.
    """
    options = build_parser().parse_args(arguments)
    analyzer = parse_analyzer_url(options.analyzer)
    try:
        allowed_hosts = [parse_allowed_host(name) for name in options.allow_host]
    except ValueError as error:
        raise DashboardError(f"--allow-host {error}") from error
    check_token()
    check_key(options.host)
    check_port(options.host, options.port)
    if options.library:
        read_signature(options.library)
    return _run(server_arguments(analyzer, options.host, options.port, allowed_hosts, options.library))


def parse_analyzer_url(url: str) -> str:
    """Return the URL if it is a websocket address.

    Raises
    ------
    DashboardError
        If the URL has another scheme, no host or an invalid port, or contains a secret.
    """
    try:
        parts = urlsplit(url)
        secret = "@" in parts.netloc or any(
            name.lower() == "token" for name, _ in parse_qsl(parts.query, True)
        )
        host = re.fullmatch(r"[\w.:-]+", parts.hostname or "")  # as strict as browsers
        valid = parts.scheme in ("ws", "wss") and host is not None and parts.port != 0
    except ValueError:  # an invalid port or unbalanced brackets
        valid = secret = False
    if secret:
        raise DashboardError(
            f"the address of --analyzer must not contain a secret; set the token in {TOKEN_VARIABLE}"
        )
    if not valid:
        raise DashboardError(f"--analyzer {url!r} is not a websocket address such as {ANALYZER_URL}")
    return url


def check_token(environment: Mapping[str, str] = os.environ) -> None:
    """Check the token before the page starts.

    Raises
    ------
    DashboardError
        If the token has a character or a length that the analyzer does not allow.
    """
    _check_secret(TOKEN_VARIABLE, environment)


def check_key(host: str, environment: Mapping[str, str] = os.environ) -> None:
    """Check the key of the page before the page starts.

    Raises
    ------
    DashboardError
        If the key has a wrong character or length, or if there is no key and other machines reach the page.
    """
    _check_secret(KEY_VARIABLE, environment)
    if not environment.get(KEY_VARIABLE) and not is_loopback(host):
        raise DashboardError(
            f"--host {host} can be reached from other machines; set a key of 16 or more characters "
            f"({KEY_VARIABLE}), which the page then asks for, or listen on {HOST}"
        )


def _check_secret(variable: str, environment: Mapping[str, str]) -> None:
    secret = environment.get(variable, "")
    if secret and not re.fullmatch(r"[\w.~-]{16,256}", secret, re.ASCII):
        raise DashboardError(
            f"{variable} has {format_count(len(secret), 'character')}; "
            "it must have 16 to 256 letters, digits or . _ ~ -"
        )


def check_port(host: str, port: int) -> None:
    """Check the page's port before the server starts.

    Raises
    ------
    DashboardError
        If the port is out of range or in use, or if the host is unknown or belongs to another machine.
    """
    if not 1 <= port <= 65_535:
        raise DashboardError(f"--port {port} is out of range; choose a port from 1 to 65535, such as {PORT}")
    try:
        try_port(host, port)
    except (OSError, UnicodeError) as error:
        if isinstance(error, socket.gaierror | UnicodeError):
            raise DashboardError(
                f"--host {host!r} is unknown; use 127.0.0.1 for this machine only or 0.0.0.0 for all networks"
            ) from error
        raise DashboardError(
            f"cannot serve the page on {host}:{port} ({error.strerror}); "
            f"choose another port with --port {port + 1 if port < 65_535 else PORT}"
        ) from error


def server_arguments(
    analyzer: str, host: str, port: int, allowed_hosts: Sequence[str] = (), library: str = ""
) -> list[str]:
    """Return the command line of the child process that serves the page."""
    command_line = [
        sys.executable, "-P", "-m", "dashboard.server",
        "--analyzer", analyzer, "--host", host, "--port", str(port),
    ]  # fmt: skip
    named = [f"--library={library}"] if library else []
    return [*command_line, *(f"--allow-host={name}" for name in allowed_hosts), *named]


def _run(arguments: list[str]) -> int:
    """Run the child process to its end. The first stop signal ends the child, the second kills it."""
    child: subprocess.Popen[bytes] | None = None
    signals = 0

    def forward(_number: int, _frame: FrameType | None) -> None:
        nonlocal signals
        signals += 1
        if child is not None and signals == 1:
            child.terminate()
        elif child is not None:
            child.kill()

    with _handle_signals(forward):  # before the child starts, so that no signal leaves it behind
        child = subprocess.Popen(arguments)
        if signals:
            child.terminate()
        release = guard_children(child.pid)
        code = child.wait()
        release()
    if signals:
        return 0
    return code if code >= 0 else 128 - code


@contextmanager
def _handle_signals(handler: Callable[[int, FrameType | None], None]) -> Iterator[None]:
    """Handle the stop signals in the block. On other threads than the main thread, nothing is changed."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    hang_up = (signal.SIGHUP,) if hasattr(signal, "SIGHUP") else ()  # the terminal was closed
    signals = (signal.SIGINT, signal.SIGTERM, *hang_up)
    previous = [signal.signal(number, handler) for number in signals]
    try:
        yield
    finally:
        for number, old in zip(signals, previous, strict=True):
            signal.signal(number, old)
