"""Web server whose responses are any bytes."""

from __future__ import annotations

import contextlib
import socket
import threading
from types import TracebackType
from typing import Self

from tests.support.fuzzing.containers import encode
from tests.support.fuzzing.texts import answer

MAX_REQUEST_BYTES = 65_536


class Site:
    """Server of the generated response, and of sound to which the response may lead. A context manager."""

    def __init__(self) -> None:
        self._answers = {
            "sound": answer(encode("mp3", "libmp3lame"), "Content-Type: audio/mpeg"),
            "sound.ts": answer(encode("mpegts", "aac"), "Content-Type: video/mp2t"),
            "list.m3u8": answer(
                b"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:0.3,\nsound.ts\n#EXT-X-ENDLIST\n"
            ),
        }
        self._generated = b""
        self._server = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.host = f"127.0.0.1:{self._server.getsockname()[1]}".encode()
        self._thread = threading.Thread(target=self._run, name="site", daemon=True)

    def serve(self, response: bytes, path: str = "x") -> str:
        """Send a response to all requests for other paths than those of the sound, and return its address."""
        self._generated = response
        return f"http://{self.host.decode()}/{path}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with contextlib.suppress(OSError):
            self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()
        self._thread.join()

    def _run(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._server.accept()
                threading.Thread(target=self._answer, args=(connection,), daemon=True).start()

    def _answer(self, connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError):
            connection.settimeout(10)
            request = b""
            while b"\r\n\r\n" not in request and len(request) < MAX_REQUEST_BYTES:
                if not (part := connection.recv(4_096)):
                    break
                request += part
            path = request.partition(b" ")[2].partition(b" ")[0].partition(b"?")[0]
            name = path.decode("latin-1").lstrip("/")
            connection.sendall(self._answers.get(name, self._generated))
