"""Real servers for tests of network streams: Icecast, GStreamer's RTSP server, and web servers.

Each server is a context manager that ends the processes and threads it started.
"""

from __future__ import annotations

import base64
import http.client
import os
import signal
import socket
import ssl
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import quote, urlsplit

import pytest

from tests.support.network import Certificate, free_port
from tests.support.programs import need
from tests.support.waiting import wait_until

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

# Icecast refuses to run as root unless its configuration names another user.
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


def get_status(port: int, path: str, credentials: str = "") -> int:
    """Return the status of an HTTP response without reading its body, or 0 if no server listens."""
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


def kill_process(process: subprocess.Popen[str]) -> None:
    """Kill a process, even one that SIGSTOP has stopped."""
    process.kill()
    process.communicate(timeout=10)


@dataclass
class Icecast:
    """Running Icecast server."""

    port: int
    process: subprocess.Popen[str]
    log: Path

    def url(self, mount: str) -> str:
        return f"http://127.0.0.1:{self.port}/{mount}"

    def set_title(self, mount: str, title: str) -> None:
        path = f"/admin/metadata?mount=/{mount}&mode=updinfo&charset=UTF-8&song={quote(title)}"
        assert get_status(self.port, path, "admin:rule") == 200, "Icecast refused the title"

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Stop the server's process until the end of the block. Its connections stay open."""
        self.process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self.process.send_signal(signal.SIGCONT)

    @contextmanager
    def fed(self, mount: str, *encoder: str, hz: int = 440) -> Iterator[subprocess.Popen[str]]:
        """Feed a tone to a mount in real time, and yield the feeding process."""
        tone = f"sine=frequency={hz}:sample_rate=48000"
        address = f"icecast://source:feed@127.0.0.1:{self.port}/{mount}"
        command = [
            "ffmpeg", "-v", "error", "-nostdin", "-re", "-f", "lavfi", "-i", tone, "-ac", "2", *encoder,
            "-ice_name", "Tone Rädio", address,
        ]  # fmt: skip
        feeder = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        try:
            wait_until(lambda: feeder.poll() is not None or get_status(self.port, f"/{mount}") == 200)
            assert feeder.poll() is None, (feeder.communicate(timeout=5), self.log.read_text()[-2000:])
            yield feeder
        finally:
            kill_process(feeder)


MP3 = ("-c:a", "libmp3lame", "-b:a", "128k", "-content_type", "audio/mpeg", "-f", "mp3")
OPUS = ("-c:a", "libopus", "-b:a", "96k", "-content_type", "application/ogg", "-f", "ogg")
AAC = ("-c:a", "aac", "-b:a", "96k", "-content_type", "audio/aac", "-f", "adts")


@contextmanager
def icecast_server(folder: Path, port: int = 0) -> Iterator[Icecast]:
    """Run an Icecast server."""
    need("icecast2 ffmpeg", "icecast2", "ffmpeg")
    port = port or free_port()
    owner = OWNER if os.geteuid() == 0 else ""
    config = folder / "icecast.xml"
    config.write_text(ICECAST.format(port=port, folder=folder, share="/usr/share/icecast2", owner=owner))
    with (folder / "icecast.log").open("a") as log:
        process = subprocess.Popen(["icecast2", "-c", str(config)], stdout=log, stderr=log, text=True)
    try:
        wait_until(lambda: process.poll() is not None or get_status(port, "/status-json.xsl") > 0)
        assert process.poll() is None, (folder / "icecast.log").read_text()
        yield Icecast(port, process, folder / "icecast.log")
    finally:
        kill_process(process)


@contextmanager
def rtsp_server(certificate: Certificate | None = None) -> Iterator[tuple[int, subprocess.Popen[str]]]:
    """Run GStreamer's RTSP server with ``/opus`` and ``/l16``, and yield its port and its process."""
    packages = "python3-gi gir1.2-gst-rtsp-server-1.0 gstreamer1.0-plugins-base gstreamer1.0-plugins-good"
    # The system's Python, because the bindings come with Debian and not as wheels.
    need(packages, "/usr/bin/python3")
    command = ["/usr/bin/python3", "-c", RTSP_SERVER, *([str(certificate.combined)] if certificate else [])]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert server.stdout is not None
    assert server.stderr is not None
    try:
        port = server.stdout.readline().strip()
        if not port.isdecimal():
            error = server.stderr.read().strip()[-99:]
            pytest.skip(
                f"GStreamer's RTSP server is not installed ({error}); on Debian: apt install {packages}"
            )
        yield int(port), server
    finally:
        kill_process(server)


@dataclass
class Answer:
    """Response of a web server at one path."""

    body: bytes = b""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    length: bool = True
    """Send ``Content-Length``. A radio station does not send one."""
    ranges: bool = True
    """Send the part that a request asks for. Some servers send everything."""
    hang: bool = False
    """Keep the connection open and silent after the body."""
    drip_seconds: float = 0.0
    """Seconds between single bytes that follow the body until the client leaves; 0 sends none."""


@dataclass
class WebServer:
    """Web server that sends given responses or the files of a folder."""

    port: int
    answers: dict[str, Answer]
    requests: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    """Path and headers (names in lower case) of each request."""
    stopping: threading.Event = field(default_factory=threading.Event)

    def url(self, path: str, user: str = "", scheme: str = "http") -> str:
        return f"{scheme}://{user + '@' if user else ''}127.0.0.1:{self.port}/{path}"


@contextmanager
def web_server(
    answers: dict[str, Answer] | None = None,
    folder: Path | None = None,
    tls: Certificate | None = None,
    host: str = "127.0.0.1",
) -> Iterator[WebServer]:
    """Run a web server on a free port, over TLS if it is given a certificate."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            path = urlsplit(self.path).path.lstrip("/")
            server.requests.append((self.path, {name.lower(): value for name, value in self.headers.items()}))
            answer = server.answers.get(path)
            if answer is None and folder is not None and (folder / path).is_file():
                answer = Answer((folder / path).read_bytes())
            answer = answer or Answer(status=404)
            body = answer.body
            partial = "Range" in self.headers and answer.body and answer.ranges
            self.send_response(206 if partial else answer.status)
            if "Range" in self.headers and answer.ranges:
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
                    server.stopping.wait(30)
                while answer.drip_seconds and not server.stopping.wait(answer.drip_seconds):
                    self.wfile.write(b"\0")

        def log_message(self, format: str, *args: object) -> None:
            pass

    with _threaded(Handler, tls, host) as port:
        server = WebServer(port, answers or {})
        try:
            yield server
        finally:
            server.stopping.set()


class _QuietServer(ThreadingHTTPServer):
    """Server that logs no errors: clients that hang up or reject the certificate are part of the tests."""

    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        pass


@contextmanager
def _threaded(
    handler: type[BaseHTTPRequestHandler], tls: Certificate | None, host: str = "127.0.0.1"
) -> Iterator[int]:
    """Serve requests on a thread, and yield the port."""
    with _QuietServer((host, 0), handler) as server:
        if tls:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(tls.path, tls.key)
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
def raw_server(text: bytes) -> Iterator[int]:
    """Run a server that reads a request and sends these bytes, HTTP or not, and yield its port."""

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
