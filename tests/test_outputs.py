"""Genre changes told to others: what is told on values, then a real broker and real web servers."""

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
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion

from realtime.broker import QUEUED, Broker, BrokerAddress
from realtime.clock import SystemClock
from realtime.errors import SettingsError
from realtime.messages import Message
from realtime.outputs import WARNING_SECONDS, Changes, GenreOutputs, Outage, slug
from realtime.settings import OutputSettings
from realtime.webhook import REFUSALS, Verdict, Webhook, pause_seconds, retry_after_seconds, verdict
from tests.fakes.clock import VirtualClock
from tests.test_history import estimate, health, state, until

ROOT = Path(__file__).parent.parent
SECRET = "geheim-p@ss/word"
QUOTED = "geheim-p%40ss%2Fword"


# What is told


def told(*given: Message) -> list[tuple[object, ...]]:
    changes = Changes()
    found = [change for message in given if (change := changes.take(message)) is not None]
    assert all(
        list(each) == ["type", "source", "genre", "previous", "confidence", "state", "at"] for each in found
    )
    return [tuple(each.values())[:1] + tuple(each.values())[2:6] for each in found]


def test_a_genre_is_told_once_and_its_change_with_the_one_before() -> None:
    assert told(
        state(0, "WARMING_UP"), estimate(5), state(5, "LISTENING"), estimate(5.5), health(6),
        estimate(6, "rock", confidence=0.61239), estimate(6.5, "rock"),
    ) == [
        ("state", None, None, None, "WARMING_UP"),
        ("genre", "jazz", None, 0.8, "LISTENING"),
        ("genre", "rock", "jazz", 0.6124, "LISTENING"),
    ]  # fmt: skip


def test_states_are_told_and_a_doubtful_estimate_changes_no_genre() -> None:
    assert told(
        estimate(5), estimate(5.5, "rock", "UNSURE"), state(5.5, "UNSURE"), estimate(6, "rock", "SILENT"),
        estimate(6.5), estimate(7, "rock", "NOT_MUSIC"), estimate(7.5, "rock"), state(8, "STALLED"),
    ) == [
        ("genre", "jazz", None, 0.8, "LISTENING"),
        ("state", None, "jazz", None, "UNSURE"),
        ("state", None, "jazz", None, "SILENT"),
        ("state", "jazz", "jazz", 0.8, "LISTENING"),
        ("state", None, "jazz", None, "NOT_MUSIC"),
        ("genre", "rock", "jazz", 0.8, "LISTENING"),
        ("state", None, "rock", None, "STALLED"),
    ]  # fmt: skip


def test_sources_are_told_apart() -> None:
    found = told(estimate(5, source="a"), estimate(5, source="b"), estimate(6, "rock", source="a"))
    assert [each[1:3] for each in found] == [("jazz", None), ("jazz", None), ("rock", "jazz")]


@pytest.mark.parametrize(
    ("name", "level"),
    [
        ("Kitchen Radio (USB)", "kitchen-radio-usb"),
        ("https://a.example/x?y#z+", "https-a-example-x-y-z"),
        ("Küche", "kuche"),
        ("放送", "source"),
        ("Status", "source-status"),
    ],
)
def test_a_source_is_one_level_of_a_topic(name: str, level: str) -> None:
    assert slug(name) == level


def test_an_outage_is_told_once_and_so_is_its_end(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    clock = VirtualClock()
    outage = Outage("the webhook", clock)
    for _ in range(20):
        outage("refused", 0)
    outage("", 2)
    for _ in range(20):  # it comes and goes
        clock.now += 1
        outage("refused", 2)
        outage("", 3)
    assert caplog.messages == [
        "the webhook gets no genre changes: refused",
        "the webhook gets genre changes again; 2 were dropped so far",
    ]
    clock.now += WARNING_SECONDS
    outage("timed out", 3)
    assert caplog.messages[2:] == ["the webhook gets no genre changes: timed out"]


def test_addresses_of_brokers_are_taken_apart_without_showing_the_password() -> None:
    address = BrokerAddress.parse(f"mqtts://me:{QUOTED}@[::1]/home/music/")
    assert address == BrokerAddress("::1", 8883, "home/music", "me", SECRET, tls=True)
    assert BrokerAddress.parse("mqtt://b.example/x") == BrokerAddress("b.example", 1883, "x")
    assert SECRET not in repr(address)


@pytest.mark.parametrize("tail", ["b:99999/x", "b:port/x", "b/", "b/a+", "b/a/%23", "b/a?b", "b/a#b", "/x"])
def test_a_wrong_address_of_a_broker_is_refused_without_repeating_it(tail: str) -> None:
    with pytest.raises(SettingsError) as refusal:
        BrokerAddress.parse(f"mqtt://me:{QUOTED}@{tail}")
    assert "geheim" not in str(refusal.value)


def test_without_settings_nothing_is_started() -> None:
    before = threading.enumerate()
    outputs = GenreOutputs(OutputSettings(), SystemClock())
    outputs(estimate(5))
    assert threading.enumerate() == before
    outputs.close()
    script = "import sys, realtime.outputs; print([name for name in sys.modules if 'paho' in name])"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, cwd=ROOT, check=True
    )
    assert done.stdout == "[]\n"


