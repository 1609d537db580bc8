"""Publishes messages to an MQTT broker, on a thread of its own that connects again when it is cut off."""

from __future__ import annotations

import random
import re
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from models.common.concurrency import backoff_seconds
from realtime.clock import Clock
from realtime.errors import SettingsError
from realtime.outputs.webhook import MAX_BACKOFF_SECONDS

if TYPE_CHECKING:  # paho-mqtt is imported by those only who want a broker
    from paho.mqtt.client import Client, ConnectFlags
    from paho.mqtt.properties import Properties
    from paho.mqtt.reasoncodes import ReasonCode

MAX_QUEUED_MESSAGES = 100
"""Messages that wait; when there are more the oldest is dropped and counted."""

CONNECT_SECONDS = 5.0
KEEPALIVE_SECONDS = 20
LOOP_SECONDS = 0.2
"""How long the thread listens to the broker before it looks whether there is something to send."""


@dataclass(frozen=True, slots=True)
class MqttAddress:
    """Where to publish; ``topic`` is what all topics begin with, ``user`` empty for nobody."""

    host: str
    port: int
    topic: str
    user: str = ""
    password: str = field(default="", repr=False)
    tls: bool = False

    @property
    def name(self) -> str:
        """The address without its secrets."""
        return f"{self.host}:{self.port}"

    @classmethod
    def parse(cls, address: str) -> MqttAddress:
        """Take mqtt://USER:PASSWORD@HOST:PORT/TOPIC apart; mqtts for TLS.

        Raises
        ------
        SettingsError
            It is none; the sentence does not repeat it, for it may hold a password.
        """
        try:
            parts = urlsplit(address)
            tls = parts.scheme == "mqtts"
            port = parts.port or (8883 if tls else 1883)
        except ValueError as error:
            raise SettingsError(
                "mqtt has a wrong host or port; it must be such as mqtt://HOST:1883/TOPIC"
            ) from error
        topic = unquote(parts.path).strip("/")
        if parts.scheme not in ("mqtt", "mqtts") or not parts.hostname:
            raise SettingsError("mqtt must be an address such as mqtt://HOST:1883/TOPIC")
        if not topic or parts.query or parts.fragment or re.search(r"[+#\0]", topic):
            raise SettingsError("the topic of mqtt must be at least one letter, without + # and ?")
        user, password = unquote(parts.username or ""), unquote(parts.password or "")
        return cls(parts.hostname, port, topic, user, password, tls)


