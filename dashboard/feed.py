"""The dashboard server's own ear to the analyzer: one thread, and the last thing it heard.

The thread knows nothing of Streamlit. Pages ask for ``snapshot`` whenever they like; the reference
is replaced as a whole, so no lock is needed. Losing the analyzer is normal: the thread tries again
until it is closed.
"""

from __future__ import annotations

import itertools
import json
import logging
import random
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from jsonschema import Draft202012Validator
from websockets.exceptions import InvalidHandshake, InvalidStatus, WebSocketException
from websockets.sync.client import connect
from websockets.typing import Subprotocol

from models.common.concurrency import backoff_seconds
from realtime.protocol.estimate import StreamState
from realtime.protocol.messages import VERSION, Message, schema

log = logging.getLogger(__name__)

FIRST_WAIT_SECONDS = 0.25
LONGEST_WAIT_SECONDS = 3.0
POLL_SECONDS = 0.5
"""How long the thread may take to notice that it is to end."""
PROTOCOL = Subprotocol(f"overheard.{VERSION}")
"""What the analyzer is asked to speak; one of another version refuses."""
KEPT_ESTIMATES = 600
"""Five minutes: whoever reads them less often has closed the page."""
LARGEST_MESSAGE = 1 << 20
"""Bytes; estimates are under 1 KB, so whatever is larger is not from an analyzer."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The last of each message; ``state`` is that of the newest message which carries one.

    ``source`` is the one that is followed, ``title`` what it says that it plays, often nothing; ``sources``
    what may be listened to, known only while connected with the analyzer's token.

    The messages are dictionaries of the published schema. Nobody may write to them.
    ``state_seq`` is the ``seq`` that ``state`` came with: each kind of message has its own mailbox
    at the server, so an estimate may arrive after the state that followed it.
    """

    connected: bool = False
    state: StreamState = StreamState.CONNECTING
    state_seq: int = -1
    source: str = ""
    title: str = ""
    hello: Message | None = None
    estimate: Message | None = None
    health: Message | None = None
    sources: Message | None = None

    @property
    def stable_label(self) -> str | None:
        """The genre that has held its place, if any was heard."""
        if self.estimate is None:
            return None
        label: str | None = self.estimate["stable_label"]
        return label


@dataclass(frozen=True, slots=True)
class Heard:
    """One estimate: its number, rising for as long as the feed lives, seconds of sound, and the payload.

    ``arrived`` is the moment of ``time.monotonic()`` at which it came.
    """

    number: int
    at: float
    estimate: Message
    arrived: float = 0.0


def advance(snapshot: Snapshot, message: Message) -> Snapshot:
    """The snapshot after one valid message.

    Parameters
    ----------
    snapshot : Snapshot
        What was known.
    message : Message
        One message of the server, already held against the schema.
    """
    if message["type"] == "sources":
        return replace(snapshot, sources=message)
    seq = int(message["seq"])
    heard = replace(snapshot, connected=True, source=message["source"])
    if message["type"] == "hello":
        # A new conversation: the server may have been restarted, and then seq begins anew.
        state = StreamState(message["state"])
        title = str(message.get("title", ""))
        health = snapshot.health if message["source"] == snapshot.source else None
        heard = replace(heard, hello=message, estimate=message["estimate"], title=title, health=health)
        return replace(heard, state=state, state_seq=seq)
    if message["type"] == "title":
        return replace(heard, title=message["title"])
    if message["type"] == "health":
        return replace(heard, health=message)
    if message["type"] == "estimate":
        heard = replace(heard, estimate=message["estimate"])
        state = StreamState(message["estimate"]["state"])
    elif message["type"] == "state":
        state = StreamState(message["state"])
    else:
        return heard
    return replace(heard, state=state, state_seq=seq) if seq > snapshot.state_seq else heard


def parse(text: str | bytes, validator: Draft202012Validator) -> Message | None:
    """One message of a server, or None for whatever the schema does not know."""
    try:
        message: Any = json.loads(text)
    except (ValueError, RecursionError):
        return None
    if not isinstance(message, dict) or message.get("type") in ("subscribe", "control"):
        return None
    if not validator.is_valid(message):
        return None
    return message


class Feed:
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
        self._estimates: deque[Heard] = deque(maxlen=KEPT_ESTIMATES)  # appended whole, read as a copy
        self._changed = threading.Condition()
        self._closing = threading.Event()
        self._validator = Draft202012Validator(schema())
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

    def estimates_after(self, number: int) -> list[Heard]:
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
                backoff_seconds(failures, FIRST_WAIT_SECONDS, LONGEST_WAIT_SECONDS, self._jitter())
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
            max_size=LARGEST_MESSAGE,
            proxy=None,
            logger=wire,
        ) as socket:
            self._refused = False
            while not self._closing.is_set():
                try:
                    text = socket.recv(timeout=POLL_SECONDS)
                except TimeoutError:
                    continue
                message = parse(text, self._validator)
                if message is None:
                    log.debug("ignored a message that the schema does not know")
                    continue
                if message["type"] == "hello" and followed in (None, message.get("replaces")):
                    followed = message["source"]
                # The page shows one source: the first that is named, or what took its place.
                if message["source"] == followed or message["type"] == "sources":
                    self._keep(message)
                    self._put(advance(self._snapshot, message))

    def _keep(self, message: Message) -> None:
        """Keep an estimate with its place in the sound; after a restart of the analyzer that goes on."""
        if message["type"] == "estimate":
            end = message["end_seconds"]
            if end < self._last_end:
                self._began_at = self._heard_to
            self._last_end = end
            self._heard_to = max(self._heard_to, self._began_at + end)
            heard = Heard(next(self._numbers), self._heard_to, message["estimate"], time.monotonic())
            self._estimates.append(heard)

    def _tell_refusal(self, error: InvalidStatus) -> None:
        """Once, for it is tried again until somebody mends it; the body is the server's one sentence."""
        said = bytes(error.response.body or b"").decode(errors="replace").strip()[:300]
        level = logging.DEBUG if self._refused else logging.WARNING
        log.log(level, "the analyzer at %s refuses: %d %s", self.url, error.response.status_code, said)
        if error.response.status_code == 401:
            log.log(level, "set OVERHEARD_TOKEN to the analyzer's token before the dashboard starts")
        self._refused = True
