"""Access rules on values."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from realtime.protocol.requests import Subscribe, decode_request
from realtime.protocol.schema import schema
from realtime.server import access
from realtime.server.access import AccessPolicy, HandshakeRequest, reject_client, reject_page
from tests.support.websocket_client import TOKEN


@pytest.mark.parametrize(
    ("handshake", "reason"),
    [
        (HandshakeRequest("/"), "token"),
        (HandshakeRequest("/", authorizations=("Bearer wrong",)), "token"),
        (HandshakeRequest("/", authorizations=(f"Basic {TOKEN}",)), "token"),
        (HandshakeRequest("/", authorizations=(TOKEN,)), "token"),
        (HandshakeRequest("/", authorizations=(f"Bearer {TOKEN}é",)), "token"),
        (HandshakeRequest("/", subprotocols=("overheard.2",)), "token"),
        (HandshakeRequest("/", subprotocols=("overheard.2", "overheard.token.")), "token"),
        (HandshakeRequest("/", subprotocols=("overheard.2", TOKEN)), "token"),
        (HandshakeRequest(f"/?token={TOKEN}", authorizations=(f"Bearer {TOKEN}",)), "token_in_address"),
        (HandshakeRequest(f"/live?a=1&%74oken={TOKEN}"), "token_in_address"),
        (HandshakeRequest("/?TOKEN"), "token_in_address"),
        (
            HandshakeRequest("/", origins=("http://evil.example",), authorizations=(f"Bearer {TOKEN}",)),
            "origin",
        ),
        (HandshakeRequest("/", origins=("http://page.example", "http://page.example")), "origin"),
        (HandshakeRequest("/", origins=("http://page.example/",)), "origin"),
        (HandshakeRequest("/", subprotocols=(f"overheard.token.{TOKEN}",)), "version"),
        (HandshakeRequest("/", subprotocols=("overheard.3", f"overheard.token.{TOKEN}")), "version"),
        (HandshakeRequest("/", subprotocols=("chat",), authorizations=(f"Bearer {TOKEN}",)), "version"),
        (HandshakeRequest("/", authorizations=(f"Bearer {TOKEN}",)), None),
        (HandshakeRequest("/any/path?x=1", authorizations=(f"bearer  {TOKEN}",)), None),
        (HandshakeRequest("/", subprotocols=("overheard.2", f"overheard.token.{TOKEN}")), None),
        (
            HandshakeRequest(
                "/", ("http://page.example",), (), ("overheard.3", "overheard.2", f"overheard.token.{TOKEN}")
            ),
            None,
        ),
    ],
)
def test_the_access_rules_for_clients(handshake: HandshakeRequest, reason: str | None) -> None:
    rejection = reject_client(handshake, AccessPolicy(["http://page.example"], TOKEN, 2), 1)
    assert (rejection.reason if rejection else None) == reason
    if rejection is not None:
        assert TOKEN not in rejection.sentence


def test_the_limit_of_clients_is_checked_last() -> None:
    policy = AccessPolicy(token=TOKEN, max_clients=2)
    full = reject_client(HandshakeRequest("/", authorizations=(f"Bearer {TOKEN}",)), policy, 2)
    assert full is not None
    assert (full.status, full.reason) == (503, "full")
    stranger = reject_client(HandshakeRequest("/"), policy, 2)
    assert stranger is not None
    assert stranger.status == 401, "a client without the token does not learn the number of clients"


@pytest.mark.parametrize(
    ("host", "reason"),
    [("127.0.0.1:8765", None), ("localhost", None), ("[::1]:8765", None),
     ("evil.example:8765", "host"), ("", "host"), ("[::1", "host"), ("192.168.0.7", "host")],
)  # fmt: skip
def test_without_a_token_pages_are_for_this_machine_only(host: str, reason: str | None) -> None:
    """A web page may let its own name point to 127.0.0.1, and the browser would let it read the response."""
    rejection = reject_page(HandshakeRequest("/healthz", hosts=(host,)), AccessPolicy(), needs_token=False)
    assert (rejection.reason if rejection else None) == reason
    known = HandshakeRequest("/healthz", hosts=(host,), authorizations=(f"Bearer {TOKEN}",))
    assert reject_page(known, AccessPolicy(token=TOKEN), needs_token=True) is None


@given(st.one_of(
    st.text(max_size=60),
    st.binary(max_size=60),
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.sampled_from(["subscribe", "type", "spectrum"]),
        lambda inner: st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["type", "spectrum", "more"]), inner, max_size=3),
        max_leaves=6,
    ).map(json.dumps),
    st.builds(lambda wanted: json.dumps({"spectrum": wanted, "type": "subscribe"}), st.booleans()),
))  # fmt: skip
def test_a_request_is_taken_exactly_when_the_schema_takes_it(request_text: str | bytes) -> None:
    request = decode_request(request_text)
    one = schema()["$defs"]["subscribe"]
    try:
        valid = isinstance(request_text, str) and Draft202012Validator(one).is_valid(json.loads(request_text))
    except ValueError:
        valid = False
    assert isinstance(request, Subscribe) == valid


def test_offered_protocols_are_read_from_every_header() -> None:
    assert access.parse_subprotocols(["overheard.2 , a", "", "b,"]) == ("overheard.2", "a", "b")
