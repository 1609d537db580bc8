"""Private session bus with media players, for tests."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any

from tests.support.paths import ROOT


class FakePlayer:
    """Process of a media player.

    Parameters
    ----------
    address : str
        Address of the session bus.
    *names : str
        Ends of the bus names that the player owns.
    """

    def __init__(self, address: str, *names: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.support.media_player", *names],
            cwd=ROOT,
            env=os.environ | {"DBUS_SESSION_BUS_ADDRESS": address},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._expect("ready")

    def __enter__(self) -> FakePlayer:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.kill()

    def play(self, title: str | None, *artists: str, status: str = "Playing", silently: bool = False) -> None:
        """Change status and song. A silent change is a signal without values."""
        metadata: dict[str, Any] = {"mpris:trackid": ("o", "/track/1"), "mpris:length": ("x", 180_000_000)}
        if title is not None:
            metadata["xesam:title"] = ("s", title)
        if artists:
            metadata["xesam:artist"] = ("as", list(artists))
        self.change({"PlaybackStatus": ("s", status), "Metadata": ("a{sv}", metadata)}, silently=silently)

    def change(self, properties: dict[str, Any], *, silently: bool = False) -> None:
        """Change properties."""
        self.command(properties=properties, silently=silently)

    def command(self, **fields: Any) -> None:
        """Give a command, and wait until it is carried out, unless the player hangs."""
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(fields) + "\n")
        self.process.stdin.flush()
        if fields.get("fault") != "hang":
            self._expect("done")

    def kill(self) -> None:
        """Kill the player as a crash does."""
        self.process.send_signal(signal.SIGKILL)
        self.process.communicate()

    def _expect(self, word: str) -> None:
        assert self.process.stdout is not None
        assert self.process.stdout.readline().strip() == word, "the player has ended"


@contextmanager
def session_bus(folder: Path) -> Iterator[str]:
    """Run a session bus, and return its address."""
    process = subprocess.Popen(
        ["dbus-daemon", "--session", "--nofork", "--print-address", f"--address=unix:path={folder}/bus"],
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        address = process.stdout.readline().strip()
        assert address, "the bus has ended"
        yield address
    finally:
        process.kill()
        process.communicate()
