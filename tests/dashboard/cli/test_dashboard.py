"""``overheard dashboard``: options, addresses and settings of Streamlit."""

from __future__ import annotations

import socket
import sys
from collections.abc import Iterator

import pytest

from dashboard.cli.dashboard import (
    APP,
    check_port,
    check_token,
    command,
    parse_analyzer_url,
    streamlit_arguments,
)
from dashboard.errors import DashboardError
from dashboard.uploads.analysis_job import MAX_FILE_BYTES, MEBIBYTE
from models.errors import OverheardError


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


def test_streamlit_starts_without_a_browser_and_gets_the_analyzer_as_the_last_argument() -> None:
    arguments = streamlit_arguments("ws://127.0.0.1:1", "127.0.0.1", 8600)
    assert arguments[:6] == [sys.executable, "-P", "-m", "streamlit", "run", str(APP)]
    assert APP.is_file()
    assert arguments[-3:] == ["--", "--analyzer", "ws://127.0.0.1:1"]
    wanted = ("server.headless=true", "browser.gatherUsageStats=false", "server.port=8600")
    for option in (*wanted, "client.toolbarMode=viewer"):
        assert f"--{option}" in arguments


def test_the_server_accepts_files_of_the_size_that_the_page_promises() -> None:
    """The server of Streamlit limits uploads to 200 MB unless an option raises the limit."""
    arguments = streamlit_arguments("ws://127.0.0.1:1", "127.0.0.1", 8600)
    assert f"--server.maxUploadSize={MAX_FILE_BYTES // MEBIBYTE}" in arguments


def test_no_module_of_the_dashboard_hides_another_package() -> None:
    """``streamlit run`` puts the folder first on sys.path, where ``json.py`` would hide Python's module."""
    names = {
        path.stem for path in APP.parent.iterdir() if path.suffix == ".py" or (path / "__init__.py").is_file()
    }
    assert not names & (
        sys.stdlib_module_names | {"models", "realtime", "training", "dashboard", "streamlit"}
    )
