"""Scripted analyzer: a real websocket server that sends the messages of a test."""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Mapping, Sequence
from typing import Any, Self

import msgspec
from websockets.datastructures import Headers
from websockets.exceptions import ConnectionClosed
from websockets.sync.server import Server, ServerConnection, serve
from websockets.typing import Subprotocol

from models.spectrogram.image import colormap
from realtime.protocol.builders import state_properties
from realtime.protocol.codes import ResponseCode
from realtime.protocol.messages import VERSION
from tests.support.genres import GENRES
from tests.support.protocol import VALIDATOR, Json

ROWS = 128
COLUMN_SECONDS = 1920 / 22_050
COLORMAP = base64.b64encode(colormap().tobytes()).decode("ascii")
DEFAULTS: dict[str, Json] = {"state": {"code": None}, "spectrum": {"row_edges_hz": None}}
"""Fields that few tests are about, by the type of the message."""


class FakeAnalyzer:
    """Websocket server with the protocol of the analyzer. As a context manager it stops at the end.

    Parameters
    ----------
    port : int
        Port to listen on. 0 selects a free one. A test that restarts an analyzer passes the old one.
    source : str
        Name of the source in every message.
    state : str
        State in the hello message.
    offered : sequence of mappings, optional
        Sources listed to each client after the hello message, as to a trusted client. None sends no list.
    """

    def __init__(
        self,
        port: int = 0,
        source: str = "Test microphone",
        state: str = "WARMING_UP",
        offered: Sequence[Json] | None = None,
    ) -> None:
        self.source = source
        self.offered = offered
        self.paused = False
        self.controls: list[Json] = []
        self.requests: list[Any] = []
        self.origins: list[str | None] = []
        self.headers: list[Headers] = []
        self.request_paths: list[str] = []
        self._state = state
        self._seq = 0
        self._connections: set[ServerConnection] = set()
        self._changed = threading.Condition()
        self._server: Server = serve(self._handle, "127.0.0.1", port, select_subprotocol=select_protocol)
        self.port: int = self._server.socket.getsockname()[1]
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        return f"ws://127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        self.stop()

    def stop(self) -> None:
        """Disconnect all clients and release the port."""
        self._server.shutdown()
        self._thread.join()
        with self._changed:
            connections = list(self._connections)
        for connection in connections:
            connection.close()

    def wait_for_clients(self, count: int, timeout_seconds: float = 30.0) -> None:
        """Wait until ``count`` clients have connected and received their hello message."""
        with self._changed:
            if not self._changed.wait_for(lambda: len(self._connections) >= count, timeout_seconds):
                raise TimeoutError(f"{len(self._connections)} of {count} clients connected")

    def send(self, kind: str, **fields: Any) -> None:
        """Send a message with its envelope to all clients, after checking it against the published schema."""
        message = self._envelope(kind) | DEFAULTS.get(kind, {}) | fields
        VALIDATOR.validate(message)
        self.send_raw(json.dumps(message))

    def send_raw(self, text: str) -> None:
        """Send a text to all clients, without checking it."""
        with self._changed:
            connections = list(self._connections)
        for connection in connections:
            try:
                connection.send(text)
            except ConnectionClosed:
                pass  # the client has left, and its handler removes it

    def hello(self, **fields: Any) -> None:
        """Send another hello message, with the current ``source``, to all clients."""
        hello = self._hello() | fields
        VALIDATOR.validate(hello)
        self.send_raw(json.dumps(hello))

    def sources(self) -> None:
        """Send the list of sources to all clients."""
        self.send_raw(json.dumps(self._sources()))

    def respond(self, control: Json, ok: bool = True, detail: str = "", code: str = "") -> None:
        """Send the response to a control."""
        code = code or (ResponseCode.SOURCE_SELECTED if ok else ResponseCode.SOURCE_UNAVAILABLE).value
        self.send("response", source="", seq=0, id=control["id"], ok=ok, code=code, detail=detail)

    def wait_for_control(self, action: str, timeout_seconds: float = 10.0) -> Json:
        """Wait for the next control, check its action, and return it."""
        with self._changed:
            if not self._changed.wait_for(lambda: self.controls, timeout_seconds):
                raise TimeoutError(f"no control arrived; expected {action!r}")
            control = self.controls.pop(0)
        assert control["action"] == action
        return control

    def estimate(
        self,
        label: str,
        confidence: float = 0.9,
        state: str = "LISTENING",
        stable_label: str | None = None,
        **fields: Any,
    ) -> None:
        """Send an estimate. ``stable_label`` is ``label`` by default."""
        body = genre_estimate(label, confidence, state, stable_label or label)
        timing = {
            "start_seconds": 0.0,
            "end_seconds": self._seq * 0.5,
            "inference_ms": 8.2,
            "latency_ms": 41.0,
        }
        self.send("estimate", **(timing | {"level_dbfs": -18.5, "has_gap": False, "estimate": body} | fields))

    def spectrum(self, columns: bytes, end_seconds: float, **fields: Any) -> None:
        """Send columns of ``ROWS`` bytes each, oldest first, with the highest frequency first in each."""
        count = len(columns) // ROWS
        data = base64.b64encode(columns).decode("ascii")
        self.send("spectrum", end_seconds=end_seconds, columns=count, rows=ROWS, data=data, **fields)

    def _envelope(self, kind: str) -> Json:
        self._seq += 1
        return {
            "type": kind,
            "version": VERSION,
            "seq": self._seq,
            "source": self.source,
            "captured_at": 1.7e9,
        }

    def _sources(self) -> Json:
        message = self._envelope("sources") | {"source": "", "seq": 0}
        message |= {"available": list(self.offered or ()), "paused": self.paused}
        VALIDATOR.validate(message)
        return message

    def _hello(self) -> Json:
        model = {"name": "genre", "version": "1.0", "runtime": "LiteRT int8", "labels": list(GENRES)}
        spectrum = {"rows": ROWS, "column_seconds": COLUMN_SECONDS, "top_hz": 11_025}
        return self._envelope("hello") | {
            "model": model | {"window_seconds": 4.969},
            "spectrum": spectrum | {"floor_dbfs": -110.0, "ceiling_dbfs": -10.0, "colormap": COLORMAP},
            "settings": {},
            "states": {name: msgspec.to_builtins(each) for name, each in state_properties().items()},
            "state": self._state,
            "code": None,
            "detail": "",
            "title": "",
            "estimate": None,
            "replaces_source": None,
        }

    def _handle(self, connection: ServerConnection) -> None:
        hello = self._hello()
        VALIDATOR.validate(hello)
        with self._changed:  # no message of a test comes between the hello and the registration
            if connection.request is not None:
                self.origins.append(connection.request.headers.get("Origin"))
                self.headers.append(connection.request.headers)
                self.request_paths.append(connection.request.path)
            connection.send(json.dumps(hello))
            if self.offered is not None:
                connection.send(json.dumps(self._sources()))
            self._connections.add(connection)
            self._changed.notify_all()
        try:
            for text in connection:
                request = json.loads(text)
                VALIDATOR.validate(request)
                self.requests.append(request)
                if request["type"] == "control":
                    with self._changed:
                        self.controls.append(request)
                        self._changed.notify_all()
        except ConnectionClosed:
            pass  # a closed tab leaves without a closing handshake
        finally:
            with self._changed:
                self._connections.discard(connection)


