"""Analyzer that has only a history, with the HTTP pages and websocket controls of the real one.

``python -m tests.support.history_server PORT [TOKEN]`` serves an evening of twelve hours.
"""

from __future__ import annotations

import json
import random
import ssl
import sys
import threading
import time
from typing import Any, Self

from websockets.datastructures import Headers
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response
from websockets.sync.server import Server, ServerConnection, serve

from realtime.protocol.codes import ResponseCode
from realtime.protocol.messages import VERSION
from tests.support.analyzer_server import select_protocol
from tests.support.genres import GENRES
from tests.support.protocol import VALIDATOR

TOKEN = "a-token-of-the-tests"
TITLES = (
    "Miles Davis - So What", "椎名林檎 - 丸ノ内サディスティック", "Кино - Группа крови", "<b>bold</b> & [link](https://x.test)",
    '=HYPERLINK("https://x.test","win")', "Queen - Bohemian Rhapsody",
)  # fmt: skip


class HistoryServer:
    """Server of the history. As a context manager it stops at the end.

    Parameters
    ----------
    sessions : list of dict
        Sessions as ``GET /history/N`` returns them, newest first.
    port : int
        Port to listen on. 0 selects a free one.
    token : str
        Token that clients have to send.
    tls : ssl.SSLContext, optional
        Certificate and key. With it, the server speaks wss and https.
    """

    def __init__(
        self,
        sessions: list[dict[str, Any]],
        port: int = 0,
        token: str = TOKEN,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self.sessions = sessions
        self.path: str | None = "/var/lib/overheard/history.sqlite"
        self.delay_seconds = 0.0
        self.controls: list[dict[str, Any]] = []
        self.authorizations: list[str | None] = []
        self._token = token
        self._server: Server = serve(
            self._handle,
            "127.0.0.1",
            port,
            ssl=tls,
            process_request=self._page,
            select_subprotocol=select_protocol,
        )
        self.port: int = self._server.socket.getsockname()[1]
        self.url = f"{'wss' if tls else 'ws'}://127.0.0.1:{self.port}"
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        self._server.shutdown()
        self._thread.join()

    def _page(self, connection: ServerConnection, request: Request) -> Response | None:
        self.authorizations.append(request.headers.get("Authorization"))
        if request.headers.get("Authorization") != f"Bearer {self._token}":
            return connection.respond(401, "this page requires the token; send the header\n")
        if not request.path.startswith("/history"):
            return None
        time.sleep(self.delay_seconds)
        status, content = self._answer(request.path.removeprefix("/history").removeprefix("/"))
        body = json.dumps(content, ensure_ascii=False).encode()
        headers = Headers({"Content-Type": "application/json", "Content-Length": str(len(body))})
        return Response(status, "", headers, body)

    def _answer(self, rest: str) -> tuple[int, dict[str, Any]]:
        if not rest:
            short = [
                {name: value for name, value in each.items() if name not in ("segments", "events")}
                for each in self.sessions
            ]
            corrected = sum(
                part.get("correction") is not None for each in self.sessions for part in each["segments"]
            )
            return 200, {"path": self.path, "sessions": short, "corrections": corrected, "sounds": corrected}
        for each in self.sessions:
            if str(each["id"]) == rest:
                return 200, each
        return 404, {"error": f"no session {rest}; it may have been forgotten"}

    def _handle(self, connection: ServerConnection) -> None:
        try:
            for text in connection:
                control = json.loads(text)
                VALIDATOR.validate(control)
                self.controls.append(control)
                ok, code, detail = self._act(control)
                envelope = {"version": VERSION, "seq": 0, "source": "", "captured_at": 1.7e9}
                for answer in (
                    {"id": "of somebody else", "ok": True, "code": "paused", "detail": "no"},
                    {"id": control["id"], "ok": ok, "code": code.value, "detail": detail},
                ):
                    response = {"type": "response"} | envelope | answer
                    VALIDATOR.validate(response)
                    connection.send(json.dumps(response))
        except ConnectionClosed:
            pass  # clients leave as soon as they have the response

    def _act(self, control: dict[str, Any]) -> tuple[bool, ResponseCode, str]:
        if control["action"] == "delete_history":
            self.sessions.clear()
            return True, ResponseCode.HISTORY_DELETED, "the whole history is deleted"
        for each in self.sessions:
            for part in each["segments"]:
                if (each["id"], part["number"]) == (control["session"], control["segment"]):
                    part["correction"] = control["genre"]
                    detail = f"session {each['id']}, segment {part['number']} is {control['genre']} now"
                    saved = control["genre"] is not None
                    code = ResponseCode.LABEL_SAVED_WITH_AUDIO if saved else ResponseCode.LABEL_REMOVED
                    return True, code, f"{detail}; its audio is saved"
        return (
            False,
            ResponseCode.HISTORY_FAILED,
            f"session {control['session']} has no segment {control['segment']}",
        )


def evening(
    number: int = 7,
    hours: float = 12.0,
    count: int = 3_000,
    *,
    running: bool = False,
    ended: float | None = None,
    seed: int = 1,
) -> dict[str, Any]:
    """Make a session of ``count`` segments: songs, unsure parts, talk, and a few silences and gaps."""
    draw = random.Random(seed)
    until = time.time() if ended is None else ended
    started = until - hours * 3_600
    mean = hours * 3_600 / count
    segments: list[dict[str, Any]] = []
    events: list[dict[str, Any]] = [
        {"occurred_at": started, "kind": "connecting", "detail": ""},
        {"occurred_at": started + 0.4, "kind": "device", "detail": "Monitor of Built-in Audio"},
    ]
    at, genre = started + 5, "jazz"
    while len(segments) < count:
        state = draw.choices(("LISTENING", "UNSURE", "NOT_MUSIC", "SILENT"), (70, 18, 9, 3))[0]
        if state == "LISTENING" and draw.random() < 0.4:
            genre = draw.choice(GENRES)
            detail = f"{draw.choice(TITLES)} {len(segments)}"
            events.append({"occurred_at": at, "kind": "title", "detail": detail})
        seconds = max(0.5, min(draw.expovariate(1 / mean), (until - at) / max(1, count - len(segments)) * 4))
        is_music = state in ("LISTENING", "UNSURE")
        segments.append(
            {
                "number": len(segments) + 1,
                "genre": genre if is_music else None,
                "state": state,
                "started": at,
                "ended": at + seconds,
                "seconds": seconds,
                "confidence": draw.uniform(0.35, 0.99) if is_music else None,
                "estimates": round(seconds * 2),
                "correction": None,
            }
        )
        at += seconds
        if draw.random() < 0.004:
            events.append({"occurred_at": at, "kind": "gap", "detail": "1 gap, 2205 samples lost"})
            events.append({"occurred_at": at, "kind": "stalled", "detail": "no sound for 3 s"})
            at += draw.uniform(5, 200)
    totals: dict[str, float] = {}
    for part in segments:
        name = part["genre"] if part["state"] == "LISTENING" else part["state"]
        totals[name] = totals.get(name, 0.0) + part["seconds"]
    return {
        "id": number,
        "source": "radio <i>one</i>",
        "model": "genre",
        "model_version": "1.0",
        "started": started,
        "last_seen_at": max(until, at),
        "ended": None if running else max(until, at),
        "running": running,
        "broken_off": False,
        "seconds": dict(sorted(totals.items(), key=lambda pair: -pair[1])),
        "segments": segments,
        "events": events,
    }


def main() -> None:
    token = sys.argv[2] if len(sys.argv) > 2 else TOKEN
    now = time.time()
    sessions = [evening(running=True, ended=now), evening(6, 2.0, 90, ended=now - 90_000, seed=2)]
    sessions.append(evening(5, 0.05, 6, ended=now - 200_000, seed=3))
    with HistoryServer(sessions, int(sys.argv[1]), token) as server:
        print(f"serves {server.url}")
        threading.Event().wait()


if __name__ == "__main__":
    main()
