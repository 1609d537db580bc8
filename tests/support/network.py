"""Free ports and self-signed certificates of this machine."""

from __future__ import annotations

import itertools
import os
import random
import socket
import subprocess
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from tests.support.programs import need

FIRST_PORT = 20_000
PORTS_PER_WORKER = 1_500
WORKERS = 8
"""Number of ranges of ports. They end below the range from which the system assigns ports."""

_WORKER = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) % WORKERS
_NUMBERS = itertools.count(random.SystemRandom().randrange(PORTS_PER_WORKER))


def free_port() -> int:
    """Return a port that no other process of the tests uses before the test binds it.

    Each process of pytest-xdist has a range of its own, and takes one port after the other.
    """
    while True:
        port = FIRST_PORT + _WORKER * PORTS_PER_WORKER + next(_NUMBERS) % PORTS_PER_WORKER
        with suppress(OSError), socket.create_server(("127.0.0.1", port)):
            return port


def is_listening(port: int) -> bool:
    """Return whether a server accepts connections on a port of this machine."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@dataclass(frozen=True, slots=True)
class Certificate:
    """Files of a self-signed certificate in PEM."""

    path: Path
    key: Path
    combined: Path
    """Key and certificate in one file, for servers that take a single file."""


def make_certificate(folder: Path, name: str = "server", address: str = "127.0.0.1") -> Certificate:
    """Create a self-signed certificate for an IP address. Only a client that is given the file trusts it."""
    need("openssl", "openssl")
    made = Certificate(*(folder / f"{name}.{suffix}" for suffix in ("pem", "key", "combined.pem")))
    subprocess.run(
        [
            "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
            "-days", "2", "-subj", "/CN=overheard test", "-addext", f"subjectAltName=IP:{address}",
            "-keyout", str(made.key), "-out", str(made.path),
        ],
        check=True,
        capture_output=True,
        timeout=30,
    )  # fmt: skip
    made.combined.write_text(made.key.read_text() + made.path.read_text())
    return made
