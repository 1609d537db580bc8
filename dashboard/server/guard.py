"""ASGI application in front of Streamlit's, which applies the access rules to each request and websocket."""

from __future__ import annotations

import json
import secrets
from collections.abc import Awaitable, Callable, MutableMapping
from importlib.resources import files
from typing import Any, Final, TypeAlias

from dashboard.i18n.translator import Translator, match_language
from dashboard.server.peer import find_user
from dashboard.server.policy import PagePolicy, PageRequest

Scope: TypeAlias = MutableMapping[str, Any]
Message: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Message]]
Send: TypeAlias = Callable[[Message], Awaitable[None]]
Application: TypeAlias = Callable[[Scope, Receive, Send], Awaitable[None]]

KEY_PATH: Final = "/_overheard/key"
"""Path to which the key page posts a key."""
MAX_KEY_BYTES: Final = 1024
"""Bytes of a posted key. Longer ones are wrong in any case."""
COOKIE_SECONDS: Final = 365 * 86_400
"""Seconds for which a browser keeps the cookie."""

SECURITY_HEADERS: Final = (
    (b"content-security-policy", b"frame-ancestors 'self'"),  # no foreign page may show this one in a frame
    (b"x-frame-options", b"SAMEORIGIN"),  # the same for browsers without content security policies
    (b"x-content-type-options", b"nosniff"),
)


class PageGuard:
    """Application that passes allowed requests on to another application.

    Parameters
    ----------
    application : callable
    policy : PagePolicy
    """

    def __init__(self, application: Application, policy: PagePolicy) -> None:
        self._application = application
        self._policy = policy

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or pass it on."""
        if scope["type"] == "lifespan":
            await self._application(scope, receive, send)
            return
        request = self._read_request(scope)
        is_websocket = scope["type"] == "websocket"
        rejection = self._policy.reject_foreign(request)
        if rejection is None and not is_websocket and request.path == KEY_PATH and self._policy.key:
            await self._take_key(scope, receive, send)
            return
        rejection = rejection or self._policy.reject_stranger(request)
        if rejection is None:
            await self._application(scope, receive, _add_headers(send))
        elif is_websocket:
            await receive()
            await send({"type": "websocket.close", "code": 1008})  # before it is accepted: HTTP 403
        elif rejection.status == 401 and "text/html" in _header(scope, b"accept"):
            await _send_page(send, scope)
        else:
            await _send(send, rejection.status, rejection.sentence)

    def _read_request(self, scope: Scope) -> PageRequest:
        values: dict[bytes, list[str]] = {}
        for name, value in scope["headers"]:
            values.setdefault(name.lower(), []).append(value.decode("latin-1"))
        client, server = scope.get("client"), scope.get("server")
        user = None
        if self._policy.own_user is not None and not self._policy.key and client and server:
            user = find_user(tuple(client), tuple(server))
        return PageRequest(
            scope["path"],
            tuple(values.get(b"host", ())),
            tuple(values.get(b"origin", ())),
            tuple(values.get(b"authorization", ())),
            tuple(values.get(b"cookie", ())),
            user,
        )

    async def _take_key(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Compare a posted key, and set the cookie if the key is right."""
        body = b""
        while len(body) <= MAX_KEY_BYTES:
            message = await receive()
            body += message.get("body", b"")
            if message["type"] != "http.request" or not message.get("more_body"):
                break
        if scope["method"] != "POST" or not self._policy.is_key(body.decode("utf-8", "replace").strip()):
            await _send(send, 401, "the key is wrong")
            return
        cookie = (
            f"{self._policy.cookie_name}={self._policy.cookie_value}; Path=/; Max-Age={COOKIE_SECONDS}; "
            "HttpOnly; SameSite=Lax"
        )
        await _send(send, 200, "the key is right", headers=[(b"set-cookie", cookie.encode())])


def _add_headers(send: Send) -> Send:
    async def send_with_headers(message: Message) -> None:
        if message["type"] == "http.response.start":
            message["headers"] = [*message.get("headers", ()), *SECURITY_HEADERS]
        await send(message)

    return send_with_headers


async def _send_page(send: Send, scope: Scope) -> None:
    """Send the page that asks for the key, in the language of the browser."""
    language = match_language(_header(scope, b"accept-language").partition(",")[0])
    texts = Translator(language).part("common.key.")
    nonce = secrets.token_urlsafe(16)
    page = (files("dashboard.server") / "key_page.html").read_text(encoding="utf-8")
    script = json.dumps(texts | {"path": KEY_PATH}, ensure_ascii=True).replace("<", "\\u003c")
    page = page.replace("LANGUAGE", language).replace("NONCE", nonce).replace('"TEXTS"', script)
    policy = (
        f"default-src 'none'; connect-src 'self'; style-src 'nonce-{nonce}'; script-src 'nonce-{nonce}'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
    headers = [(b"content-security-policy", policy.encode())]
    await _send(send, 401, page, content_type="text/html", headers=headers)


async def _send(
    send: Send,
    status: int,
    text: str,
    *,
    content_type: str = "text/plain",
    headers: list[tuple[bytes, bytes]] | None = None,
) -> None:
    content = text.encode()
    common = [
        (b"content-type", f"{content_type}; charset=utf-8".encode()),
        (b"content-length", str(len(content)).encode()),
        (b"cache-control", b"no-store"),
    ]
    # The first header of a name comes first, so that a page's own policy applies besides the general one.
    start = {"type": "http.response.start", "status": status, "headers": [*common, *(headers or ())]}
    send = _add_headers(send)
    await send(start)
    await send({"type": "http.response.body", "body": content})


def _header(scope: Scope, name: bytes) -> str:
    values = [value.decode("latin-1") for header, value in scope["headers"] if header.lower() == name]
    return values[0] if values else ""
