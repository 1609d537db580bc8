"""Detect genre changes in the messages of all sources, and send them over MQTT and to a webhook.

``ChangeDetector`` finds the changes. ``mqtt`` and ``webhook`` deliver the changes, each on a separate thread,
so that a slow receiver does not delay the analysis or the other receiver.
"""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from msgspec import Struct

from models.common.text import replace_surrogates
from models.common.urls import redact_to_host
from realtime.clock import Clock
from realtime.config import OutputSettings
from realtime.protocol.estimate import StreamState
from realtime.protocol.messages import EstimateMessage, Message, StateMessage, encode

if TYPE_CHECKING:
    from realtime.outputs.mqtt import MqttPublisher
    from realtime.outputs.webhook import WebhookSender

logger = logging.getLogger(__name__)

CLOSE_SECONDS = 1.5
"""Time for the last messages at the end of the program. Messages not delivered by then are dropped."""

SIGN_OFF_SECONDS = 0.2
"""Additional time for the threads to close their connections."""

WARNING_SECONDS = 300.0
"""Minimum time between two warnings about one receiver."""


class GenreChange(Struct, frozen=True, kw_only=True):
    """Change of genre or state, as the JSON that is sent to the broker and the webhook.

    ``type`` is ``genre`` if the stable genre changed, and ``state`` otherwise. ``genre`` is the genre that
    plays, and ``confidence`` is its probability. Both are None unless the state is LISTENING. ``previous`` is
    the last genre before this change, even if silence or a pause lies between. ``at`` is in Unix seconds.
    """

    type: Literal["genre", "state"]
    source: str
    genre: str | None
    previous: str | None
    confidence: float | None
    state: StreamState
    at: float


@dataclass(slots=True)
class _LastChange:
    """State and genre of a source after its last change."""

    state: StreamState | None = None
    genre: str | None = None


class ChangeDetector:
    """Detector of changes of the genre and of the state in the messages of all sources."""

    def __init__(self) -> None:
        self._sources: dict[str, _LastChange] = {}

    def detect(self, message: Message) -> GenreChange | None:
        """Return the change that a message contains, or None if nothing changed."""
        genre: str | None = None
        confidence: float | None = None
        match message:
            case EstimateMessage(estimate=estimate):
                state = estimate.state
                if state is StreamState.LISTENING:
                    genre, confidence = next(iter(estimate.genre_weights().items()), (None, None))
            case StateMessage(state=state):
                if state.has_estimate:  # the estimate before this message contained the change
                    return None
            case _:
                return None
        last = self._sources.setdefault(message.source, _LastChange())
        previous, genre_changed = last.genre, genre is not None and genre != last.genre
        if state == last.state and not genre_changed:
            return None
        last.state, last.genre = state, genre or last.genre
        return GenreChange(
            type="genre" if genre_changed else "state",
            source=message.source,
            genre=genre,
            previous=previous,
            confidence=None if confidence is None else round(confidence, 4),
            state=state,
            at=message.captured_at,
        )


class OutageLog:
    """Log of the outages of one receiver. At most one warning is logged every ``WARNING_SECONDS``.

    Parameters
    ----------
    name : str
        Name of the receiver, without secrets.
    clock : Clock
    """

    def __init__(self, name: str, clock: Clock) -> None:
        self._name = name
        self._clock = clock
        self._reason = ""  # reason of the outage that was logged
        self._logged_at = float("-inf")

    def report(self, reason: str, dropped: int) -> None:
        """Log the result of an attempt to deliver a message.

        Parameters
        ----------
        reason : str
            Reason of a failure, or an empty text after success.
        dropped : int
            Messages dropped so far.
        """
        now = self._clock.monotonic()
        if reason and reason != self._reason and now - self._logged_at >= WARNING_SECONDS:
            self._reason, self._logged_at = reason, now
            logger.warning("cannot send genre changes to %s: %s", self._name, reason)
        elif not reason and self._reason:
            self._reason = ""
            logger.info("genre changes reach %s again; dropped messages: %d", self._name, dropped)


class GenreNotifier:
    """Message consumer that sends genre changes to an MQTT broker and a webhook.

    Each receiver has a separate thread. If the settings name no receiver, no thread is started.

    Parameters
    ----------
    settings : OutputSettings
    clock : Clock
    retry_seconds : float
        Pause before the first retry. Later pauses grow.

    Raises
    ------
    SettingsError
        If the address of the broker is invalid.
    """

    def __init__(self, settings: OutputSettings, clock: Clock, *, retry_seconds: float = 1.0) -> None:
        self._changes = ChangeDetector()
        self._failed = False
        self._publisher: MqttPublisher | None = None
        self._webhook: WebhookSender | None = None
        # Both are off by default, and their modules take 10 ms to import.
        if settings.mqtt:
            from realtime.outputs.mqtt import MqttAddress, MqttPublisher

            address = MqttAddress.parse(settings.mqtt)
            outages = OutageLog(f"the MQTT broker {address.name}", clock)
            self._publisher = MqttPublisher(address, clock, outages.report, retry_seconds)
        if settings.webhook:
            from realtime.outputs.webhook import WebhookSender

            outages = OutageLog(f"the webhook at {redact_to_host(settings.webhook)}", clock)
            self._webhook = WebhookSender(settings.webhook, clock, retry_seconds, outages.report)
        for output in (self._publisher, self._webhook):
            if output is not None:
                output.start()

    @property
    def dropped(self) -> int:
        """Number of messages that were not delivered."""
        return sum(output.dropped for output in (self._publisher, self._webhook) if output is not None)

    def consume(self, message: Message) -> None:
        """Queue the genre change that a message contains, if any. Any thread may call this method.

        The method neither blocks nor raises. An internal error ends the notifications.
        """
        if self._failed or (self._publisher is None and self._webhook is None):
            return
        try:
            change = self._changes.detect(message)
            if change is None:
                return
            payload = replace_surrogates(encode(change)).encode()
            if self._publisher is not None:
                from realtime.outputs.mqtt import format_topic_level

                self._publisher.put(format_topic_level(change.source), payload)
            if self._webhook is not None:
                self._webhook.put(payload)
        except Exception:
            self._failed = True
            logger.exception("internal error; genre changes are no longer sent")

    def close(self) -> None:
        """Send the queued messages to receivers that are reachable, and end the threads."""
        outputs = [output for output in (self._publisher, self._webhook) if output is not None]
        for output in outputs:
            output.stop(CLOSE_SECONDS)
        deadline = time.monotonic() + CLOSE_SECONDS + SIGN_OFF_SECONDS
        for output in outputs:
            output.join(max(0.0, deadline - time.monotonic()))
