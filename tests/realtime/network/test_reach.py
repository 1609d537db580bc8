"""Addresses that redirects, playlists and segments of a station may lead to."""

from __future__ import annotations

import re
import socket
import threading
from collections.abc import Callable
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime.errors import SourceError
from realtime.network.http_client import HttpClient
from realtime.network.opening import open_stream
from realtime.network.reach import AddressKind, classify_address, is_allowed
from tests.support.stream_servers import Answer, web_server
from tests.support.streams import opening_error

PUBLIC, PRIVATE, LINK_LOCAL, LOOPBACK = (
    AddressKind.PUBLIC,
    AddressKind.PRIVATE,
    AddressKind.LINK_LOCAL,
    AddressKind.LOOPBACK,
)


@pytest.mark.parametrize(
    ("address", "kind"),
    [
        ("8.8.8.8", PUBLIC),
        ("2606:4700::1111", PUBLIC),
        ("10.1.2.3", PRIVATE),
        ("172.16.0.1", PRIVATE),
        ("192.168.1.1", PRIVATE),
        ("100.64.0.1", PRIVATE),
        ("224.0.0.1", PRIVATE),
        ("255.255.255.255", PRIVATE),
        ("fd00::1", PRIVATE),
        ("169.254.169.254", LINK_LOCAL),
        ("fe80::1", LINK_LOCAL),
        ("fe80::1%lo", LINK_LOCAL),
        ("127.0.0.1", LOOPBACK),
        ("127.8.9.1", LOOPBACK),
        ("0.0.0.0", LOOPBACK),
        ("::", LOOPBACK),
        ("::1", LOOPBACK),
    ],
)
def test_kinds_of_addresses(address: str, kind: AddressKind) -> None:
    assert classify_address(address) is kind


@pytest.mark.parametrize("prefix", ["::ffff:", "::", "64:ff9b::"])
@given(st.ip_addresses(v=4))
def test_an_address_of_ipv4_within_one_of_ipv6_has_the_same_kind(prefix: str, address: object) -> None:
    """Otherwise an address of this machine could be written in another form. ``::0.0.0.1`` is ``::1``."""
    expected = LOOPBACK if (prefix, str(address)) == ("::", "0.0.0.1") else classify_address(str(address))
    assert classify_address(f"{prefix}{address}") is expected


@pytest.mark.parametrize("kind", AddressKind)
@pytest.mark.parametrize("named", AddressKind)
def test_a_station_leads_to_public_addresses_and_to_those_of_its_own_kind(
    named: AddressKind, kind: AddressKind
) -> None:
    assert is_allowed(kind, named) == (kind in (PUBLIC, named))


HLS = "#EXTM3U\n#EXT-X-TARGETDURATION:2\n{}#EXTINF:2,\n{}\n#EXT-X-ENDLIST\n"
WAYS: dict[str, Callable[[str], Answer]] = {
    "redirect": lambda url: Answer(status=302, headers={"Location": url}),
    "playlist": lambda url: Answer(f"#EXTM3U\n{url}\n".encode()),
    "variant": lambda url: Answer(f"#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\n{url}\n".encode()),
    "segment": lambda url: Answer(HLS.format("", url).encode()),
    "key": lambda url: Answer(HLS.format(f'#EXT-X-KEY:METHOD=AES-128,URI="{url}"\n', "a.ts").encode()),
    "map": lambda url: Answer(HLS.format(f'#EXT-X-MAP:URI="{url}"\n', "a.mp4").encode()),
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    "host",
    ["10.255.255.1", "192.168.255.1", "169.254.169.254", "[::ffff:10.0.0.1]", "[fe80::1]", "[fd00::1]"],
)
def test_a_station_cannot_lead_to_another_network(way: str, host: str) -> None:
    url = f"http://{host}/data"
    with web_server({"x": WAYS[way](url)}) as server:
        message = opening_error(server.url("x"))
    if way != "key":  # FFmpeg has no message for a key that it cannot read
        assert "; only the user may name such an address, not a station" in message


