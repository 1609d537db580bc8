"""Publish messages over MQTT on a separate thread, which reconnects when the connection is lost."""

from __future__ import annotations

import random
import re
import threading
import unicodedata
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from models.common.concurrency import backoff_seconds
from realtime.clock import Clock
from realtime.errors import SettingsError
from realtime.outputs.limits import MAX_BACKOFF_SECONDS, MAX_QUEUED_MESSAGES

if TYPE_CHECKING:  # paho-mqtt is imported only if a broker is set
    from paho.mqtt.client import Client, ConnectFlags
    from paho.mqtt.properties import Properties
    from paho.mqtt.reasoncodes import ReasonCode

CONNECT_TIMEOUT_SECONDS = 5.0
"""Seconds to wait for the connection to the broker. After that, the attempt fails."""

KEEPALIVE_SECONDS = 20
"""Interval of pings. The broker declares the client offline after one and a half intervals of silence."""

STATUS_TOPIC = "status"
"""Last level of the topic with the analyzer's status, ``online`` or ``offline``."""

LOOP_SECONDS = 0.2
"""Maximum wait for packets from the broker, which is also the maximum delay of a queued message."""


@dataclass(frozen=True, slots=True)
class MqttAddress:
    """Broker and prefix of the topics. ``user`` is empty for an anonymous client."""

    host: str
    port: int
    topic: str
    user: str = ""
    password: str = field(default="", repr=False)
    tls: bool = False

    @property
    def name(self) -> str:
        """Host and port, without secrets."""
        return f"{self.host}:{self.port}"

    @classmethod
    def parse(cls, address: str) -> MqttAddress:
        """Parse ``mqtt://USER:PASSWORD@HOST:PORT/TOPIC``, or ``mqtts://`` for TLS.

        Raises
        ------
        SettingsError
            If the address is invalid. The message does not repeat the address, which may hold a password.
        """
        try:
            parts = urlsplit(address)
            tls = parts.scheme == "mqtts"
            port = parts.port or (8883 if tls else 1883)
        except ValueError as error:
            raise SettingsError(
                "mqtt has an invalid host or port; use an address such as mqtt://HOST:1883/TOPIC"
            ) from error
        topic = unquote(parts.path).strip("/")
        if parts.scheme not in ("mqtt", "mqtts") or not parts.hostname:
            raise SettingsError("mqtt must be an address such as mqtt://HOST:1883/TOPIC")
        if not topic or parts.query or parts.fragment or re.search(r"[+#\0]", topic):
            raise SettingsError("the topic of mqtt must have at least one character, and none of + # ?")
        user, password = unquote(parts.username or ""), unquote(parts.password or "")
        return cls(parts.hostname, port, topic, user, password, tls)


