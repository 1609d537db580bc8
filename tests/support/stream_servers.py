"""Real servers for tests of network streams: Icecast, GStreamer's RTSP, and web servers.

Each is a context manager that ends what it started. Ports are the system's choice, but for
Icecast, which has to be told one.
"""

from __future__ import annotations

import base64
import http.client
import os
import random
import signal
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import quote, urlsplit

import pytest

from tests.support.programs import need

ICECAST = """\
<icecast>
  <limits><clients>20</clients><sources>9</sources><source-timeout>3</source-timeout>
    <burst-on-connect>1</burst-on-connect><burst-size>65535</burst-size></limits>
  <authentication>
    <source-password>feed</source-password><admin-user>admin</admin-user><admin-password>rule</admin-password>
  </authentication>
  <hostname>127.0.0.1</hostname>
  <listen-socket><port>{port}</port><bind-address>127.0.0.1</bind-address></listen-socket>
  <paths><logdir>{folder}</logdir><webroot>{share}/web</webroot><adminroot>{share}/admin</adminroot></paths>
  <logging><accesslog>-</accesslog><errorlog>-</errorlog><loglevel>1</loglevel></logging>
  <security><chroot>0</chroot>{owner}</security>
</icecast>
"""

# Icecast refuses to run as root unless it is told whom to become.
OWNER = "<changeowner><user>nobody</user><group>nogroup</group></changeowner>"

RTSP_SERVER = """\
import sys
import gi
gi.require_version("Gst", "1.0")
gi.require_version("GstRtspServer", "1.0")
from gi.repository import Gio, GLib, Gst, GstRtspServer
Gst.init(None)
server = GstRtspServer.RTSPServer()
server.set_address("127.0.0.1")
server.set_service("0")
if len(sys.argv) > 1:
    auth = GstRtspServer.RTSPAuth()
    auth.set_tls_certificate(Gio.TlsCertificate.new_from_file(sys.argv[1]))
    basic = GstRtspServer.RTSPToken()
    basic.set_string("media.factory.role", "anyone")
    auth.set_default_token(basic)
    server.set_auth(auth)
TONE = "audiotestsrc is-live=true wave=sine freq=440 ! audioconvert ! audioresample ! "
for path, form in {
    "/opus": "audio/x-raw,rate=48000,channels=2 ! opusenc ! rtpopuspay name=pay0 pt=96",
    "/l16": "audio/x-raw,rate=44100,channels=2 ! rtpL16pay name=pay0 pt=96",
}.items():
    factory = GstRtspServer.RTSPMediaFactory()
    factory.set_launch("( " + TONE + form + " )")
    factory.set_shared(True)
    if len(sys.argv) > 1:
        permissions = GstRtspServer.RTSPPermissions()
        permissions.add_permission_for_role("anyone", "media.factory.access", True)
        permissions.add_permission_for_role("anyone", "media.factory.construct", True)
        factory.set_permissions(permissions)
    server.get_mount_points().add_factory(path, factory)
server.attach(None)
print(server.get_bound_port(), flush=True)
GLib.MainLoop().run()
"""


def free_port() -> int:
    """A port below those that the system gives away, so that nobody is given it in between."""
    while True:
        port = random.randrange(20_000, 32_000)
        with suppress(OSError), socket.create_server(("127.0.0.1", port)):
            return port


def wait_until(ready: Callable[[], bool], seconds: float = 10.0) -> None:
    """Ask again and again; fails when the time is up."""
    end = time.monotonic() + seconds
    while not ready():
        assert time.monotonic() < end, f"not ready within {seconds} s"
        threading.Event().wait(0.02)


def status_of(port: int, path: str, credentials: str = "") -> int:
    """The status of an HTTP answer, its body left alone; 0 when nobody listens."""
    headers = (
        {"Authorization": "Basic " + base64.b64encode(credentials.encode()).decode()} if credentials else {}
    )
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", path, headers=headers)
        return connection.getresponse().status
    except OSError:
        return 0
    finally:
        connection.close()


def end(process: subprocess.Popen[str]) -> None:
    """Kill, also when stopped."""
    process.kill()
    process.communicate(timeout=10)


@dataclass
class Icecast:
    """A running Icecast."""

    port: int
    process: subprocess.Popen[str]
    log: Path

    def url(self, mount: str) -> str:
        return f"http://127.0.0.1:{self.port}/{mount}"

    def set_title(self, mount: str, title: str) -> None:
        path = f"/admin/metadata?mount=/{mount}&mode=updinfo&charset=UTF-8&song={quote(title)}"
        assert status_of(self.port, path, "admin:rule") == 200

    @contextmanager
    def paused(self) -> Iterator[None]:
        self.process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self.process.send_signal(signal.SIGCONT)

    @contextmanager
    def fed(self, mount: str, *encoder: str, hz: int = 440) -> Iterator[subprocess.Popen[str]]:
        """A programme of one tone, in real time."""
        tone = f"sine=frequency={hz}:sample_rate=48000"
        address = f"icecast://source:feed@127.0.0.1:{self.port}/{mount}"
        command = [
            "ffmpeg", "-v", "error", "-nostdin", "-re", "-f", "lavfi", "-i", tone, "-ac", "2", *encoder,
            "-ice_name", "Tone Rädio", address,
        ]  # fmt: skip
        feeder = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        try:
            wait_until(lambda: feeder.poll() is not None or status_of(self.port, f"/{mount}") == 200)
            assert feeder.poll() is None, (feeder.communicate(timeout=5), self.log.read_text()[-2000:])
            yield feeder
        finally:
            end(feeder)


