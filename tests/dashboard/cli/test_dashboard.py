"""``overheard dashboard``: options, addresses and settings of the server."""

from __future__ import annotations

import socket
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from dashboard.cli.dashboard import (
    check_key,
    check_port,
    check_token,
    command,
    parse_analyzer_url,
    server_arguments,
)
from dashboard.environment import KEY_VARIABLE, TOKEN_VARIABLE
from dashboard.errors import DashboardError
from dashboard.server.__main__ import SCRIPT, STREAMLIT_OPTIONS
from dashboard.uploads.analysis_job import MAX_FILE_BYTES, MEBIBYTE
from models.errors import OverheardError
from tests.support.cli import main_error

SECRET = "a-secret-of-these-tests"


@pytest.fixture
def taken_port() -> Iterator[int]:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        yield int(listener.getsockname()[1])


@pytest.mark.parametrize(
    "url", ["ws://127.0.0.1:8765", "wss://music.example/live", "ws://[::1]:8765", "ws://localhost:1/path"]
)
def test_websocket_addresses_pass_unchanged(url: str) -> None:
    assert parse_analyzer_url(url) == url


@pytest.mark.parametrize(
    "url",
    ["", "8765", "127.0.0.1:8765", "http://127.0.0.1:8765", "ws://", "ws://:80", "ws://host:port",
     "ws://host:99999", "ws://host:0", "ws://[::1", "ws//host"],
)  # fmt: skip
def test_other_addresses_are_refused_with_an_example(url: str) -> None:
    with pytest.raises(DashboardError, match=r"such as ws://127\.0\.0\.1:8765"):
        command(["--analyzer", url])


@pytest.mark.parametrize(
    "url",
    [
        "ws://host/?token=very-secret-indeed",
        "wss://h/?a=1&TOKEN=very-secret-indeed",
        "ws://me:very-secret-indeed@h",
    ],
)
def test_a_secret_in_the_address_is_refused_and_not_repeated(url: str) -> None:
    with pytest.raises(DashboardError, match="set the token in OVERHEARD_TOKEN") as caught:
        parse_analyzer_url(url)
    assert "very-secret-indeed" not in str(caught.value)


def test_a_token_that_a_browser_cannot_send_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    for token in ("", "a-token-of-the-tests", "~._-" * 4):
        check_token({"OVERHEARD_TOKEN": token})
    for token in ("short", "with spaces in the middle", "ümlauts-and-then-some", "x" * 257, "new\nline" * 4):
        with pytest.raises(DashboardError, match=f"OVERHEARD_TOKEN has {len(token)} characters") as caught:
            check_token({"OVERHEARD_TOKEN": token})
        assert token not in str(caught.value)
    monkeypatch.setenv("OVERHEARD_TOKEN", "short")
    with pytest.raises(DashboardError, match="it must have 16 to 256"):
        command([])


def test_a_taken_port_is_named_with_the_remedy(taken_port: int) -> None:
    with pytest.raises(OverheardError) as caught:
        command(["--port", str(taken_port)])
    assert f"127.0.0.1:{taken_port}" in str(caught.value)
    assert "--port" in str(caught.value)
    assert "\n" not in str(caught.value), "the error must be one sentence"


@pytest.mark.parametrize("port", [-1, 0, 65_536])
def test_ports_out_of_range_are_refused(port: int) -> None:
    with pytest.raises(DashboardError, match="1 to 65535"):
        check_port("127.0.0.1", port)


def test_a_host_that_is_not_of_this_machine_is_refused() -> None:
    with pytest.raises(DashboardError, match=r"192\.0\.2\.1"):  # reserved for documentation
        check_port("192.0.2.1", 8501)
    with pytest.raises(DashboardError, match="--host"):
        check_port("a" * 64 + ".invalid", 8501)


def test_a_free_port_stays_free(taken_port: int) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        free = int(probe.getsockname()[1])
    assert free != taken_port
    check_port("127.0.0.1", free)
    check_port("127.0.0.1", free)


def test_the_server_gets_the_analyzer_the_address_and_the_names_but_no_secret(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Every user of the machine can read command lines."""
    for variable in (KEY_VARIABLE, TOKEN_VARIABLE):
        monkeypatch.setenv(variable, SECRET)
    arguments = server_arguments("ws://127.0.0.1:1", "127.0.0.1", 8600, ["radio.example"])
    assert arguments[:4] == [sys.executable, "-P", "-m", "dashboard.server"]
    options = ["--analyzer", "ws://127.0.0.1:1", "--host", "127.0.0.1", "--port", "8600"]
    assert arguments[4:] == [*options, "--allow-host=radio.example"]
    assert SECRET not in " ".join(arguments)


def test_the_server_accepts_files_of_the_size_that_the_page_promises() -> None:
    """The server of Streamlit limits uploads to 200 MB unless an option raises the limit."""
    assert STREAMLIT_OPTIONS["server.maxUploadSize"] == MAX_FILE_BYTES // MEBIBYTE
    assert SCRIPT.is_file()


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "radio.example", "localhost.example", ""])
def test_a_page_for_other_machines_needs_a_key(host: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The analyzer demands a token in the same case. The page holds this token and shows the history."""
    monkeypatch.delenv(KEY_VARIABLE, raising=False)
    with pytest.raises(DashboardError, match=r"other machines; set a key of 16 .*\(OVERHEARD_PAGE_KEY\)"):
        command(["--host", host])
    check_key(host, {KEY_VARIABLE: SECRET})


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.2", "localhost", "::1"])
def test_a_page_for_this_machine_needs_no_key(host: str) -> None:
    check_key(host, {})
    check_key(host, {KEY_VARIABLE: SECRET})


def test_a_short_key_is_refused_and_not_repeated() -> None:
    with pytest.raises(DashboardError, match="OVERHEARD_PAGE_KEY has 6 characters") as caught:
        check_key("127.0.0.1", {KEY_VARIABLE: "secret"})
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    "name",
    ["", ".", "http://radio.example", "radio.example:8501", "radio.example/", "*", "a b", "a..b", "x" * 64],
)
def test_other_texts_are_no_names(name: str) -> None:
    with pytest.raises(DashboardError, match="give the name alone, such as"):
        command(["--allow-host", name])


def test_no_module_of_the_dashboard_hides_another_package() -> None:
    """Tools put the folder of a script first on sys.path, where ``json.py`` would hide Python's module."""
    names = {
        path.stem
        for path in SCRIPT.parent.iterdir()
        if path.suffix == ".py" or (path / "__init__.py").is_file()
    }
    assert not names & (
        sys.stdlib_module_names | {"models", "realtime", "training", "dashboard", "streamlit"}
    )


def test_a_missing_library_is_an_error(tmp_path: Path) -> None:
    for library in (tmp_path / "absent", tmp_path):
        error = main_error("dashboard", "--library", str(library))
        assert str(library) in error
        assert "`overheard library ~/Music --out " in error
