"""Choice of the proxy: never for this machine, and never with credentials."""

from __future__ import annotations

import pytest

from models.common.proxies import find_proxy

VARIABLES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy")


@pytest.fixture(autouse=True)
def _proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.mark.parametrize("variable", ["http_proxy", "all_proxy"])
@pytest.mark.parametrize(
    "host",
    ["localhost", "LOCALHOST", "localhost.", "127.0.0.1", "127.9.9.9", "[::1]", "127.1", "2130706433",
     "0x7f.1", "0.0.0.0", "[::]", "[::ffff:127.0.0.1]", "user:password@127.0.0.1", "0"],
)  # fmt: skip
def test_requests_to_this_machine_use_no_proxy(
    host: str, variable: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Regression: the proxy received the content and the password of a webhook on this machine."""
    monkeypatch.setenv(variable, "http://proxy.example:3128")
    assert find_proxy(f"http://{host}:8080/hook") is None
    assert find_proxy(f"http://{host}/") is None


@pytest.mark.parametrize(
    ("variable", "value", "name"),
    [
        ("http_proxy", "http://proxy.example:3128", "proxy.example:3128"),
        ("HTTP_PROXY", "http://proxy.example:3128/", "proxy.example:3128"),
        ("http_proxy", "proxy.example:3128", "proxy.example:3128"),
        ("http_proxy", "http://proxy.example", "proxy.example:80"),
        ("http_proxy", "http://me:geheim@proxy.example:3128", "proxy.example:3128"),
        ("all_proxy", "http://me:geheim@[2001:db8::1]:3128", "[2001:db8::1]:3128"),
    ],
)
def test_a_proxy_is_used_for_other_hosts_without_its_credentials(
    variable: str, value: str, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, value)
    proxy = find_proxy("http://192.0.2.1/hook")
    assert proxy is not None
    assert proxy.name == name
    assert proxy.url == f"http://{name}"
    assert "geheim" not in repr(proxy)


@pytest.mark.parametrize("value", ["", "socks5://proxy.example:1080", "http://[bad", "http://p:x", "http://"])
def test_what_is_no_http_proxy_is_not_used(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", value)
    assert find_proxy("http://192.0.2.1/hook") is None


def test_the_variable_for_exceptions_is_honored(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://proxy.example:3128")
    monkeypatch.setenv("no_proxy", "192.0.2.1,.internal.example")
    assert find_proxy("http://192.0.2.1:99/") is None
    assert find_proxy("http://me:secret@hooks.internal.example/") is None
    assert find_proxy("http://192.0.2.2/") is not None
