"""Tells others of genre changes: a watcher that makes small messages for an MQTT broker and a webhook.

``ChangeDetector`` finds the changes. ``mqtt`` and ``webhook`` deliver them, each on its own thread, so that a
slow receiver delays nobody.
"""

from __future__ import annotations

import logging
import re
import time
import unicodedata
from dataclasses import dataclass
from typing import Literal

from msgspec import Struct

from models.common.text import storable
from models.common.urls import redact_to_host
from realtime.clock import Clock
from realtime.config import OutputSettings
from realtime.outputs.mqtt import MqttAddress, MqttPublisher
from realtime.outputs.webhook import WebhookSender
from realtime.protocol.estimate import StreamState
from realtime.protocol.messages import EstimateMessage, Message, StateMessage, encode

logger = logging.getLogger(__name__)

CLOSE_SECONDS = 1.5
"""How long the end waits for the last messages to be delivered."""

WARNING_SECONDS = 300.0


class GenreChange(Struct, frozen=True, kw_only=True):
    """Change that is sent to the broker and the webhook.

    ``type`` is ``genre`` for another stable genre, else ``state``; ``genre`` is the genre that plays and
    ``confidence`` its probability, both None unless the state is LISTENING; ``previous`` is the genre before,
    also across silence and pauses; ``at`` is in Unix seconds.
    """

    type: Literal["genre", "state"]
    source: str
    genre: str | None
    previous: str | None
    confidence: float | None
    state: StreamState
    at: float


@dataclass(slots=True)
class _Source:
    """Last change of a source."""

    state: StreamState | None = None
    genre: str | None = None


class ChangeDetector:
    """Finds changes of the genre and of the state in the messages of all sources."""

    def __init__(self) -> None:
        self._sources: dict[str, _Source] = {}

    def detect(self, message: Message) -> GenreChange | None:
        """Return the change that a message brings, or None if nothing changed."""
        genre: str | None = None
        confidence: float | None = None
        match message:
            case EstimateMessage(estimate=estimate):
                state = estimate.state
                if state is StreamState.LISTENING:
                    genre, confidence = next(iter(estimate.genre_weights().items()), (None, None))
            case StateMessage(state=state):
                if state.has_estimate:  # the estimate before it has brought the change, with the genre
                    return None
            case _:
                return None
        known = self._sources.setdefault(message.source, _Source())
        previous, another = known.genre, genre is not None and genre != known.genre
        if state == known.state and not another:
            return None
        known.state, known.genre = state, genre or known.genre
        return GenreChange(
            type="genre" if another else "state",
            source=message.source,
            genre=genre,
            previous=previous,
            confidence=None if confidence is None else round(confidence, 4),
            state=state,
            at=message.captured_at,
        )


class OutageLog:
    """Tells of an outage once, and of its end; one that comes and goes every ``WARNING_SECONDS`` at most.

    Parameters
    ----------
    name : str
        Who is out of reach, without secrets.
    clock : Clock
    """

    def __init__(self, name: str, clock: Clock) -> None:
        self._name = name
        self._clock = clock
        self._reason = ""  # that was told
        self._told_at = float("-inf")

    def __call__(self, reason: str, dropped: int) -> None:
        """Take the outcome of an attempt: why it failed, or empty, and how many messages were dropped."""
        now = self._clock.monotonic()
        if reason and reason != self._reason and now - self._told_at >= WARNING_SECONDS:
            self._reason, self._told_at = reason, now
            logger.warning("%s gets no genre changes: %s", self._name, reason)
        elif not reason and self._reason:
            self._reason = ""
            logger.info("%s gets genre changes again; %d were dropped so far", self._name, dropped)


class GenreNotifier:
    """Sends genre changes to whom the settings name; call it with every message, on any thread.

    Parameters
    ----------
    settings : OutputSettings
        With neither a broker nor a webhook nothing is started.
    clock : Clock
    retry_seconds : float
        Before the first repetition; doubled with every further one.

    Raises
    ------
    SettingsError
        The broker's address is none.
    """

    def __init__(self, settings: OutputSettings, clock: Clock, *, retry_seconds: float = 1.0) -> None:
        self._changes = ChangeDetector()
        self._failed = False
        self._broker: MqttPublisher | None = None
        self._webhook: WebhookSender | None = None
        if settings.mqtt:
            address = MqttAddress.parse(settings.mqtt)
            told = OutageLog(f"the MQTT broker {address.name}", clock)
            self._broker = MqttPublisher(address, clock, told, retry_seconds)
        if settings.webhook:
            told = OutageLog(f"the webhook at {redact_to_host(settings.webhook)}", clock)
            self._webhook = WebhookSender(settings.webhook, clock, retry_seconds, told)
        for output in (self._broker, self._webhook):
            if output is not None:
                output.start()

    @property
    def dropped(self) -> int:
        """Messages that were given up."""
        return sum(output.dropped for output in (self._broker, self._webhook) if output is not None)

    def consume(self, message: Message) -> None:
        """Take a message. Any thread may call this method, which neither blocks nor raises."""
        if self._failed or (self._broker is None and self._webhook is None):
            return
        try:
            change = self._changes.detect(message)
            if change is None:
                return
            # a name that is no text becomes an escape of JSON
            payload = storable(encode(change)).encode()
            if self._broker is not None:
                self._broker.put(slug(change.source), payload)
            if self._webhook is not None:
                self._webhook.put(payload)
        except Exception:
            self._failed = True
            logger.exception("internal error; genre changes are told no more")

    def close(self) -> None:
        """Deliver what can be delivered at once, and end."""
        outputs = [output for output in (self._broker, self._webhook) if output is not None]
        for output in outputs:
            output.stop(CLOSE_SECONDS)
        until = time.monotonic() + CLOSE_SECONDS + 0.2  # of the threads' own farewell
        for output in outputs:
            output.join(max(0.0, until - time.monotonic()))


def slug(source: str) -> str:
    """A source's name as one level of a topic: small letters, digits and hyphens."""
    plain = unicodedata.normalize("NFKD", source).encode("ascii", "ignore").decode().lower()
    found = re.sub(r"[^a-z0-9]+", "-", plain).strip("-") or "source"
    return "source-status" if found == "status" else found  # TOPIC/status says whether we are here