class MqttPublisher(threading.Thread):
    """Delivers in order, each message at least once and retained.

    Every connection is a client of its own: one that paho reconnects sends what was under way after what
    is new, and the retained message would be an old one.

    Parameters
    ----------
    address : MqttAddress
    clock : Clock
    tell : callable
        Told why there is no connection, or "", and how many messages were dropped; on this thread.
    retry_seconds : float
        Before the first repetition.
    """

    def __init__(
        self,
        address: MqttAddress,
        clock: Clock,
        tell: Callable[[str, int], None] = lambda reason, dropped: None,
        retry_seconds: float = 1.0,
    ) -> None:
        super().__init__(name="mqtt", daemon=True)
        self.dropped = 0
        self._address = address
        self._clock = clock
        self._tell = tell
        self._retry_seconds = retry_seconds
        self._status = f"{address.topic}/status"
        self._waiting: deque[tuple[str, bytes]] = deque()
        self._lock = threading.Lock()  # of _waiting and dropped
        self._stopping = threading.Event()
        self._ends_at = float("inf")
        # Of the present connection, on this thread only:
        self._under_way: dict[int, tuple[str, bytes]] = {}
        self._connected = False
        self._refusal = ""

    def put(self, name: str, payload: bytes) -> None:
        """Queue a message for TOPIC/name; called on other threads."""
        with self._lock:
            self._waiting.append((f"{self._address.topic}/{name}", payload))
            if len(self._waiting) > MAX_QUEUED_MESSAGES:
                self._waiting.popleft()
                self.dropped += 1

    def stop(self, seconds: float) -> None:
        """Deliver what waits while connected, say goodbye and end, within ``seconds``; on another thread."""
        self._ends_at = self._clock.monotonic() + seconds
        self._stopping.set()

    def run(self) -> None:
        """Thread body: one connection after another."""
        failures = 0
        while not self._stopping.is_set():
            reason = self._serve()
            failures = 1 if self._connected else failures + 1
            self._take_back()
            if self._stopping.is_set():
                break
            self._tell(reason, self.dropped)
            self._stopping.wait(
                backoff_seconds(failures, self._retry_seconds, MAX_BACKOFF_SECONDS, random.random())
            )
        with self._lock:
            self.dropped += len(self._waiting)

    def _serve(self) -> str:
        """Connect and publish until the connection ends; why it ended."""
        self._connected, self._refusal = False, ""
        client = self._client()
        try:
            client.connect(self._address.host, self._address.port, KEEPALIVE_SECONDS)
            while (code := client.loop(LOOP_SECONDS)) == 0:
                if self._stopping.is_set():
                    self._say_goodbye(client)
                    return ""
                if self._connected:
                    self._send(client)
        except (OSError, ValueError) as error:  # ValueError: a host name that is none
            return f"{getattr(error, 'strerror', None) or error}; it is tried again"
        finally:
            client.disconnect()
        from paho.mqtt.client import error_string

        return f"{self._refusal or error_string(code)}; it is tried again"

    def _client(self) -> Client:
        from paho.mqtt.client import Client
        from paho.mqtt.enums import CallbackAPIVersion

        client = Client(CallbackAPIVersion.VERSION2, reconnect_on_failure=False)
        client.connect_timeout = CONNECT_SECONDS
        if self._address.user:
            client.username_pw_set(self._address.user, self._address.password or None)
        if self._address.tls:
            client.tls_set()
        client.will_set(self._status, b"offline", qos=1, retain=True)
        client.on_connect = self._on_connect
        client.on_publish = self._on_publish
        return client

    def _on_connect(
        self,
        client: Client,
        userdata: object,
        flags: ConnectFlags,
        reason: ReasonCode,
        properties: Properties | None,
    ) -> None:
        if reason.is_failure:
            self._refusal = f"it refused: {reason}; check user and password of mqtt"
            return
        self._connected = True
        client.publish(self._status, b"online", qos=1, retain=True)
        self._tell("", self.dropped)

    def _on_publish(
        self, client: Client, userdata: object, number: int, reason: ReasonCode, properties: Properties | None
    ) -> None:
        self._under_way.pop(number, None)

    def _send(self, client: Client) -> None:
        """Hand over all that waits; it counts as delivered when the broker says so."""
        while True:
            with self._lock:
                if not self._waiting or len(self._under_way) >= MAX_QUEUED_MESSAGES:
                    return
                topic, payload = self._waiting.popleft()
            sent = client.publish(topic, payload, qos=1, retain=True)
            self._under_way[sent.mid] = (topic, payload)

    def _take_back(self) -> None:
        """Put what the broker has not confirmed at the head again, as far as there is room."""
        with self._lock:
            for message in reversed(self._under_way.values()):
                if len(self._waiting) < MAX_QUEUED_MESSAGES:
                    self._waiting.appendleft(message)
                else:
                    self.dropped += 1
        self._under_way.clear()

    def _say_goodbye(self, client: Client) -> None:
        """The last will is for accidents; who leaves in order says so himself."""
        if not self._connected:
            return
        self._send(client)
        goodbye = client.publish(self._status, b"offline", qos=1, retain=True)
        while not (goodbye.is_published() and not self._under_way):
            if client.loop(LOOP_SECONDS) != 0 or self._clock.monotonic() >= self._ends_at:
                return
