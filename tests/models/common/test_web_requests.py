"""Names in ``Host`` headers, and origins of web pages."""

from __future__ import annotations

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.common.web_requests import is_allowed_host, is_same_origin, parse_allowed_host, parse_host

LOOPBACK = ("localhost", "127.0.0.1", "127.8.8.8", "[::1]", "LOCALHOST", "localhost.", "127.0.0.1.")
HOSTILE = (
    "evil.example", "localhost.evil.example", "127.0.0.1.evil.example", "evil.example@127.0.0.1",
    "127.0.0.1@evil.example", "127.0.0.1#evil", "127.0.0.1/evil", "evil.example:127.0.0.1", "[::1].evil",
    "[::1", "", " ", "localhost evil", "127.0.0.1,evil.example", "xlocalhost", "0.0.0.0", "127.1",
    "2130706433", "0x7f000001", "localhost\x00", "\uff4cocalhost", "null", "localhost:",
    "localhost:x", "localhost:1:2",
)  # fmt: skip


@pytest.mark.parametrize("port", ["", ":80", ":8501"])
@pytest.mark.parametrize("name", LOOPBACK)
def test_loopback_names_are_allowed_with_every_port(name: str, port: str) -> None:
    """A tunnel may show the page on another port, and no name server decides on these names."""
    assert is_allowed_host([name + port])


@pytest.mark.parametrize("name", HOSTILE)
def test_foreign_and_malformed_names_are_not_allowed(name: str) -> None:
    assert not is_allowed_host([name])
    assert not is_allowed_host([name], {"radio.example"})


def test_a_request_must_have_one_host() -> None:
    assert not is_allowed_host([])
    assert not is_allowed_host(["localhost", "localhost"])
    assert not is_allowed_host(["localhost", "evil.example"])


def test_allowed_names_and_addresses() -> None:
    assert is_allowed_host(["Radio.Example:443"], {"radio.example"})
    assert not is_allowed_host(["www.radio.example"], {"radio.example"})
    assert is_allowed_host(["192.0.2.7:8501"], any_address=True)
    assert is_allowed_host(["[2001:db8::1]:8501"], any_address=True)
    assert not is_allowed_host(["evil.example"], any_address=True), "a name can be rebound"


@given(st.text(alphabet=string.ascii_letters + string.digits + ".-_:[]@/%\x00 \t", max_size=30))
def test_no_other_text_passes_for_a_loopback_name(text: str) -> None:
    allowed = is_allowed_host([text])
    assert not allowed or parse_host(text) == "localhost" or parse_host(text).startswith(("127.", ":", "0"))


@pytest.mark.parametrize("host", ["127.0.0.1:8501", "localhost", "[::1]:8501", "Radio.example"])
def test_pages_of_the_same_host_and_port_are_of_the_same_origin(host: str) -> None:
    for scheme in ("http", "https"):
        assert is_same_origin([f"{scheme}://{host}"], [host.lower()])
    assert is_same_origin([], [host]), "programs send no origin"


@pytest.mark.parametrize(
    "origin",
    ["null", "", "http://evil.example", "http://127.0.0.1:8502", "http://127.0.0.1", "http://localhost:8501",
     "file://", "chrome-extension://127.0.0.1:8501", "http://127.0.0.1:8501.evil.example", "http://[::1",
     "http://user@127.0.0.1:8501", "//127.0.0.1:8501", "127.0.0.1:8501"],
)  # fmt: skip
def test_other_origins_are_foreign(origin: str) -> None:
    assert not is_same_origin([origin], ["127.0.0.1:8501"])
    assert not is_same_origin([origin, "http://127.0.0.1:8501"], ["127.0.0.1:8501"])


@pytest.mark.parametrize(
    ("name", "sent"),
    [("radio.example", "radio.example"), ("Radio.EXAMPLE.", "radio.example"), ("nas", "nas"),
     ("räd.example", "xn--rd-via.example")],
)  # fmt: skip
def test_names_are_compared_as_browsers_send_them(name: str, sent: str) -> None:
    assert parse_allowed_host(name) == sent
