"""Recognition of network addresses, and removal of their secrets."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.common.urls import is_loopback, is_url, join_url, redact_to_host, redact_url, show_url


@pytest.mark.parametrize("url", ["http://a/b", "HTTPS://a", "rtsp://a/b", "rtsps://a"])
def test_an_address_of_a_stream(url: str) -> None:
    assert is_url(url)


@pytest.mark.parametrize("path", ["http", "/music/a.mp3", "http:/a", "file:///etc/passwd", "mic:http://", ""])
def test_everything_else_is_a_path(path: str) -> None:
    assert not is_url(path)


def test_no_secret_of_an_address_is_shown() -> None:
    url = "https://user:p@ss@radio.example:8000/live;x?token=secret#secret"
    assert redact_url(url) == "https://radio.example:8000/live;x"
    assert redact_to_host(url) == "radio.example:8000"
    with pytest.raises(ValueError, match="IPv6"):
        redact_url("http://[secret/")


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "127.8.9.1", "::1", "[::1]"])
def test_only_this_machine_reaches_it(host: str) -> None:
    assert is_loopback(host)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.2", "radio.example", "localhost.example", ""])
def test_other_machines_may_reach_it(host: str) -> None:
    assert not is_loopback(host)


def test_an_address_is_shown_without_control_characters_and_not_in_full_length() -> None:
    shown = redact_url("http://a/\x1b]0;x\x07\u202e" + "b" * 2_000_000)
    assert shown.isprintable()
    assert len(shown) == 300


@pytest.mark.parametrize(
    ("address", "joined"),
    [
        ("b c.mp3", "http://a/x/b c.mp3"),
        (" /b%20c ", "http://a/b%20c"),
        ("//b/c", "http://b/c"),
        ("https://b/", "https://b/"),
        ("file:///c", "file:///c"),
        ("http://[half", ""),
        ("http://b:port/", ""),
        ("http://b:99999999/", ""),
    ],
)
def test_relative_addresses(address: str, joined: str) -> None:
    assert join_url("http://a/x/list.m3u", address) == joined


@given(st.text())
def test_no_address_breaks_the_joining(address: str) -> None:
    show_url(join_url("http://a/", address))
    show_url(address)