@pytest.fixture
def network_address(monkeypatch: pytest.MonkeyPatch) -> str:
    """Address of this machine in a network. Without a network, an address of loopback counts as such."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe, suppress(OSError):
        probe.connect(("192.0.2.1", 9))  # sends nothing
        address: str = probe.getsockname()[0]
        if classify_address(address) is not LOOPBACK:
            return address
    substitute = "127.9.9.9"
    monkeypatch.setattr(
        "realtime.network.reach.classify_address",
        lambda address: PRIVATE if address == substitute else classify_address(address),
    )
    return substitute


def opening_error_here(url: str) -> str:
    """Return the error message of a stream that this process cannot open, with its kinds of addresses."""
    with pytest.raises(SourceError) as caught:
        open_stream(url, HttpClient(url, 10.0), 10.0)
    return str(caught.value)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("target", ["127.0.0.1", "localhost", "0.0.0.0", "2130706433"])
def test_a_station_of_the_network_cannot_reach_this_machine(
    way: str, target: str, network_address: str
) -> None:
    """No byte may arrive at the service that listens here."""
    with web_server() as private, web_server(host="0.0.0.0") as station:
        station.answers["x"] = WAYS[way](f"http://{target}:{private.port}/data")
        message = opening_error_here(f"http://{network_address}:{station.port}/x")
        assert private.requests == []
        assert station.requests, message


def test_a_playlist_of_the_network_cannot_name_rtsp_on_this_machine(network_address: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as service, web_server(host="0.0.0.0") as station:
        service.setblocking(False)
        target = f"rtsp://127.0.0.1:{service.getsockname()[1]}/x"
        station.answers["x"] = WAYS["playlist"](target)
        message = opening_error_here(f"http://{network_address}:{station.port}/x")
        rule = "only the user may name such an address, not a station"
        assert message == f"{target} is an address of this machine; {rule}"
        with pytest.raises(BlockingIOError):
            service.accept()


@pytest.mark.parametrize("method", [b"OPTIONS", b"DESCRIBE", b"SETUP", b"PLAY"])
def test_a_server_of_rtsp_cannot_lead_elsewhere(method: bytes) -> None:
    """FFmpeg connects to RTSP by itself, so a redirect and a foreign address of a track must be ignored."""
    with socket.create_server(("127.0.0.1", 0)) as target, socket.create_server(("127.0.0.1", 0)) as server:
        address = b"rtsp://127.0.0.1:%d/x" % target.getsockname()[1]
        track = b"m=audio 0 RTP/AVP 0\r\nc=IN IP4 127.0.0.1\r\na=control:" + address
        description = b"v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=x\r\nt=0 0\r\n" + track + b"\r\n"

        def respond() -> None:
            connection, _ = server.accept()
            with connection, suppress(OSError):  # FFmpeg may reset the connection
                while request := connection.recv(4096):
                    number = re.search(rb"CSeq: (\d+)", request)
                    sequence = b"\r\nCSeq: " + (number[1] if number else b"0")
                    if request.startswith(method):
                        reply = b"302 Moved" + sequence + b"\r\nLocation: " + address + b"\r\n\r\n"
                    elif request.startswith(b"DESCRIBE"):
                        length = b"\r\nContent-Length: %d\r\n\r\n" % len(description)
                        form = b"\r\nContent-Type: application/sdp\r\nContent-Base: " + address
                        reply = b"200 OK" + sequence + form + length + description
                    else:
                        reply = b"200 OK" + sequence + b"\r\n\r\n"
                    connection.sendall(b"RTSP/1.0 " + reply)

        thread = threading.Thread(target=respond, daemon=True)
        thread.start()
        url = f"rtsp://127.0.0.1:{server.getsockname()[1]}/x"
        # On a busy machine the process of the decoder starts late.
        assert opening_error(url, open_timeout_seconds=60).startswith(url)
        thread.join(timeout=60)
        assert not thread.is_alive()
        target.setblocking(False)
        with pytest.raises(BlockingIOError):
            target.accept()
