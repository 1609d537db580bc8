"""Fake Spotify server, which is as strict as Spotify and has faults that tests switch on.

It serves ``/api/token`` and ``/v1/search``. Songs and artists are invented, and no response of Spotify is
copied.
"""

from __future__ import annotations

import base64
import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

GENRES = ("blues", "classical", "country", "disco", "hip hop", "jazz", "metal", "pop", "reggae", "rock")
AGES = (1, 4, 12, 25, 90, 300, 2_000)
"""Days since the release of the songs of each genre and language."""

NAMES = {
    "en": ("Tallow Finch", "Quarry Lamp", "Mossback Choir"),
    "ja": ("ゆらぎ灯", "カササギ便", "ほしくず亭"),
    "ko": ("구름서랍", "느린등대", "종이고래밤"),
    "zh": ("霧港樂隊", "紙鶴電台", "藍磚小隊"),
    "ru": ("Тихий Чердак", "Медный Чиж", "Лунный Трамвай"),
}
TITLES = {
    "en": "Lanterns Below",
    "ja": "よるのみなと",
    "ko": "유리 정거장",
    "zh": "雨後長廊",
    "ru": "Песня про фонарь",
}
ADJECTIVES = {"ja": "japanese ", "ko": "korean ", "zh": "chinese ", "ru": "russian "}
OWN_NAMES = {
    ("ja", "pop"): "j-pop", ("ja", "rock"): "j-rock", ("ja", "hip hop"): "j-rap",
    ("ja", "reggae"): "j-reggae",
    ("ko", "pop"): "k-pop", ("ko", "rock"): "k-rock", ("ko", "hip hop"): "k-rap", ("zh", "pop"): "mandopop",
}  # fmt: skip
COUNTRY = {"en": "country", "ja": "カントリー", "ko": "컨트리", "zh": "鄉村", "ru": "кантри"}
"""Words in album names. No artist has the genre country, so only these words find its songs."""


@dataclass(frozen=True)
class Fault:
    """Response that replaces the correct one."""

    status: int = 200
    body: bytes = b""
    content_type: str = "application/json"
    headers: tuple[tuple[str, str], ...] = ()
    manner: str = "answer"
    """``answer``, ``cut``, ``close``, ``silent``, ``drip`` or ``drip headers``."""


def error_response(status: int, message: str, reason: str = "", **headers: str) -> Fault:
    """Return an error in the format of Spotify. Keyword arguments such as ``Retry_After`` become headers."""
    inner = {"status": status, "message": message} | ({"reason": reason} if reason else {})
    names = tuple((name.replace("_", "-"), value) for name, value in headers.items())
    return Fault(status, json.dumps({"error": inner}).encode(), headers=names)


PREMIUM = (
    "Active premium subscription required for the owner of the app. When the subscription status changes, "
)
PREMIUM += "it can take a few hours before requests are allowed again."
INVALID_CLIENT = Fault(400, b'{"error":"invalid_client","error_description":"Invalid client"}')
HTML = b"<html><body>" + b"<p>Maintenance</p>" * 200 + b"</body></html>"


def catalog(today: date) -> list[dict[str, Any]]:
    """Return songs of every genre, language and age, and three unsuitable ones for each pair."""
    rows: list[dict[str, Any]] = []
    for genre in GENRES:
        for language, names in NAMES.items():
            for number, days in enumerate(AGES):
                rows.append(song(len(rows), genre, language, names[number % 3], today - timedelta(days)))
            other = "ru" if language != "ru" else "ko"
            foreign = song(len(rows), genre, language, NAMES[other][0], today - timedelta(3), TITLES[other])
            of_year = song(len(rows) + 1, genre, language, names[0], today, precision="year")
            gone = song(len(rows) + 2, genre, language, names[1], today)
            gone["album"] |= {"name": "", "images": []}
            rows += [foreign, of_year, gone]
    return rows


