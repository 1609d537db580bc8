"""Websocket client that keeps the analyzer's latest state, on a background thread.

The thread is independent of Streamlit. Pages read ``snapshot`` at any time. The reference is replaced as a
whole, so that no lock is needed. Losing the analyzer is normal: the thread reconnects until it is closed.
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
"""Seconds until the thread notices that it must end."""
PROTOCOL = Subprotocol(f"overheard.{VERSION}")
"""Websocket subprotocol of this version. An analyzer of another version rejects it."""
MAX_MESSAGE_BYTES = 1 << 20
"""Bytes of a message. Estimates have under 1 KB, so that a larger message is not from an analyzer."""


def parse(text: str | bytes) -> ServerMessage | None:
    """Parse one message of a server. Returns None if the message does not belong to this version."""
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
        The analyzer's websocket.
    token : str, optional
        The analyzer's token, sent as a header and never shown.
    jitter : callable, optional
        Returns a number in 0..1. Tests inject it.
    """

    def __init__(self, url: str, token: str = "", jitter: Callable[[], float] = random.random) -> None:
        self.url = url
        self._headers = {"Authorization": f"Bearer {token}"} if token else {}
        self._rejected = False
        self._jitter = jitter
        self._snapshot = Snapshot()
        self._numbers = itertools.count(1)
        self._restart_offset = self._received_until = self._last_end = 0.0  # seconds of audio
        # The thread appends, and readers copy.
        self._estimates: deque[ReceivedEstimate] = deque(maxlen=MAX_ESTIMATES)
        self._changed = threading.Condition()
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="analyzer-feed", daemon=True)
        self._thread.start()

    @property
    def snapshot(self) -> Snapshot:
        """The newest state. Never blocks."""
        return self._snapshot

    def wait_for(self, condition: Callable[[Snapshot], bool], timeout_seconds: float) -> Snapshot:
        """Block until a snapshot meets the condition, and return it.

        Raises
        ------
        TimeoutError
            If no snapshot meets the condition in time. The message holds the current snapshot.
        """
        with self._changed:
            if not self._changed.wait_for(lambda: condition(self._snapshot), timeout_seconds):
                raise TimeoutError(f"after {timeout_seconds} s there is only {self._snapshot}")
            return self._snapshot

    def estimates_after(self, number: int) -> list[ReceivedEstimate]:
        """Return the estimates after the one with a number, oldest first, at most ``MAX_ESTIMATES``."""
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
            except Exception:  # without a retry the songs would freeze unnoticed
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
                message = parse(text)
                if message is None:
                    continue
                if isinstance(message, HelloMessage) and followed in (None, message.replaces_source):
                    followed = message.source
                # The page shows one source: the first one, or the source that replaced it.
                if message.source == followed or isinstance(message, SourcesMessage):
                    self._append_estimate(message)
                    self._publish(apply_message(self._snapshot, message))

    def _append_estimate(self, message: ServerMessage) -> None:
        """Append an estimate with its position in the audio.

        The position continues to rise if the analyzer restarts.
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
        """Log a rejected handshake once as a warning.

        The thread retries until someone fixes the cause. The body is the server's one sentence.
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