def select_protocol(_connection: ServerConnection, offered: Sequence[Subprotocol]) -> Subprotocol | None:
    """Return the subprotocol of the schema if it was offered, as the real server does."""
    return next((name for name in offered if name == f"overheard.{VERSION}"), None)


def genre_estimate(label: str, confidence: float, state: str, stable_label: str | None) -> Json:
    """Return the ``estimate`` object. The other genres share the rest of the probability equally."""
    rest = (1 - confidence) / (len(GENRES) - 1)
    probabilities: Mapping[str, float] = {genre: confidence if genre == label else rest for genre in GENRES}
    return {
        "label": label,
        "stable_label": stable_label,
        "confidence": confidence,
        "probabilities": probabilities,
        "state": state,
        "music": None,
    }


def health(**counts: int) -> Json:
    """Return the fields of a health message in which all counters but ``counts`` are 0."""
    counters = ("blocks_received", "samples_lost", "gaps", "windows", "windows_skipped", "overruns",
                "reconnects", "overflows", "dropped_blocks")  # fmt: skip
    latency = {"p50": 40.0, "p95": 60.0, "p99": 80.0}
    source = {"device": "", "error": "", "drift_ppm": None}
    rest = {"real_time_factor": 38.0, "latency_ms": latency, "clients": 1}
    return dict.fromkeys(counters, 0) | rest | source | counts