def song(
    number: int,
    genre: str,
    language: str,
    artist: str,
    published: date,
    title: str = "",
    precision: str = "day",
) -> dict[str, Any]:
    """Return a row. Its key ``_genres`` holds the genres of the artist and is not sent."""
    identity = f"{number:022d}"
    link = {"spotify": f"https://open.spotify.com/track/{identity}"}
    performer = {
        "external_urls": {},
        "href": "",
        "id": f"a{number}",
        "name": artist,
        "type": "artist",
        "uri": "",
    }
    found_by = OWN_NAMES.get((language, genre), ADJECTIVES.get(language, "") + genre)
    return {
        "_genres": [] if genre == "country" else [found_by],
        "album": {
            "album_type": "single", "artists": [performer], "external_urls": {}, "href": "",
            "id": f"b{number}",
            "images": [
                {"url": f"https://i.scdn.co/image/{size}-{identity}", "height": size, "width": size}
                for size in (640, 300, 64)
            ],
            "name": f"{COUNTRY[language] if genre == 'country' else 'Single'} {number}",
            "release_date": published.isoformat()[: {"day": 10, "month": 7, "year": 4}[precision]],
            "release_date_precision": precision, "total_tracks": 1, "type": "album", "uri": "",
            "is_playable": True,
        },
        "artists": [performer], "disc_number": 1, "duration_ms": 180_000 + number, "explicit": False,
        "external_ids": {"isrc": f"ZZ0000{number:06d}"}, "external_urls": link, "href": "", "id": identity,
        "is_local": False, "is_playable": True, "name": f"{title or TITLES[language]} {number}",
        "preview_url": None, "track_number": 1, "type": "track", "uri": f"spotify:track:{identity}",
    }  # fmt: skip


@dataclass
class Request:
    """Request as it arrived."""

    path: str
    values: dict[str, str] = field(default_factory=dict)


class SpotifyServer(ThreadingHTTPServer):
    """Server whose ``faults`` replace all responses at a path, and ``script`` the next ones."""

    daemon_threads = True
    block_on_close = False

    def __init__(self, client_id: str, client_secret: str, today: date) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.basic = "Basic " + base64.b64encode(f"{client_id}:{client_secret}".encode()).decode()
        self.rows: list[Any] = catalog(today)
        self.faults: dict[str, Fault] = {}
        self.script: dict[str, list[Fault | None]] = {}
        self.requests: list[Request] = []
        self.tokens: list[str] = []
        self.valid: set[str] = set()
        self.closing = threading.Event()

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def fault(self, path: str) -> Fault | None:
        waiting = self.script.get(path)
        return waiting.pop(0) if waiting else self.faults.get(path)

    def handle_error(self, request: object, client_address: object) -> None:
        """Log nothing: clients that leave are part of the tests."""


