"""The server of the page against foreign names, foreign origins, other users and foreign configuration."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator

import psutil
import pytest

from tests.support.page_server import HEALTH, UPGRADE, WEBSOCKET, page_server, request
from tests.support.paths import ROOT

KEY = "a-key-of-these-tests"
HOSTILE_CONFIGURATION = """
[server]
enableCORS = false
enableXsrfProtection = false
baseUrlPath = "elsewhere"
port = 1
address = "0.0.0.0"
corsAllowedOrigins = ["http://evil.example"]
[client]
toolbarMode = "developer"
"""


@pytest.fixture(scope="module")
def port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """Port of a page without a key, started in a folder and by a user with a hostile configuration."""
    folder, home = tmp_path_factory.mktemp("folder"), tmp_path_factory.mktemp("home")
    for place, text in ((folder, HOSTILE_CONFIGURATION), (home, "is not [ TOML")):
        (place / ".streamlit").mkdir()
        for name in ("config.toml", "secrets.toml"):
            (place / ".streamlit" / name).write_text(text)
    environment = {
        "HOME": str(home),
        "XDG_DATA_HOME": str(home),
        "STREAMLIT_SERVER_ENABLE_CORS": "false",
        "STREAMLIT_SERVER_ALLOWED_HOSTS": "nothing.example",
        "OVERHEARD_PAGE_KEY": "",
    }
    with page_server("--allow-host", "Radio.example", environment=environment, folder=folder) as port:
        yield port


def ask_websocket(port: int, origin: str | None, host: str = "") -> int:
    headers = UPGRADE | {"Host": host or f"127.0.0.1:{port}"} | ({"Origin": origin} if origin else {})
    return request(port, WEBSOCKET, headers)[0]


@pytest.mark.parametrize(
    "path", ["/", "/session", WEBSOCKET, HEALTH, "/_stcore/host-config", "/media/x", "/%00"]
)
def test_nothing_is_served_under_a_foreign_name(port: int, path: str) -> None:
    """Regression: a site that pointed its own name at this machine could read and control everything."""
    for host in (
        "evil.example",
        f"evil.example:{port}",
        "127.0.0.1.evil.example",
        "",
        "127.0.0.1@evil.example",
    ):
        status, _, text = request(port, path, {"Host": host})
        assert status == 403
        assert "start the page with --allow-host and the name" in text
        assert "\n" not in text
    assert request(port, path, {"Host": ("127.0.0.1", "evil.example")})[0] in (400, 403)


def test_the_response_repeats_no_more_than_the_beginning_of_a_foreign_name(port: int) -> None:
    _, headers, text = request(port, "/", {"Host": "<script>" + "x" * 5000})
    assert len(text) < 400
    assert headers["content-type"] == "text/plain; charset=utf-8"
    assert headers["x-content-type-options"] == "nosniff"


def test_the_websocket_is_open_to_the_own_page_only(port: int) -> None:
    """Regression: a configuration file in the working folder opened the websocket to every origin."""
    own = f"http://127.0.0.1:{port}"
    assert ask_websocket(port, own) == 101
    assert ask_websocket(port, None) == 101, "programs send no origin"
    assert ask_websocket(port, f"http://localhost:{port}", f"localhost:{port}") == 101
    assert ask_websocket(port, "https://radio.example", "radio.example") == 101
    for origin in (
        "http://evil.example",
        "null",
        f"http://127.0.0.1:{port + 1}",
        f"http://evil.example:{port}",
    ):
        assert ask_websocket(port, origin) == 403
    assert ask_websocket(port, f"http://evil.example:{port}", f"evil.example:{port}") == 403
    assert ask_websocket(port, own, "evil.example") == 403


def test_a_page_of_another_origin_cannot_upload(port: int) -> None:
    for method in ("GET", "PUT", "POST", "DELETE", "OPTIONS"):
        status, headers, _ = request(
            port, "/_stcore/upload_file/a/b", {"Origin": "http://evil.example"}, method
        )
        assert status == 403
        assert "access-control-allow-origin" not in headers


def test_no_foreign_page_may_show_this_one_in_a_frame(port: int) -> None:
    for path in ("/", "/session", "/does-not-exist"):
        _, headers, _ = request(port, path)
        assert headers["content-security-policy"] == "frame-ancestors 'self'"
        assert headers["x-frame-options"] == "SAMEORIGIN"


def test_the_allowed_name_is_compared_without_case_and_port(port: int) -> None:
    for host in ("radio.example", "RADIO.EXAMPLE:443", f"localhost:{port}", "[::1]:1", "127.0.0.1"):
        assert request(port, "/", {"Host": host})[0] == 200


def as_other_user(port: int, *headers: str) -> str:
    """Return the status and the body of the response to a request that the administrator sends as nobody.

    Any other user cannot become somebody else, and sends the request as the own user.
    """
    code = (
        "import encodings.idna, http.client, os, sys\n"
        "if os.getuid() == 0: os.setgroups([]); os.setgid(65534); os.setuid(65534)\n"
        "c = http.client.HTTPConnection('127.0.0.1', int(sys.argv[1]), timeout=30)\n"
        "c.request('GET', '/', headers=dict(h.split(': ') for h in sys.argv[2:])); r = c.getresponse()\n"
        "print(r.status, r.read().decode()[:200])"
    )
    command = [sys.executable, "-I", "-c", code, str(port), *headers]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return done.stdout


@pytest.fixture(scope="module")
def foreign_port(port: int, tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """Port of a page that belongs to another user than the one of ``as_other_user``."""
    if os.getuid() == 0:
        yield port
        return
    folder = tmp_path_factory.mktemp("user")
    (folder / "sitecustomize.py").write_text("import os\nuser = os.getuid() + 1\nos.getuid = lambda: user\n")
    paths = os.pathsep.join([str(folder), str(ROOT)])
    environment = {"PYTHONPATH": paths, "XDG_DATA_HOME": str(folder), "OVERHEARD_PAGE_KEY": ""}
    with page_server(environment=environment) as foreign_port:
        yield foreign_port


@pytest.mark.skipif(sys.platform != "linux", reason="needs Linux")
def test_another_user_of_the_machine_is_kept_out(port: int, foreign_port: int) -> None:
    """Regression: every user could read the token and the history from the page of another."""
    assert as_other_user(foreign_port).startswith("403 this page belongs to another user of this machine")
    forged = ("X-Forwarded-For: 127.0.0.1", "X-Forwarded-Proto: http", "Forwarded: for=127.0.0.1")
    response = as_other_user(foreign_port, *forged)
    assert response.startswith("403"), "headers must not replace the client's address"
    assert request(port)[0] == 200


@pytest.fixture(scope="module")
def key_port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """Port of a page with a key, which other machines can reach."""
    home = str(tmp_path_factory.mktemp("home"))
    with page_server(host="0.0.0.0", environment={"OVERHEARD_PAGE_KEY": KEY, "XDG_DATA_HOME": home}) as port:
        yield port


def enter_key(port: int, key: str, **headers: str) -> tuple[int, str]:
    status, received, _ = request(port, "/_overheard/key", headers, "POST", key.encode())
    return status, received.get("set-cookie", "")


def test_the_key_opens_page_and_websocket(key_port: int) -> None:
    for headers in ({}, {"Cookie": f"overheard_key_{key_port}=0"}, {"Authorization": "Bearer wrong"}):
        assert request(key_port, "/", headers)[0] == 401
        assert request(key_port, WEBSOCKET, UPGRADE | headers)[0] == 403
    status, cookie = enter_key(key_port, KEY)
    assert status == 200
    assert "HttpOnly; SameSite=Lax" in cookie
    assert KEY not in cookie
    value = cookie.partition(";")[0]
    for headers in (
        {"Cookie": value},
        {"Cookie": f'other={{"a": 1}}; {value}; x=y'},
        {"Authorization": f"Bearer {KEY}"},
    ):
        assert request(key_port, "/", headers)[0] == 200
        assert request(key_port, WEBSOCKET, UPGRADE | headers)[0] == 101


def test_a_wrong_key_sets_no_cookie(key_port: int) -> None:
    for key in ("", "wrong", KEY[:-1], KEY + "x", "x" * 100_000, "\x00", "ключ"):
        assert enter_key(key_port, key) == (401, "")
    assert enter_key(key_port, KEY, Origin="http://evil.example") == (403, "")
    assert enter_key(key_port, KEY, Host="evil.example") == (403, "")
    assert request(key_port, "/_overheard/key")[0] == 401


def test_every_address_is_allowed_on_all_networks_but_no_name(key_port: int) -> None:
    headers = {"Authorization": f"Bearer {KEY}"}
    for host in ("192.0.2.1:8501", "[2001:db8::1]", "localhost"):
        assert request(key_port, "/", headers | {"Host": host})[0] == 200
    assert request(key_port, "/", headers | {"Host": "evil.example"})[0] == 403


def test_a_monitor_needs_no_key(key_port: int) -> None:
    assert request(key_port, HEALTH)[0] == 200


def test_the_key_page_is_in_the_language_of_the_browser(key_port: int) -> None:
    headers = {"Accept": "text/html,*/*", "Accept-Language": "ru-RU,en;q=0.5"}
    status, received, text = request(key_port, "/session", headers)
    assert status == 401
    assert '<html lang="ru">' in text
    assert "'unsafe" not in received["content-security-policy"]
    assert "set-cookie" not in received


def test_the_key_lets_other_users_in(key_port: int) -> None:
    assert as_other_user(key_port, f"Authorization: Bearer {KEY}").startswith("200")
    assert as_other_user(key_port).startswith("401")


def test_the_secrets_are_not_on_the_command_line(key_port: int) -> None:
    command_lines = []
    for process in psutil.Process().children(recursive=True):
        with contextlib.suppress(psutil.NoSuchProcess):  # the process has ended
            command_lines.append(process.cmdline())
    assert sum(str(key_port) in words for words in command_lines) == 2, "the command and its server"
    assert not any(KEY in word for words in command_lines for word in words)