class MqttPublisher(threading.Thread):
    """Thread that publishes retained messages in order, each at least once.

    Each connection uses a new client. If paho reconnected a client, it would send unconfirmed messages after
    newer messages, so that the broker would retain an old message.

    Parameters
    ----------
    address : MqttAddress
    clock : Clock
    report : callable
        Called on this thread with the result of each connection: the reason of a failure, or an empty text
        after success, and the number of messages dropped so far.
    retry_seconds : float
        Pause before the first retry.

    Attributes
    ----------
    dropped : int
        Number of messages that were not delivered.
    """

    def __init__(
        self,
        address: MqttAddress,
        clock: Clock,
        report: Callable[[str, int], None] = lambda reason, dropped: None,
        retry_seconds: float = 1.0,
    ) -> None:
        super().__init__(name="mqtt", daemon=True)
        self.dropped = 0
        self._address = address
        self._clock = clock
        self._report = report
        self._retry_seconds = retry_seconds
        self._status_topic = f"{address.topic}/{STATUS_TOPIC}"
        self._waiting: deque[tuple[str, bytes]] = deque()
        self._lock = threading.Lock()  # of _waiting and dropped
        self._stopping = threading.Event()
        self._deadline = float("inf")
        # The state of the present connection is used on this thread only.
        self._unconfirmed: dict[int, tuple[str, bytes]] = {}
        self._connected = False
        self._rejection = ""

    def put(self, name: str, payload: bytes) -> None:
        """Queue a message for the topic ``TOPIC/name``. Any thread may call this method."""
        with self._lock:
            self._waiting.append((f"{self._address.topic}/{name}", payload))
            if len(self._waiting) > MAX_QUEUED_MESSAGES:
                self._waiting.popleft()
                self.dropped += 1

    def stop(self, seconds: float) -> None:
        """Make the thread send the queue if there is a connection, and end within ``seconds``."""
        self._deadline = self._clock.monotonic() + seconds
        self._stopping.set()

    def run(self) -> None:
        """Run the thread: connect and publish, and reconnect after each failure."""
        failures = 0
        while not self._stopping.is_set():
            reason = self._serve()
            failures = 1 if self._connected else failures + 1
            self._requeue_unconfirmed()
            if self._stopping.is_set():
                break
            self._report(reason, self.dropped)
            self._stopping.wait(
                backoff_seconds(failures, self._retry_seconds, MAX_BACKOFF_SECONDS, random.random())
            )
        with self._lock:
            self.dropped += len(self._waiting)

    def _serve(self) -> str:
        """Connect and publish until the connection ends. Return the reason of the end."""
        self._connected, self._rejection = False, ""
        client = self._create_client()
        try:
            client.connect(self._address.host, self._address.port, KEEPALIVE_SECONDS)
            while (code := client.loop(LOOP_SECONDS)) == 0:
                if self._stopping.is_set():
                    self._sign_off(client)
                    return ""
                if self._connected:
                    self._send(client)
        except (OSError, ValueError) as error:  # ValueError: an invalid host name
            return f"{getattr(error, 'strerror', None) or error}; retrying"
        finally:
            client.disconnect()
        from paho.mqtt.client import error_string

        return f"{self._rejection or error_string(code)}; retrying"

    def _create_client(self) -> Client:
        from paho.mqtt.client import Client
        from paho.mqtt.enums import CallbackAPIVersion

        client = Client(CallbackAPIVersion.VERSION2, reconnect_on_failure=False)
        client.connect_timeout = CONNECT_TIMEOUT_SECONDS
        if self._address.user:
            client.username_pw_set(self._address.user, self._address.password or None)
        if self._address.tls:
            client.tls_set()
        client.will_set(self._status_topic, b"offline", qos=1, retain=True)
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
            self._rejection = f"the broker rejected the client: {reason}; check user and password of mqtt"
            return
        self._connected = True
        client.publish(self._status_topic, b"online", qos=1, retain=True)
        self._report("", self.dropped)

    def _on_publish(
        self, client: Client, userdata: object, number: int, reason: ReasonCode, properties: Properties | None
    ) -> None:
        self._unconfirmed.pop(number, None)

    def _send(self, client: Client) -> None:
        """Pass the queued messages to the client. A message is delivered once the broker confirms it."""
        while True:
            with self._lock:
                if not self._waiting or len(self._unconfirmed) >= MAX_QUEUED_MESSAGES:
                    return
                topic, payload = self._waiting.popleft()
            sent = client.publish(topic, payload, qos=1, retain=True)
            self._unconfirmed[sent.mid] = (topic, payload)

    def _requeue_unconfirmed(self) -> None:
        """Put unconfirmed messages back at the head of the queue, and drop messages that do not fit."""
        with self._lock:
            for message in reversed(self._unconfirmed.values()):
                if len(self._waiting) < MAX_QUEUED_MESSAGES:
                    self._waiting.appendleft(message)
                else:
                    self.dropped += 1
        self._unconfirmed.clear()

    def _sign_off(self, client: Client) -> None:
        """Send the queue and the status ``offline``, which the broker itself sends only after a failure."""
        if not self._connected:
            return
        self._send(client)
        status = client.publish(self._status_topic, b"offline", qos=1, retain=True)
        while not (status.is_published() and not self._unconfirmed):
            if client.loop(LOOP_SECONDS) != 0 or self._clock.monotonic() >= self._deadline:
                return


def format_topic_level(source: str) -> str:
    """Convert the name of a source to one level of a topic: lower-case letters, digits and hyphens."""
    ascii_name = unicodedata.normalize("NFKD", source).encode("ascii", "ignore").decode().lower()
    name = re.sub(r"[^a-z0-9]+", "-", ascii_name).strip("-") or "source"
    return f"source-{name}" if name == STATUS_TOPIC else name