class _Handler(BaseHTTPRequestHandler):
    server: SpotifyServer

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        if self.path != "/api/token":
            return self._send(error_response(404, "Service not found"))
        self.server.requests.append(Request(self.path))
        if fault := self.server.fault(self.path):
            return self._send(fault)
        if self.headers["Authorization"] != self.server.basic:
            return self._send(INVALID_CLIENT)
        if body != "grant_type=client_credentials":
            return self._send(Fault(400, b'{"error":"unsupported_grant_type"}'))
        token = f"test-access-token-{len(self.server.tokens)}"
        self.server.tokens.append(token)
        self.server.valid.add(token)
        answer = {"access_token": token, "token_type": "Bearer", "expires_in": 3600}
        return self._send(Fault(200, json.dumps(answer).encode()))

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        values = {name: found[-1] for name, found in parse_qs(parts.query, keep_blank_values=True).items()}
        self.server.requests.append(Request(parts.path, values))
        self._send(self.server.fault(parts.path) or self._refusal(parts.path, values) or self._page(values))

    def _refusal(self, path: str, values: dict[str, str]) -> Fault | None:
        kind, _, token = self.headers.get("Authorization", "").partition(" ")
        if kind != "Bearer":
            return error_response(401, "No token provided")
        if token not in self.server.valid:
            known = token in self.server.tokens
            return error_response(401, "The access token expired" if known else "Invalid access token")
        if path != "/v1/search":
            return error_response(403, "Forbidden")
        if unknown := set(values) - {"q", "type", "market", "limit", "offset"}:
            return error_response(400, f"Unknown parameter {unknown}")
        if not values.get("q"):
            return error_response(400, "No search query")
        if values.get("type") != "track":
            return error_response(400, "Bad search type field")
        for name, highest, given in (("limit", 10, "5"), ("offset", 1000, "0")):
            if not values.get(name, given).isdecimal() or int(values.get(name, given)) > highest:
                return error_response(400, f"Invalid {name}")
        if not re.fullmatch("[A-Z]{2}", values.get("market", "US")):
            return error_response(400, "Invalid market code")
        return None

    def _page(self, values: dict[str, str]) -> Fault:
        first, limit = int(values.get("offset", "0")), int(values.get("limit", "5"))
        found = [row for row in self.server.rows if _matches(row, values["q"])]
        page = {
            "href": f"{self.server.address}/v1/search",
            "items": [_sent(row) for row in found[first : first + limit]],
            "limit": limit,
            "next": f"https://elsewhere.invalid/?offset={first + limit}"
            if first + limit < len(found)
            else None,
            "offset": first,
            "previous": None,
            "total": len(found),
        }
        return Fault(200, json.dumps({"tracks": page}).encode())

    def _send(self, fault: Fault) -> None:
        if fault.manner == "silent":
            self.server.closing.wait()
        if fault.manner in ("silent", "close"):
            self.close_connection = True
            return
        self.send_response(fault.status)
        body = fault.body
        if fault.manner == "drip headers":
            self.flush_headers()
            self._drip(b"X-Padding: " + b"x" * 10_000)
        self.send_header("Content-Type", fault.content_type)
        self.send_header("Content-Length", str(len(body) + (100 if fault.manner == "cut" else 0)))
        for name, value in fault.headers:
            self.send_header(name, value)
        self.end_headers()
        if fault.manner == "drip":
            self._drip(body)
        else:
            self.wfile.write(body)
        self.close_connection = self.close_connection or fault.manner == "cut"

    def _drip(self, text: bytes) -> None:
        """Send single bytes with pauses until the client leaves or the server closes."""
        for place in range(len(text)):
            if self.server.closing.wait(0.02):
                return
            self.wfile.write(text[place : place + 1])
            self.wfile.flush()

    def log_message(self, format: str, *args: object) -> None:
        """Log nothing: the base class writes to standard error."""


def _sent(row: Any) -> Any:
    return {name: value for name, value in row.items() if name[0] != "_"} if isinstance(row, dict) else row


def _matches(row: Any, text: str) -> bool:
    """Return whether a search finds a row. Every search finds rows that are no songs."""
    if not isinstance(row, dict) or "_genres" not in row:
        return True
    genre = re.search(r'genre:"([^"]*)"', text)
    if genre and genre[1] not in row["_genres"]:
        return False
    if years := re.search(r"year:(\d{4})(?:-(\d{4}))?", text):
        if not years[1] <= row["album"]["release_date"][:4] <= (years[2] or years[1]):
            return False
    words = re.sub(r'\w+:("[^"]*"|\S+)', "", text).split()
    names = f"{row['name']} {row['album']['name']} {row['artists'][0]['name']}".lower()
    return all(word.lower() in names for word in words)


@contextmanager
def spotify_server(client_id: str, client_secret: str, today: date) -> Iterator[SpotifyServer]:
    """Run a server. At the end it closes connections that still wait for a response."""
    server = SpotifyServer(client_id, client_secret, today)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    try:
        yield server
    finally:
        server.closing.set()
        server.shutdown()
        server.server_close()