MP3 = ("-c:a", "libmp3lame", "-b:a", "128k", "-content_type", "audio/mpeg", "-f", "mp3")
OPUS = ("-c:a", "libopus", "-b:a", "96k", "-content_type", "application/ogg", "-f", "ogg")
AAC = ("-c:a", "aac", "-b:a", "96k", "-content_type", "audio/aac", "-f", "adts")


@contextmanager
def icecast(folder: Path, port: int = 0) -> Iterator[Icecast]:
    """An Icecast of our own."""
    need("icecast2 ffmpeg", "icecast2", "ffmpeg")
    port = port or free_port()
    owner = OWNER if os.geteuid() == 0 else ""
    config = folder / "icecast.xml"
    config.write_text(ICECAST.format(port=port, folder=folder, share="/usr/share/icecast2", owner=owner))
    with (folder / "icecast.log").open("a") as log:
        process = subprocess.Popen(["icecast2", "-c", str(config)], stdout=log, stderr=log, text=True)
    try:
        wait_until(lambda: process.poll() is not None or status_of(port, "/status-json.xsl") > 0)
        assert process.poll() is None, (folder / "icecast.log").read_text()
        yield Icecast(port, process, folder / "icecast.log")
    finally:
        end(process)


@contextmanager
def rtsp(certificate: Path | None = None) -> Iterator[tuple[int, subprocess.Popen[str]]]:
    """GStreamer's RTSP server with ``/opus`` and ``/l16``; gives its port and its process."""
    packages = "python3-gi gir1.2-gst-rtsp-server-1.0 gstreamer1.0-plugins-base gstreamer1.0-plugins-good"
    # The system's Python: the bindings are Debian's, and no wheels.
    need(packages, "/usr/bin/python3")
    words = ["/usr/bin/python3", "-c", RTSP_SERVER, *([str(certificate)] if certificate else [])]
    server = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert server.stdout is not None
    assert server.stderr is not None
    try:
        port = server.stdout.readline().strip()
        if not port.isdecimal():
            said = server.stderr.read().strip()[-99:]
            pytest.skip(
                f"GStreamer's RTSP server is not installed ({said}); on Debian: apt install {packages}"
            )
        yield int(port), server
    finally:
        end(server)


def certificate(folder: Path) -> Path:
    """A key and a certificate for 127.0.0.1, which nobody but its owner trusts, in one file."""
    need("openssl", "openssl")
    path = folder / "own.pem"
    command = [
        "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
        "-days", "2", "-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1",
        "-keyout", str(folder / "key.pem"), "-out", str(folder / "cert.pem"),
    ]  # fmt: skip
    subprocess.run(command, check=True, capture_output=True, timeout=30)
    path.write_text((folder / "key.pem").read_text() + (folder / "cert.pem").read_text())
    return path


@dataclass
class Answer:
    """Response of a web server at one path."""

    body: bytes = b""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    length: bool = True
    """Send the length. A station does not know it."""
    hang: bool = False
    """Keep the connection open and silent after the body."""
    drip_seconds: float = 0.0
    """With a byte each so many seconds, after the body, until the listener goes."""


@dataclass
class WebServer:
    """A web server that answers as it is told, or with the files of a folder."""

    port: int
    answers: dict[str, Answer]
    asked: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    """Path and headers (lower case) of what was asked for."""
    over: threading.Event = field(default_factory=threading.Event)

    def url(self, path: str, user: str = "", scheme: str = "http") -> str:
        return f"{scheme}://{user + '@' if user else ''}127.0.0.1:{self.port}/{path}"


@contextmanager
def web(
    answers: dict[str, Answer] | None = None, folder: Path | None = None, tls: Path | None = None
) -> Iterator[WebServer]:
    """A web server on a port of its own; ``tls`` is a file with key and certificate."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            path = urlsplit(self.path).path.lstrip("/")
            told.asked.append((self.path, {name.lower(): value for name, value in self.headers.items()}))
            answer = told.answers.get(path)
            if answer is None and folder is not None and (folder / path).is_file():
                answer = Answer((folder / path).read_bytes())
            answer = answer or Answer(status=404)
            body = answer.body
            self.send_response(answer.status if "Range" not in self.headers or not answer.body else 206)
            if "Range" in self.headers:
                first, _, last = self.headers["Range"].removeprefix("bytes=").partition("-")
                body = body[int(first) : int(last) + 1 if last else None]
            for name, value in answer.headers.items():
                self.send_header(name, value)
            if answer.length:
                self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            with suppress(OSError):
                self.wfile.write(body)
                if answer.hang:
                    told.over.wait(30)
                while answer.drip_seconds and not told.over.wait(answer.drip_seconds):
                    self.wfile.write(b"\0")

        def log_message(self, format: str, *args: object) -> None:
            pass

    with _threaded(Handler, tls) as port:
        told = WebServer(port, answers or {})
        try:
            yield told
        finally:
            told.over.set()


class _QuietServer(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """A listener that hangs up, or refuses the certificate, is part of the tests."""


@contextmanager
def _threaded(handler: type[BaseHTTPRequestHandler], tls: Path | None) -> Iterator[int]:
    with _QuietServer(("127.0.0.1", 0), handler) as server:
        if tls:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(tls)
            server.socket = context.wrap_socket(
                server.socket, server_side=True, do_handshake_on_connect=False
            )
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        thread.start()
        try:
            yield server.server_port
        finally:
            server.shutdown()
            thread.join(timeout=10)


@contextmanager
def says(text: bytes) -> Iterator[int]:
    """A server that reads a request and says these bytes, HTTP or not; gives its port."""

    def serve() -> None:
        with suppress(OSError):
            while True:
                connection, _ = server.accept()
                with connection, suppress(OSError):
                    connection.recv(65_536)
                    connection.sendall(text)

    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        try:
            yield server.getsockname()[1]
        finally:
            server.shutdown(socket.SHUT_RDWR)
            thread.join(timeout=10)
