"""Genre changes published to a real MQTT broker: outages, passwords and TLS."""

from __future__ import annotations

import json
import logging
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion

from realtime.clock import SystemClock
from realtime.errors import SettingsError
from realtime.outputs.limits import MAX_QUEUED_MESSAGES
from realtime.outputs.mqtt import MqttAddress, MqttPublisher
from realtime.outputs.notifier import GenreNotifier
from tests.support.histories import estimate, state
from tests.support.network import free_port, is_listening, make_certificate
from tests.support.outputs import QUOTED_SECRET, SECRET, notifier_factory
from tests.support.paths import ROOT
from tests.support.waiting import at_most, wait_until


def test_addresses_are_parsed_and_do_not_show_the_password() -> None:
    address = MqttAddress.parse(f"mqtts://me:{QUOTED_SECRET}@[::1]/home/music/")
    assert address == MqttAddress("::1", 8883, "home/music", "me", SECRET, tls=True)
    assert MqttAddress.parse("mqtt://b.example/x") == MqttAddress("b.example", 1883, "x")
    assert SECRET not in repr(address)


@pytest.mark.parametrize("tail", ["b:99999/x", "b:port/x", "b/", "b/a+", "b/a/%23", "b/a?b", "b/a#b", "/x"])
def test_an_invalid_address_is_refused_without_repeating_it(tail: str) -> None:
    with pytest.raises(SettingsError) as refusal:
        MqttAddress.parse(f"mqtt://me:{QUOTED_SECRET}@{tail}")
    assert "geheim" not in str(refusal.value)