# The webhook


class Answers(ThreadingHTTPServer):
    """Answers requests as it is told, then always with 200; keeps what it got, and when."""

    daemon_threads = True

    def __init__(self, *script: tuple[int, dict[str, str]] | None, port: int = 0) -> None:
        super().__init__(("127.0.0.1", port), Handler)
        self.script = list(script)
        self.got: list[tuple[float, Message]] = []
        self.headers: list[dict[str, str]] = []
        self.closing = threading.Event()

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/hook?key=geheim"

    def states(self) -> list[Any]:
        return [message["state"] for _, message in list(self.got)]


class Handler(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        server = self.server
        assert isinstance(server, Answers)
        content = self.rfile.read(int(self.headers["Content-Length"]))
        server.headers.append(dict(self.headers.items()))
        server.got.append((time.monotonic(), json.loads(content)))
        answer = server.script.pop(0) if server.script else (200, {})
        if answer is None:  # never
            server.closing.wait()
            return
        self.send_response(answer[0])
        for name, value in {"Content-Length": "0", **answer[1]}.items():
            self.send_header(name, value)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Silence: the base class writes to standard error."""


@pytest.fixture
def serve(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Answers]]:
    monkeypatch.setenv("no_proxy", "*")
    servers: list[Answers] = []

    def start(*script: tuple[int, dict[str, str]] | None, port: int = 0) -> Answers:
        servers.append(Answers(*script, port=port))
        threading.Thread(target=servers[-1].serve_forever, args=(0.02,), daemon=True).start()
        return servers[-1]

    yield start
    for server in servers:
        server.closing.set()
        server.shutdown()
        server.server_close()


@pytest.fixture
def start() -> Iterator[Callable[..., GenreOutputs]]:
    """Outputs with quick repetitions, each closed within two seconds whatever the other side does."""
    started: list[GenreOutputs] = []

    def begin(retry_seconds: float = 0.02, **settings: str) -> GenreOutputs:
        started.append(GenreOutputs(OutputSettings(**settings), SystemClock(), retry_seconds=retry_seconds))
        return started[-1]

    yield begin
    for outputs in started:
        began = time.monotonic()
        outputs.close()
        assert time.monotonic() - began <= 2


def test_a_change_is_posted(serve: Callable[..., Answers], start: Callable[..., GenreOutputs]) -> None:
    server = serve()
    outputs = start(webhook=server.address)
    outputs(estimate(5, source="caf\udce9"))
    outputs(estimate(5.5, source="caf\udce9"))
    until(lambda: len(server.got) == 1)
    assert server.got[0][1] == {
        "type": "genre", "source": "caf\udce9", "genre": "jazz", "previous": None, "confidence": 0.8,
        "state": "LISTENING", "at": 1_005.0,
    }  # fmt: skip
    assert server.headers[0]["Content-Type"] == "application/json"
    outputs(state(6, "ENDED"))
    outputs.close()  # delivers what waits
    assert server.states() == ["LISTENING", "ENDED"]
    assert outputs.dropped == 0


def test_faults_of_the_server_are_met_with_patience_and_order_is_kept(
    serve: Callable[..., Answers], start: Callable[..., GenreOutputs], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    server = serve((500, {}), (500, {}))
    outputs = start(webhook=server.address, retry_seconds=0.2)
    outputs(estimate(5))
    outputs(state(6, "STALLED"))
    until(lambda: len(server.got) == 4)
    assert server.states() == ["LISTENING"] * 3 + ["STALLED"]
    first, second, third, _ = [at for at, _ in server.got]
    assert second - first >= 0.1  # half of 0.2 at least
    assert third - second >= 0.2  # half of twice that
    until(lambda: len(caplog.messages) == 2)
    host = f"the webhook at {server.address.split('/')[2]}"
    assert caplog.messages == [
        f"{host} gets no genre changes: it answered 500; it is tried again",
        f"{host} gets genre changes again; 0 were dropped so far",
    ]
    assert outputs.dropped == 0


@pytest.mark.parametrize("status", [429, 503])
def test_retry_after_is_honoured(
    serve: Callable[..., Answers], start: Callable[..., GenreOutputs], status: int
) -> None:
    server = serve((status, {"Retry-After": "1"}))
    start(webhook=server.address)(estimate(5))
    until(lambda: len(server.got) == 2)
    assert server.got[1][0] - server.got[0][0] >= 1.0


@pytest.mark.parametrize("status", [404, 302])
def test_a_refusal_is_not_repeated_nor_a_redirection_followed(
    serve: Callable[..., Answers],
    start: Callable[..., GenreOutputs],
    status: int,
    caplog: pytest.LogCaptureFixture,
) -> None:
    server = serve((status, {"Location": "/elsewhere"}))
    outputs = start(webhook=server.address)
    outputs(estimate(5))
    outputs(estimate(6, "rock"))
    until(lambda: len(server.got) == 2)
    assert [message["genre"] for _, message in server.got] == ["jazz", "rock"]
    assert outputs.dropped == 1
    assert f"it answered {status}; check the address" in caplog.text
    assert "geheim" not in caplog.text


def test_a_message_that_a_server_cannot_digest_is_given_up_in_the_end(
    serve: Callable[..., Answers], start: Callable[..., GenreOutputs]
) -> None:
    server = serve(*[(500, {})] * REFUSALS)
    outputs = start(webhook=server.address, retry_seconds=0.001)
    outputs(estimate(5))
    outputs(estimate(6, "rock"))
    until(lambda: len(server.got) == REFUSALS + 1)
    assert server.got[-1][1]["genre"] == "rock"
    assert outputs.dropped == 1


def test_a_server_that_never_answers_is_not_waited_for(
    serve: Callable[..., Answers], start: Callable[..., GenreOutputs]
) -> None:
    server = serve(None)
    outputs = start(webhook=server.address)
    outputs(estimate(5))
    until(lambda: len(server.got) == 1)
    began = time.monotonic()
    for n in range(300):
        outputs(estimate(6 + n / 2, ("jazz", "rock")[n % 2]))
    assert time.monotonic() - began < 0.5
    assert outputs.dropped == 299 - QUEUED  # the first repeats the genre that was told
    outputs.close()  # within two seconds, as the fixture has it for all
    assert len(server.got) == 1


def test_newest_messages_win_while_the_server_is_away(serve: Callable[..., Answers]) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound without listening: connections are refused
        port = taken.getsockname()[1]
        failed = threading.Event()

        def tell(reason: str, dropped: int) -> None:
            if "refused" in reason:
                failed.set()

        webhook = Webhook(f"http://127.0.0.1:{port}/", SystemClock(), 0.02, tell)
        webhook.start()
        for n in range(150):
            webhook.put(json.dumps({"state": n}).encode())
        assert failed.wait(10)
    server = serve(port=port)
    until(lambda: 149 in server.states())
    webhook.stop(1)
    webhook.join(2)
    assert server.states() == list(range(50, 150))
    assert webhook.dropped == 50


def test_user_and_password_of_an_address_are_sent_and_not_logged(
    serve: Callable[..., Answers], start: Callable[..., GenreOutputs], caplog: pytest.LogCaptureFixture
) -> None:
    server = serve((403, {}))
    start(webhook=server.address.replace("//", f"//me:{QUOTED}@"))(estimate(5))
    until(lambda: "answered 403" in caplog.text)
    assert server.headers[0]["Authorization"] == "Basic bWU6Z2VoZWltLXBAc3Mvd29yZA=="
    assert "geheim" not in caplog.text


def test_pauses_double_with_jitter_up_to_a_minute() -> None:
    assert [pause_seconds(n, 1.0, 1.0, None) for n in (1, 2, 3, 6, 7, 10_000)] == [1, 2, 4, 32, 60, 60]
    assert [pause_seconds(n, 1.0, 0.0, None) for n in (1, 2, 3)] == [0.5, 1, 2]
    assert [pause_seconds(1, 1.0, 0.5, after) for after in (0.0, 7.0, 1e9, -5.0)] == [0, 7, 3_600, 0]


def test_retry_after_is_seconds_or_a_date_of_an_answer_that_may_have_it() -> None:
    assert retry_after_seconds(429, "7", 0.0) == 7
    assert retry_after_seconds(503, "Thu, 01 Jan 1970 00:01:40 GMT", 40.0) == 60
    assert [retry_after_seconds(503, text, 0.0) for text in (None, "soon", "-1", "1e9")] == [None] * 4
    assert retry_after_seconds(500, "7", 0.0) is None


def test_what_a_status_means() -> None:
    meaning = {status: verdict(status) for status in (200, 204, 301, 400, 404, 408, 410, 429, 500, 503)}
    assert [status for status, each in meaning.items() if each is Verdict.TAKEN] == [200, 204]
    assert [status for status, each in meaning.items() if each is Verdict.AGAIN] == [408, 429, 500, 503]


# The broker


class Mosquitto:
    """A real broker on a free port; it can be killed and started again."""

    def __init__(self, folder: Path, *lines: str) -> None:
        program = shutil.which("mosquitto", path=os.environ["PATH"] + ":/usr/sbin:/usr/local/sbin")
        if program is None:
            pytest.skip("mosquitto is not installed; on Debian: apt install mosquitto")
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        config = folder / "mosquitto.conf"
        user = ["user root"] if os.geteuid() == 0 else []  # else it becomes one who cannot read the folder
        config.write_text("\n".join([f"listener {self.port} 127.0.0.1", *user, *lines]) + "\n")
        self._command = [program, "-c", str(config)]
        self.process: subprocess.Popen[bytes] | None = None
        self.start()

    def start(self) -> None:
        self.process = subprocess.Popen(self._command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        until(self._listens)

    def kill(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()
        self.process = None

    def _listens(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, "mosquitto ended"
        try:
            socket.create_connection(("127.0.0.1", self.port), 1).close()
        except OSError:
            return False
        return True


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Mosquitto]:
    running = Mosquitto(tmp_path, "allow_anonymous true")
    yield running
    running.kill()


class Subscriber:
    """Hears all topics; ``heard`` is topic, content, quality of service, retained."""

    def __init__(self, port: int, user: str = "", password: str = "") -> None:
        self.heard: list[tuple[str, str, int, bool]] = []
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
        self.heard.append((message.topic, message.payload.decode(), message.qos, message.retain))

    def genres(self) -> list[str | None]:
        return [json.loads(text)["genre"] for topic, text, *_ in list(self.heard) if "status" not in topic]

    def __enter__(self) -> Subscriber:
        return self

    def __exit__(self, *_: object) -> None:
        self._client.disconnect()
        self._client.loop_stop()


def test_the_broker_gets_every_change_and_keeps_the_last(
    broker: Mosquitto, start: Callable[..., GenreOutputs]
) -> None:
    outputs = start(mqtt=f"mqtt://127.0.0.1:{broker.port}/home/music")
    with Subscriber(broker.port) as live:
        outputs(estimate(5, source="Kitchen Radio"))
        outputs(estimate(6, "rock", source="Kitchen Radio"))
        until(lambda: len(live.genres()) == 2)
    outputs(state(7, "ENDED", source="Kitchen Radio"))
    outputs.close()
    assert outputs.dropped == 0
    assert live.genres() == ["jazz", "rock"]
    with Subscriber(broker.port) as late:
        until(lambda: len(late.heard) == 2)
    kept = {topic: (text, qos, retained) for topic, text, qos, retained in late.heard}
    assert kept["home/music/status"] == ("offline", 1, True)
    text, qos, retained = kept["home/music/kitchen-radio"]
    assert (json.loads(text)["state"], qos, retained) == ("ENDED", 1, True)


def test_who_is_killed_is_called_offline_by_the_broker(broker: Mosquitto) -> None:
    script = (
        "import sys\nfrom realtime.clock import SystemClock\nfrom realtime.outputs import GenreOutputs\n"
        "from realtime.settings import OutputSettings\n"
        "GenreOutputs(OutputSettings(mqtt=sys.argv[1]), SystemClock())\nsys.stdin.read()"
    )
    with Subscriber(broker.port) as live:
        address = f"mqtt://127.0.0.1:{broker.port}/music"
        process = subprocess.Popen([sys.executable, "-c", script, address], cwd=ROOT, stdin=subprocess.PIPE)
        with process:
            until(lambda: [each[1] for each in live.heard] == ["online"])
            process.send_signal(signal.SIGKILL)
        until(lambda: [each[1] for each in live.heard] == ["online", "offline"])
    assert {each[0] for each in live.heard} == {"music/status"}


def test_a_broker_that_was_killed_gets_what_it_missed_when_it_is_back(
    broker: Mosquitto, start: Callable[..., GenreOutputs], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "realtime")
    outputs = start(mqtt=f"mqtt://127.0.0.1:{broker.port}/music", retry_seconds=1.0)
    outputs(estimate(5))
    with Subscriber(broker.port) as live:
        until(lambda: live.genres() == ["jazz"])
    broker.kill()
    until(lambda: "gets no genre changes" in caplog.text)
    outputs(estimate(6, "rock"))
    outputs(estimate(7, "blues"))
    broker.start()
    with Subscriber(broker.port) as live:  # there before we are again: a second has not passed
        until(lambda: len(live.genres()) >= 2)
    assert live.genres() == ["rock", "blues"]
    until(lambda: len(caplog.messages) == 2)
    assert caplog.messages[1].endswith("gets genre changes again; 0 were dropped so far")
    assert outputs.dropped == 0


def test_what_the_broker_has_not_confirmed_is_sent_again(
    start: Callable[..., GenreOutputs], tmp_path: Path
) -> None:
    """A broker that takes messages and dies before it confirms: QoS 1 means that they come again."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        outputs = start(mqtt=f"mqtt://127.0.0.1:{port}/music")
        outputs(estimate(5))
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


def test_a_password_opens_the_broker_and_a_wrong_one_is_told_without_it(
    tmp_path: Path, start: Callable[..., GenreOutputs], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    passwords = tmp_path / "passwords"
    passwords.touch(mode=0o600)
    subprocess.run(["mosquitto_passwd", "-b", str(passwords), "me", SECRET], check=True, capture_output=True)
    broker = Mosquitto(tmp_path, "allow_anonymous false", f"password_file {passwords}")
    try:
        wrong = start(mqtt=f"mqtt://me:geheim-wrong@127.0.0.1:{broker.port}/wrong")
        wrong(estimate(5))
        until(lambda: "Not authorized" in caplog.text)
        with Subscriber(broker.port, "me", SECRET) as live:
            right = start(mqtt=f"mqtt://me:{QUOTED}@127.0.0.1:{broker.port}/right")
            right(estimate(5))
            until(lambda: live.genres() == ["jazz"])
            right.close()
        wrong.close()
        assert wrong.dropped == 1
        assert {topic.split("/")[0] for topic, *_ in live.heard} == {"right"}
    finally:
        broker.kill()
    assert caplog.messages == [
        f"the MQTT broker 127.0.0.1:{broker.port} gets no genre changes: it refused: Not authorized; "
        "check user and password of mqtt; it is tried again"
    ]


# paho leaves a socket whose handshake failed to the garbage collector.
@pytest.mark.filterwarnings("ignore:unclosed <ssl.SSLSocket:ResourceWarning")
def test_tls_is_spoken_with_those_whose_certificate_is_known(
    tmp_path: Path,
    start: Callable[..., GenreOutputs],
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    subprocess.run(
        [
            "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
            "-keyout", str(key), "-out", str(certificate), "-days", "2", "-subj", "/CN=localhost",
            "-addext", "subjectAltName=IP:127.0.0.1",
        ],
        check=True,
        capture_output=True,
    )  # fmt: skip
    broker = Mosquitto(tmp_path, "allow_anonymous true", f"certfile {certificate}", f"keyfile {key}")
    try:
        outputs = start(mqtt=f"mqtts://127.0.0.1:{broker.port}/music", retry_seconds=0.2)
        outputs(estimate(5))
        until(lambda: "certificate verify failed" in caplog.text)
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
        until(lambda: not outputs._broker._waiting)  # type: ignore[union-attr]  # there is one
        outputs.close()
        assert outputs.dropped == 0
    finally:
        broker.kill()


def test_a_broker_that_accepts_and_says_nothing_is_not_waited_for(start: Callable[..., GenreOutputs]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        outputs = start(mqtt=f"mqtt://127.0.0.1:{silent.getsockname()[1]}/music")
        connection, _address = silent.accept()
        with connection:
            began = time.monotonic()
            for n in range(300):
                outputs(estimate(6 + n / 2, ("jazz", "rock")[n % 2]))
            assert time.monotonic() - began < 0.5
            outputs.close()
    assert outputs.dropped == 300


def test_a_broker_out_of_reach_costs_the_oldest_messages() -> None:
    broker = Broker(BrokerAddress("127.0.0.1", 1, "music"), SystemClock())
    for n in range(QUEUED + 7):
        broker.put("radio", str(n).encode())
    assert broker.dropped == 7
    assert broker._waiting[0] == ("music/radio", b"7")
