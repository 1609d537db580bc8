"""The page against foreign web sites, in a browser that maps foreign names to this machine."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests.support.browser import CHROMIUM_OPTIONS, PATIENCE_MS
from tests.support.network import free_port
from tests.support.page_server import page_server

TOKEN = "the-token-of-the-analyzer"
KEY = "the-key-of-the-page"

ATTACK = """async (port) => {
  const open = (url) => new Promise((done) => {
    const socket = new WebSocket(url);
    socket.onopen = () => done("open");
    socket.onclose = () => done("closed");
  });
  const read = (url, mode) => fetch(url, { mode }).then((r) => r.text()).catch((error) => error.name);
  const framed = (url) => new Promise((done) => {
    const frame = document.createElement("iframe");
    frame.onload = () => done(frame.contentWindow.length);
    frame.src = url;
    document.body.append(frame);
  });
  const targets = [location.host, `${location.hostname}:${port}`, `127.0.0.1:${port}`, `localhost:${port}`];
  const result = { sockets: [], texts: [] };
  for (const target of targets) {
    result.sockets.push(await open(`ws://${target}/_stcore/stream`));
    result.texts.push(await read(`http://${target}/`), await read(`http://${target}/_stcore/host-config`));
  }
  await framed(`http://127.0.0.1:${port}/`);
  return result;
}"""
"""What a foreign site can try. Its script runs under its own name on its own port or on that of the page."""


@pytest.fixture(scope="module")
def browser(chromium: str) -> Iterator[Browser]:
    """Browser that takes two foreign names for this machine, as after a rebinding."""
    expect.set_options(timeout=PATIENCE_MS)
    rules = "--host-resolver-rules=MAP evil.example 127.0.0.1, MAP radio.example 127.0.0.1"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=[*CHROMIUM_OPTIONS, rules])
        yield browser
        browser.close()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    context = browser.new_context(locale="en-US")
    yield context.new_page()
    context.close()


@pytest.fixture(scope="module")
def port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    home = str(tmp_path_factory.mktemp("home"))
    environment = {"XDG_DATA_HOME": home, "OVERHEARD_TOKEN": TOKEN, "OVERHEARD_PAGE_KEY": ""}
    analyzer = f"ws://127.0.0.1:{free_port()}"
    with page_server(
        "--analyzer", analyzer, "--allow-host", "radio.example", environment=environment
    ) as port:
        yield port


@pytest.fixture(scope="module")
def evil_port() -> Iterator[int]:
    """Port of an empty page that belongs to the attacker."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(b"<!doctype html><title>evil</title><body>")

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server.server_port
        server.shutdown()
        thread.join()


def frames_received(page: Page) -> list[bytes]:
    """Return a list that collects everything that the page receives over websockets."""
    frames: list[bytes] = []

    def add(payload: str | bytes) -> None:
        frames.append(payload.encode() if isinstance(payload, str) else payload)

    page.on("websocket", lambda socket: socket.on("framereceived", add))
    return frames


def status(page: Page, address: str) -> int:
    """Open an address and return the status of the response."""
    response = page.goto(address, wait_until="commit")
    assert response is not None
    return response.status


@pytest.mark.parametrize("name", ["127.0.0.1", "localhost", "radio.example"])
def test_the_page_gets_the_token_under_its_own_names(page: Page, port: int, name: str) -> None:
    frames = frames_received(page)
    page.goto(f"http://{name}:{port}/")
    expect(page.get_by_text("Analyzer not reachable")).to_be_visible()
    assert any(TOKEN.encode() in frame for frame in frames)


def test_a_rebound_name_shows_one_sentence_and_gets_no_token(page: Page, port: int) -> None:
    """Regression: under a name that a site points at this machine, the page opened and held the token."""
    frames = frames_received(page)
    response = page.goto(f"http://evil.example:{port}/")
    assert response is not None
    assert response.status == 403
    assert f"this page is not served under evil.example:{port}" in page.inner_text("body")
    result = page.evaluate(ATTACK, port)
    assert set(result["sockets"]) == {"closed"}
    assert all("not served under" in text for text in result["texts"][:4])
    assert set(result["texts"][4:]) == {"TypeError"}, "other origins cannot even read the refusal"
    assert frames == []


def test_a_page_of_a_foreign_origin_can_neither_connect_nor_read_nor_frame(
    page: Page, port: int, evil_port: int
) -> None:
    page.goto(f"http://evil.example:{evil_port}/")
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    result = page.evaluate(ATTACK, port)
    assert result["sockets"][1:] == ["closed"] * 3
    assert set(result["texts"][2:]) == {"TypeError"}
    assert any("frame-ancestors" in text for text in said)
    assert all("Streamlit" not in frame.content() for frame in page.frames)


def test_the_key_page_opens_the_page_and_the_browser_remembers_the_key(
    page: Page, tmp_path_factory: pytest.TempPathFactory
) -> None:
    home = str(tmp_path_factory.mktemp("home"))
    environment = {"XDG_DATA_HOME": home, "OVERHEARD_TOKEN": TOKEN, "OVERHEARD_PAGE_KEY": KEY}
    with page_server(host="0.0.0.0", environment=environment) as port:
        frames = frames_received(page)
        page.goto(f"http://127.0.0.1:{port}/model")
        page.get_by_label("Key of this page").fill("wrong")
        page.get_by_role("button", name="Open").click()
        expect(page.get_by_role("status")).to_contain_text("This key is wrong.")
        assert frames == []
        page.get_by_label("Key of this page").fill(KEY)
        page.get_by_role("button", name="Open").click()
        expect(page.locator("#root")).to_be_attached()  # the element of Streamlit
        assert status(page, f"http://127.0.0.1:{port}/session") == 200
        page.context.clear_cookies()
        assert status(page, f"http://127.0.0.1:{port}/session") == 401
        page.goto("about:blank")
        page.goto(f"http://127.0.0.1:{port}/model#key={KEY}")
        page.wait_for_url(f"http://127.0.0.1:{port}/model")  # without the key
        assert status(page, f"http://127.0.0.1:{port}/session") == 200
        page.context.clear_cookies()
        page.goto(f"http://127.0.0.1:{port}//evil.example/#key={KEY}")
        page.wait_for_url(f"http://127.0.0.1:{port}//evil.example/")  # the path leads to no other server
