"""Find the HTTP proxy for an address, without credentials and never for this machine."""

from __future__ import annotations

import ipaddress
import socket
import urllib.request
from dataclasses import dataclass
from urllib.parse import urlsplit

from models.common.urls import is_loopback

DEFAULT_PORT = 80
"""Port of a proxy whose address has none."""


@dataclass(frozen=True, slots=True)
class Proxy:
    """HTTP proxy of the environment or, on macOS and Windows, of the system's settings."""

    host: str
    port: int

    @property
    def name(self) -> str:
        """Host and port, for messages."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def url(self) -> str:
        """Address without credentials."""
        return f"http://{self.name}"


def find_proxy(url: str) -> Proxy | None:
    """Return the proxy for a URL, or None for a direct connection.

    Requests to this machine never go through a proxy, since they would leave the machine with their content
    and their passwords. A user and a password in the address of a proxy are not used: nobody gave them to
    this program. Proxies of other kinds than HTTP are not used either.
    """
    parts = urlsplit(url)
    host = parts.hostname or ""
    proxies = urllib.request.getproxies()
    address = proxies.get(parts.scheme) or proxies.get("all", "")
    if not address or urllib.request.proxy_bypass(parts.netloc.rpartition("@")[2]) or _is_this_machine(host):
        return None
    try:
        proxy = urlsplit(address if "://" in address else f"http://{address}")
        port = proxy.port or DEFAULT_PORT
    except ValueError:
        return None
    return Proxy(proxy.hostname, port) if proxy.scheme == "http" and proxy.hostname else None


def _is_this_machine(host: str) -> bool:
    """Return True for loopback names, loopback addresses in all notations, and the name of this host.

    No name server is asked, since behind a proxy the answer may take longer than the request.
    """
    if is_loopback(host.removesuffix(".")) or host == socket.gethostname().lower():
        return True
    try:
        addresses = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST)
    except (OSError, UnicodeError):
        return False
    return all(_is_local(str(info[4][0])) for info in addresses)


def _is_local(address: str) -> bool:
    parsed = ipaddress.ip_address(address.partition("%")[0])
    mapped = getattr(parsed, "ipv4_mapped", None) or parsed
    return bool(mapped.is_loopback or mapped.is_unspecified)
