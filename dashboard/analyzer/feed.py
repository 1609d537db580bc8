"""The dashboard server's own ear to the analyzer: one thread, and the last thing it heard.

The thread knows nothing of Streamlit. Pages ask for ``snapshot`` whenever they like; the reference
is replaced as a whole, so no lock is needed. Losing the analyzer is normal: the thread tries again
until it is closed.
"""

from __future__ import annotations

import itertools
import logging
import random
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import replace

from websockets.exceptions import InvalidHandshake, InvalidStatus, WebSocketException
from websockets.sync.client import connect
from websockets.typing import Subprotocol

from dashboard.analyzer.snapshot import MAX_ESTIMATES, ReceivedEstimate, Snapshot, apply_message
from models.common.concurrency import backoff_seconds
from realtime.protocol.messages import (
    VERSION,
    EstimateMessage,
    HelloMessage,
    ServerMessage,
    SourcesMessage,
    decode,
)

log = logging.getLogger(__name__)

FIRST_BACKOFF_SECONDS = 0.25
MAX_BACKOFF_SECONDS = 3.0
POLL_SECONDS = 0.5
"""How long the thread may take to notice that it is to end."""
PROTOCOL = Subprotocol(f"overheard.{VERSION}")
"""What the analyzer is asked to speak; one of another version refuses."""
MAX_MESSAGE_BYTES = 1 << 20
"""Bytes; estimates are under 1 KB, so whatever is larger is not from an analyzer."""


def parse(text: str | bytes) -> ServerMessage | None:
    """Parse one message of a server; None if it is no message of this version."""
    try:
        return decode(text)
    except ValueError as error:
        log.debug("ignored a message: %s", error)
        return None


class AnalyzerFeed:
    """Follows one analyzer from its own daemon thread until ``close``.

    Parameters
    ----------
    url : str
        The analyzer's websocket.
    token : str, optional
        What the analyzer wants to see; sent as a header, shown nowhere.
    jitter : callable, optional
        Returns a number in 0..1; injected by tests.
    """

    def __init__(self, url: str, token: str = "", jitter: Callable[[], float] = random.random) -> None:
        self.url = url
        self._headers = {"Authorization": f"Bearer {token}"} if token else {}
        self._refused = False
        self._jitter = jitter
        self._snapshot = Snapshot()
        self._numbers = itertools.count(1)
        self._began_at = self._heard_to = self._last_end = 0.0  # seconds of sound
        self._estimates: deque[ReceivedEstimate] = deque(
            maxlen=MAX_ESTIMATES
        )  # appended whole, read as a copy
        self._changed = threading.Condition()
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._follow, name="analyzer-feed", daemon=True)
        self._thread.start()

    @property
    def snapshot(self) -> Snapshot:
        """What is known now; never blocks."""
        return self._snapshot

    def wait_for(self, wanted: Callable[[Snapshot], bool], timeout_seconds: float) -> Snapshot:
        """Block until a snapshot is as wanted.

        Raises
        ------
        TimeoutError
            It did not come in time; the message holds the snapshot that there is.
        """
        with self._changed:
            if not self._changed.wait_for(lambda: wanted(self._snapshot), timeout_seconds):
                raise TimeoutError(f"after {timeout_seconds} s there is only {self._snapshot}")
            return self._snapshot

    def estimates_after(self, number: int) -> list[ReceivedEstimate]:
        """Estimates that came after one, oldest first; the last ``KEPT_ESTIMATES`` at most."""
        return [heard for heard in list(self._estimates) if heard.number > number]

    def close(self) -> None:
        """End the thread and wait for it."""
        self._closing.set()
        self._thread.join()

    def _put(self, snapshot: Snapshot) -> None:
        with self._changed:
            self._snapshot = snapshot
            self._changed.notify_all()

    def _follow(self) -> None:
        failures = 0
        while not self._closing.is_set():
            try:
                self._converse()
            except InvalidStatus as error:
                self._tell_refusal(error)
            except (OSError, UnicodeError, InvalidHandshake, WebSocketException) as error:
                log.debug("no analyzer at %s: %s", self.url, error)
            except Exception:  # the songs must not freeze on a fault that nobody sees
                log.exception("the feed from %s broke and starts again", self.url)
            if self._snapshot.connected:
                log.info("the analyzer at %s went away", self.url)
                failures = 0
            failures += 1
            self._put(replace(self._snapshot, connected=False, sources=None))
            self._closing.wait(
                backoff_seconds(failures, FIRST_BACKOFF_SECONDS, MAX_BACKOFF_SECONDS, self._jitter())
            )

    def _converse(self) -> None:
        """One connection from its beginning to its end."""
        followed: str | None = None
        wire = logging.getLogger(f"{__name__}.wire")
        wire.setLevel(logging.WARNING)  # at DEBUG the library would write the token to the log
        with connect(
            self.url,
            additional_headers=self._headers,
            subprotocols=[PROTOCOL],
            open_timeout=5,
            max_size=MAX_MESSAGE_BYTES,
            proxy=None,
            logger=wire,
        ) as socket:
            self._refused = False
            while not self._closing.is_set():
                try:
                    text = socket.recv(timeout=POLL_SECONDS)
                except TimeoutError:
                    continue
                message = parse(text)
                if message is None:
                    continue
                if isinstance(message, HelloMessage) and followed in (None, message.replaces_source):
                    followed = message.source
                # The page shows one source: the first that is named, or what took its place.
                if message.source == followed or isinstance(message, SourcesMessage):
                    self._keep(message)
                    self._put(apply_message(self._snapshot, message))

    def _keep(self, message: ServerMessage) -> None:
        """Keep an estimate with its place in the sound; after a restart of the analyzer that goes on."""
        if isinstance(message, EstimateMessage):
            end = message.end_seconds
            if end < self._last_end:
                self._began_at = self._heard_to
            self._last_end = end
            self._heard_to = max(self._heard_to, self._began_at + end)
            heard = ReceivedEstimate(next(self._numbers), self._heard_to, message.estimate, time.monotonic())
            self._estimates.append(heard)

    def _tell_refusal(self, error: InvalidStatus) -> None:
        """Once, for it is tried again until somebody mends it; the body is the server's one sentence."""
        said = bytes(error.response.body or b"").decode(errors="replace").strip()[:300]
        level = logging.DEBUG if self._refused else logging.WARNING
        log.log(level, "the analyzer at %s refuses: %d %s", self.url, error.response.status_code, said)
        if error.response.status_code == 401:
            log.log(level, "set OVERHEARD_TOKEN to the analyzer's token before the dashboard starts")
        self._refused = True
