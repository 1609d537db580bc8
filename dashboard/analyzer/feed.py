"""Websocket client that keeps the latest state of the analyzer, on a background thread.

The thread is independent of Streamlit. Pages may read ``snapshot`` at any time. Each message replaces the
whole snapshot, so that readers need no lock. The thread reconnects until the feed is closed.
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
"""Seconds before the first reconnection."""
MAX_BACKOFF_SECONDS = 3.0
"""Longest pause in seconds between reconnections."""
POLL_SECONDS = 0.5
"""Maximum time in seconds until the thread notices ``close``."""
PROTOCOL = Subprotocol(f"overheard.{VERSION}")
"""Websocket subprotocol of this version. An analyzer of another version rejects it."""
MAX_MESSAGE_BYTES = 1 << 20
"""Maximum length of a message in bytes. Estimates have about 1 KB."""


def parse_message(text: str | bytes) -> ServerMessage | None:
    """Parse one message of a server, or return None if it is not a message of this protocol version."""
    try:
        return decode(text)
    except ValueError as error:
        log.debug("ignored a message: %s", error)
        return None


class AnalyzerFeed:
    """Client that follows one analyzer on a daemon thread until ``close``.

    Parameters
    ----------
    url : str
        Websocket address of the analyzer.
    token : str, optional
        Token for the analyzer. It is sent as a header and never shown.
    jitter : callable, optional
        Returns a random number in 0..1, which spreads the reconnections.
    """

    def __init__(self, url: str, token: str = "", jitter: Callable[[], float] = random.random) -> None:
        self.url = url
        self._headers = {"Authorization": f"Bearer {token}"} if token else {}
        self._rejected = False
        self._jitter = jitter
        self._snapshot = Snapshot()
        self._numbers = itertools.count(1)
        self._restart_offset = self._received_until = self._last_end = 0.0  # seconds of audio
        # Only the thread appends. Readers copy the deque.
        self._estimates: deque[ReceivedEstimate] = deque(maxlen=MAX_ESTIMATES)
        self._changed = threading.Condition()
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="analyzer-feed", daemon=True)
        self._thread.start()

    @property
    def snapshot(self) -> Snapshot:
        """Newest state of the analyzer. Reading never blocks."""
        return self._snapshot

    def wait_for(self, condition: Callable[[Snapshot], bool], timeout_seconds: float) -> Snapshot:
        """Wait for a snapshot that meets the condition, and return the snapshot.

        Raises
        ------
        TimeoutError
            If no snapshot meets the condition in time. The message holds the current snapshot.
        """
        with self._changed:
            if not self._changed.wait_for(lambda: condition(self._snapshot), timeout_seconds):
                raise TimeoutError(f"no match within {timeout_seconds} s; the snapshot is {self._snapshot}")
            return self._snapshot

    def estimates_after(self, number: int) -> list[ReceivedEstimate]:
        """Return the kept estimates with higher numbers than ``number``, oldest first."""
        return [received for received in list(self._estimates) if received.number > number]

    def close(self) -> None:
        """End the thread and wait for it."""
        self._closing.set()
        self._thread.join()

    def _publish(self, snapshot: Snapshot) -> None:
        with self._changed:
            self._snapshot = snapshot
            self._changed.notify_all()

    def _run(self) -> None:
        failures = 0
        while not self._closing.is_set():
            try:
                self._run_connection()
            except InvalidStatus as error:
                self._log_rejection(error)
            except (OSError, UnicodeError, InvalidHandshake, WebSocketException) as error:
                log.debug("no analyzer at %s: %s", self.url, error)
            except Exception:  # the thread must not end, or the page would freeze unnoticed
                log.exception("the feed from %s failed and reconnects", self.url)
            if self._snapshot.connected:
                log.info("lost the connection to the analyzer at %s", self.url)
                failures = 0
            failures += 1
            self._publish(replace(self._snapshot, connected=False, sources=None))
            self._closing.wait(
                backoff_seconds(failures, FIRST_BACKOFF_SECONDS, MAX_BACKOFF_SECONDS, self._jitter())
            )

    def _run_connection(self) -> None:
        """Open one connection and handle its messages until it ends."""
        followed: str | None = None
        wire_log = logging.getLogger(f"{__name__}.wire")
        wire_log.setLevel(logging.WARNING)  # at DEBUG the library would write the token to the log
        with connect(
            self.url,
            additional_headers=self._headers,
            subprotocols=[PROTOCOL],
            open_timeout=5,
            max_size=MAX_MESSAGE_BYTES,
            proxy=None,
            logger=wire_log,
        ) as socket:
            self._rejected = False
            while not self._closing.is_set():
                try:
                    text = socket.recv(timeout=POLL_SECONDS)
                except TimeoutError:
                    continue
                message = parse_message(text)
                if message is None:
                    continue
                if isinstance(message, HelloMessage) and followed in (None, message.replaces_source):
                    followed = message.source
                # The page shows one source: the first source, or the source that replaced it.
                if message.source == followed or isinstance(message, SourcesMessage):
                    self._append_estimate(message)
                    self._publish(apply_message(self._snapshot, message))

    def _append_estimate(self, message: ServerMessage) -> None:
        """Append the estimate of a message with its position in the audio. Other messages are ignored.

        Positions continue to rise if the analyzer restarts.
        """
        if isinstance(message, EstimateMessage):
            end = message.end_seconds
            if end < self._last_end:
                self._restart_offset = self._received_until
            self._last_end = end
            self._received_until = max(self._received_until, self._restart_offset + end)
            received = ReceivedEstimate(
                next(self._numbers), self._received_until, message.estimate, time.monotonic()
            )
            self._estimates.append(received)

    def _log_rejection(self, error: InvalidStatus) -> None:
        """Log a rejected handshake, the first one as a warning and repetitions at level DEBUG.

        The thread retries until the cause is fixed. The body of the response is one sentence.
        """
        body = bytes(error.response.body or b"").decode(errors="replace").strip()[:300]
        level = logging.DEBUG if self._rejected else logging.WARNING
        log.log(
            level,
            "the analyzer at %s rejects the connection: %d %s",
            self.url,
            error.response.status_code,
            body,
        )
        if error.response.status_code == 401:
            log.log(level, "set OVERHEARD_TOKEN to the analyzer's token and restart the dashboard")
        self._rejected = True
