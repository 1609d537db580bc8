"""Limit the addresses that the responses of a stream may lead to.

A redirect, a playlist and an HLS segment name further addresses. A foreign server could name services of this
machine and of its network, which trust everything that comes from there. The responses may therefore lead to
public addresses and to addresses of the kind that the user named, and to no others.
"""

from __future__ import annotations

import ipaddress
import socket
from enum import StrEnum

CONNECT_TIMEOUT_SECONDS = 4.0
"""Timeout for each address of a host. Two addresses can be tried before the opening of a stream times out."""

_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
"""Addresses whose last 32 bits are an address of IPv4, which a gateway connects to."""


class AddressKind(StrEnum):
    """Kind of a network address, by the machines that can reach the address. The values are for messages."""

    PUBLIC = "a public address"
    PRIVATE = "an address of a private network"
    LINK_LOCAL = "an address of the local link"
    LOOPBACK = "an address of this machine"


class ForbiddenAddressError(OSError):
    """Connection to an address that only the user may name."""


def classify_address(address: str) -> AddressKind:
    """Return the kind of an IP address. Addresses of IPv4 within addresses of IPv6 are recognized.

    Raises
    ------
    ValueError
        If the text is not an IP address.
    """
    ip: ipaddress.IPv4Address | ipaddress.IPv6Address = ipaddress.ip_address(address)
    if isinstance(ip, ipaddress.IPv6Address):
        inner = ip.ipv4_mapped or ip.sixtofour or (ip.teredo[1] if ip.teredo else None)
        if inner is None and (ip in _NAT64 or (ip.packed[:12] == bytes(12) and int(ip) > 1)):
            inner = ipaddress.IPv4Address(ip.packed[-4:])
        ip = inner or ip
    if ip.is_loopback or ip.is_unspecified:  # a connection to 0.0.0.0 reaches this machine
        return AddressKind.LOOPBACK
    if ip.is_link_local:
        return AddressKind.LINK_LOCAL
    return AddressKind.PUBLIC if ip.is_global and not ip.is_multicast else AddressKind.PRIVATE


def is_allowed(kind: AddressKind, named: AddressKind | None) -> bool:
    """Return True if a station may lead to a kind. ``named`` is None before the first connection."""
    return named is None or kind in (AddressKind.PUBLIC, named)


class Reach:
    """Kinds of addresses that the connections of one stream may have.

    The first connection is to the address that the user named. Its kind, and public addresses, are allowed
    from then on. Each connection looks a host name up once, and connects to the address that was checked.
    """

    def __init__(self) -> None:
        self._named: AddressKind | None = None

    def connect(self, host: str, port: int) -> socket.socket:
        """Connect to a host.

        Raises
        ------
        ForbiddenAddressError
            If all addresses of the host are of a kind that is not allowed.
        OSError
            If the host is unknown or no connection is possible.
        """
        failure: OSError | None = None
        for address in self.resolve(host, port):
            try:
                sock = socket.create_connection((address, port), CONNECT_TIMEOUT_SECONDS)
            except OSError as error:
                failure = error
                continue
            self._named = self._named or classify_address(address)
            return sock
        raise failure or OSError("the host has no address")

    def resolve(self, host: str, port: int) -> list[str]:
        """Return the addresses of a host that may be connected to, at least one.

        Raises
        ------
        ForbiddenAddressError
            If all addresses of the host are of a kind that is not allowed.
        OSError
            If the host is unknown.
        """
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        addresses = [str(info[4][0]) for info in found]
        allowed = [address for address in addresses if is_allowed(classify_address(address), self._named)]
        if not allowed:
            raise ForbiddenAddressError(classify_address(addresses[0]))
        return allowed
