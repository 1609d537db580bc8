"""HTTP proxy that records what it receives, and a server that sends single bytes."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class RecordedProxy:
    """Address of a proxy, and the request lines, headers and bodies that it received."""

    port: int
    requests: list[tuple[str, dict[str, str], bytes]] = field(default_factory=list)


@contextlib.contextmanager
def recording_proxy(status: int = 200) -> Iterator[RecordedProxy]:
    """Run a proxy that answers every request itself, and opens no tunnel."""

    class Handler(BaseHTTPRequestHandler):
        def answer(self) -> None:
            content = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            proxy.requests.append((f"{self.command} {self.path}", dict(self.headers.items()), content))
            self.send_response(502 if self.command == "CONNECT" and status == 200 else status)
            body = b'{"results": [], "items": []}'
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_POST = do_CONNECT = answer

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        proxy = RecordedProxy(server.server_port)
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield proxy
        finally:
            server.shutdown()
            thread.join()


@contextlib.contextmanager
def dripping_server(beginning: bytes, drip: bytes) -> Iterator[int]:
    """Run a server that accepts a request, sends a beginning and then repeats single bytes without end."""
    ending = threading.Event()
    threads: list[threading.Thread] = []

    def serve(client: socket.socket) -> None:
        with client, contextlib.suppress(OSError):
            client.sendall(beginning)
            position = 0
            while not ending.wait(0.02):
                client.sendall(drip[position % len(drip) :][:1])
                position += 1

    def accept() -> None:
        with contextlib.suppress(OSError):  # the listener was closed
            while True:
                threads.append(threading.Thread(target=serve, args=(listener.accept()[0],)))
                threads[-1].start()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        acceptor = threading.Thread(target=accept)
        acceptor.start()
        try:
            yield int(listener.getsockname()[1])
        finally:
            ending.set()
            listener.shutdown(socket.SHUT_RDWR)
            for thread in [acceptor, *threads]:
                thread.join()
