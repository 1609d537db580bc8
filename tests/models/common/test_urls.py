"""Recognition of network addresses, and removal of their secrets."""

from __future__ import annotations

import pytest

from models.common.urls import is_loopback, is_url, redact_to_host, redact_url


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