class Mosquitto:
    """Real broker on a free port, which can be killed and started again."""

    def __init__(self, folder: Path, *lines: str) -> None:
        program = shutil.which("mosquitto", path=os.environ["PATH"] + ":/usr/sbin:/usr/local/sbin")
        if program is None:
            pytest.skip("mosquitto is not installed; on Debian: apt install mosquitto")
        self.port = free_port()
        config = folder / "mosquitto.conf"
        # Without this line a broker started by root runs as a user who cannot read the folder.
        user = ["user root"] if os.geteuid() == 0 else []
        config.write_text("\n".join([f"listener {self.port} 127.0.0.1", *user, *lines]) + "\n")
        self._command = [program, "-c", str(config)]
        self.process: subprocess.Popen[bytes] | None = None
        self.start()

    def start(self) -> None:
        self.process = subprocess.Popen(self._command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_until(self._listens)

    def kill(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()
        self.process = None

    def _listens(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, "mosquitto ended"
        return is_listening(self.port)


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Mosquitto]:
    running = Mosquitto(tmp_path, "allow_anonymous true")
    yield running
    running.kill()


class Subscriber:
    """Subscriber of all topics. ``received`` holds topic, content, quality of service and retain flag."""

    def __init__(self, port: int, user: str = "", password: str = "") -> None:
        self.received: list[tuple[str, str, int, bool]] = []
        ready = threading.Event()
        self._client = Client(CallbackAPIVersion.VERSION2)
        self._client.on_message = self._on_message
        self._client.on_subscribe = lambda *_: ready.set()
        if user:
            self._client.username_pw_set(user, password)
        self._client.connect("127.0.0.1", port)
        self._client.subscribe("#", qos=1)
        self._client.loop_start()
        assert ready.wait(10)

    def _on_message(self, client: Client, userdata: object, message: MQTTMessage) -> None:
        self.received.append((message.topic, message.payload.decode(), message.qos, message.retain))

    def genres(self) -> list[str | None]:
        return [json.loads(text)["genre"] for topic, text, *_ in list(self.received) if "status" not in topic]

    def __enter__(self) -> Subscriber:
        return self

    def __exit__(self, *_: object) -> None:
        self._client.disconnect()
        self._client.loop_stop()


@pytest.fixture
def start() -> Iterator[Callable[..., GenreNotifier]]:
    with notifier_factory() as begin:
        yield begin


def test_the_broker_gets_every_change_and_retains_the_last(
    broker: Mosquitto, start: Callable[..., GenreNotifier]
) -> None:
    outputs = start(mqtt=f"mqtt://127.0.0.1:{broker.port}/home/music")
    with Subscriber(broker.port) as live:
        outputs.consume(estimate(5, source="Kitchen Radio"))
        outputs.consume(estimate(6, "rock", source="Kitchen Radio"))
        wait_until(lambda: len(live.genres()) == 2)
    outputs.consume(state(7, "ENDED", source="Kitchen Radio"))
    outputs.close()
    assert outputs.dropped == 0
    assert live.genres() == ["jazz", "rock"]
    with Subscriber(broker.port) as late:
        wait_until(lambda: len(late.received) == 2)
    kept = {topic: (text, qos, retained) for topic, text, qos, retained in late.received}
    assert kept["home/music/status"] == ("offline", 1, True)
    text, qos, retained = kept["home/music/kitchen-radio"]
    assert (json.loads(text)["state"], qos, retained) == ("ENDED", 1, True)


def test_the_broker_declares_a_killed_analyzer_offline(broker: Mosquitto) -> None:
    script = (
        "import sys\nfrom realtime.clock import SystemClock\n"
        "from realtime.outputs.notifier import GenreNotifier\n"
        "from realtime.config import OutputSettings\n"
        "GenreNotifier(OutputSettings(mqtt=sys.argv[1]), SystemClock())\nsys.stdin.read()"
    )
    with Subscriber(broker.port) as live:
        address = f"mqtt://127.0.0.1:{broker.port}/music"
        process = subprocess.Popen([sys.executable, "-c", script, address], cwd=ROOT, stdin=subprocess.PIPE)
        with process:
            wait_until(lambda: [each[1] for each in live.received] == ["online"])
            process.send_signal(signal.SIGKILL)
        wait_until(lambda: [each[1] for each in live.received] == ["online", "offline"])
    assert {each[0] for each in live.received} == {"music/status"}


def test_a_restarted_broker_gets_the_messages_that_it_missed(
    broker: Mosquitto, start: Callable[..., GenreNotifier], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "realtime")
    outputs = start(mqtt=f"mqtt://127.0.0.1:{broker.port}/music", retry_seconds=1.0)
    outputs.consume(estimate(5))
    with Subscriber(broker.port) as live:
        wait_until(lambda: live.genres() == ["jazz"])
    broker.kill()
    wait_until(lambda: "cannot send genre changes" in caplog.text)
    outputs.consume(estimate(6, "rock"))
    outputs.consume(estimate(7, "blues"))
    broker.start()
    with Subscriber(broker.port) as live:  # connected before the publisher, which pauses for a second
        wait_until(lambda: len(live.genres()) >= 2)
    assert live.genres() == ["rock", "blues"]
    wait_until(lambda: len(caplog.messages) == 2)
    assert caplog.messages[1].startswith("genre changes reach the MQTT broker")
    assert caplog.messages[1].endswith("again; dropped messages: 0")
    assert outputs.dropped == 0


def test_unconfirmed_messages_are_sent_again(start: Callable[..., GenreNotifier], tmp_path: Path) -> None:
    """A broker ends before it confirms messages. With QoS 1 the publisher sends them again."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        outputs = start(mqtt=f"mqtt://127.0.0.1:{port}/music")
        outputs.consume(estimate(5))
        seen = []
        for _ in range(2):
            connection, _address = listener.accept()
            with connection:
                connection.settimeout(10)
                connection.recv(1_000)
                connection.sendall(b"\x20\x02\x00\x00")  # CONNACK, accepted
                content = b""
                while b"jazz" not in content:
                    content += connection.recv(1_000)
                seen.append(content)
    assert len(seen) == 2


def test_a_wrong_password_is_reported_without_repeating_it(
    tmp_path: Path, start: Callable[..., GenreNotifier], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    passwords = tmp_path / "passwords"
    passwords.touch(mode=0o600)
    subprocess.run(["mosquitto_passwd", "-b", str(passwords), "me", SECRET], check=True, capture_output=True)
    broker = Mosquitto(tmp_path, "allow_anonymous false", f"password_file {passwords}")
    try:
        wrong = start(mqtt=f"mqtt://me:geheim-wrong@127.0.0.1:{broker.port}/wrong")
        wrong.consume(estimate(5))
        wait_until(lambda: "Not authorized" in caplog.text)
        with Subscriber(broker.port, "me", SECRET) as live:
            right = start(mqtt=f"mqtt://me:{QUOTED_SECRET}@127.0.0.1:{broker.port}/right")
            right.consume(estimate(5))
            wait_until(lambda: live.genres() == ["jazz"])
            right.close()
        wrong.close()
        assert wrong.dropped == 1
        assert {topic.split("/")[0] for topic, *_ in live.received} == {"right"}
    finally:
        broker.kill()
    assert caplog.messages == [
        f"cannot send genre changes to the MQTT broker 127.0.0.1:{broker.port}: the broker rejected the "
        "client: Not authorized; check user and password of mqtt; retrying"
    ]


# paho leaves a socket with a failed handshake to the garbage collector.
@pytest.mark.filterwarnings("ignore:unclosed <ssl.SSLSocket:ResourceWarning")
def test_tls_accepts_only_a_trusted_certificate(
    tmp_path: Path,
    start: Callable[..., GenreNotifier],
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    certificate = make_certificate(tmp_path)
    files = (f"certfile {certificate.path}", f"keyfile {certificate.key}")
    broker = Mosquitto(tmp_path, "allow_anonymous true", *files)
    try:
        outputs = start(mqtt=f"mqtts://127.0.0.1:{broker.port}/music", retry_seconds=0.2)
        outputs.consume(estimate(5))
        wait_until(lambda: "certificate verify failed" in caplog.text)
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate.path))
        wait_until(lambda: not outputs._publisher._waiting)  # type: ignore[union-attr]  # there is one
        outputs.close()
        assert outputs.dropped == 0
    finally:
        broker.kill()


def test_a_broker_that_never_responds_delays_nothing(
    start: Callable[..., GenreNotifier],
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        outputs = start(mqtt=f"mqtt://127.0.0.1:{silent.getsockname()[1]}/music")
        connection, _address = silent.accept()
        with connection:
            with at_most(0.5):
                for n in range(300):
                    outputs.consume(estimate(6 + n / 2, ("jazz", "rock")[n % 2]))
            outputs.close()
    assert outputs.dropped == 300


def test_an_unreachable_broker_drops_the_oldest_messages() -> None:
    broker = MqttPublisher(MqttAddress("127.0.0.1", 1, "music"), SystemClock())
    for n in range(MAX_QUEUED_MESSAGES + 7):
        broker.put("radio", str(n).encode())
    assert broker.dropped == 7
    assert broker._waiting[0] == ("music/radio", b"7")
