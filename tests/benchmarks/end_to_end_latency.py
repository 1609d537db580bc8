"""Latency from a sound in PulseAudio to its estimate, and to the page.

A click is played. Then come the first estimate whose level shows it, and the frame in which the page does.
"""

from __future__ import annotations

import fcntl
import math
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import numpy as np
from playwright.sync_api import Error as PlaywrightError

from tests.benchmarks.results import Result
from tests.support.audio import noise
from tests.support.sound_servers import SoundServer, run_listen, sound_server

CLICKS = 60
RATE = 48_000
CHUNK = RATE // 100
CLICK_DBFS = -60.0
HOPS = (0.0, 0.0871)
"""The default, and the shortest hop of the fine spectrogram, which is one column."""


def measure() -> list[Result]:
    """Percentiles over ``CLICKS`` clicks, the player's buffers of some 40 ms included."""
    found = []
    with tempfile.TemporaryDirectory() as folder, sound_server(Path(folder), "pulseaudio") as server:
        for hop in HOPS:
            seconds, computed = click(server, hop)
            name = f"sound to estimate, {'default hop' if not hop else f'hop of {hop * 1e3:.0f} ms'}"
            for share in (0.5, 0.95, 0.99):
                found.append(Result(f"{name}: p{share * 100:.0f}", percentile(seconds, share) * 1e3, "ms"))
            found.append(Result(f"{name}: of which computing, p50", percentile(computed, 0.5), "ms"))
        shown = pixels(server)
        for share in (0.5, 0.95, 0.99):
            name = f"sound to pixel, hop of {HOPS[-1] * 1e3:.0f} ms: p{share * 100:.0f}"
            found.append(Result(name, percentile(shown, share) * 1e3, "ms"))
    return found


# Notes when a level above a limit is painted, by the clock that Python reads, too.
WATCH_LEVEL = """(element, limit) => {
  window.loudAt = [];
  const isLoud = () => parseFloat(element.textContent.replace("\\u2212", "-")) > limit; // silence: none
  window.quiet = !isLoud();
  new MutationObserver(() => {
    window.quiet = !isLoud();
    if (!window.quiet) requestAnimationFrame(() => {
      const channel = new MessageChannel(); // its message comes once the frame is painted
      channel.port1.onmessage = () => window.loudAt.push(Date.now());
      channel.port2.postMessage(null);
    });
  }).observe(element, { childList: true, characterData: true, subtree: true });
}"""


def pixels(server: SoundServer) -> list[float]:
    """Seconds from each click to the first painted frame of the page that shows its level."""
    from playwright.sync_api import sync_playwright

    from tests.support.browser import CHROMIUM_OPTIONS
    from tests.support.network import free_port
    from tests.support.programs import chromium_path

    port = free_port()
    words = ["run", "--source", "system", "--no-browser", "--port", "0", "--dashboard-port", str(port)]
    process = subprocess.Popen(
        [sys.executable, "-m", "realtime.cli", *words, "--hop-seconds", str(HOPS[-1]), "--history", "off"],
        env=server.environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    player = Player(server)
    player.start()
    try:
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=chromium_path(), args=CHROMIUM_OPTIONS)
            page = browser.new_page(viewport={"width": 1280, "height": 1000})
            deadline = time.monotonic() + 60
            while True:
                try:
                    page.goto(f"http://127.0.0.1:{port}")
                    break
                except PlaywrightError:
                    if time.monotonic() > deadline:
                        raise
                    time.sleep(0.2)
            level = page.get_by_test_id("level")
            level.wait_for(timeout=60_000)
            level.evaluate(WATCH_LEVEL, CLICK_DBFS)
            page.wait_for_function("window.quiet", timeout=60_000)
            seconds = []
            for number in range(CLICKS):
                page.wait_for_function("window.quiet")
                page.evaluate("window.loudAt = []")
                player.click_at = time.monotonic() + 0.2 + 0.6 * (number * 0.618 % 1)
                page.wait_for_function("window.loudAt.length", timeout=10_000)
                clicked = player.clicked_at + time.time() - time.monotonic()
                seconds.append(page.evaluate("window.loudAt[0]") / 1e3 - clicked)
            browser.close()
    finally:
        player.stop()
        process.terminate()
        process.wait(timeout=15)
    return seconds


def percentile(values: list[float], share: float) -> float:
    """Nearest rank."""
    return sorted(values)[math.ceil(share * len(values)) - 1]


def click(server: SoundServer, hop: float) -> tuple[list[float], list[float]]:
    """Seconds from each click to its estimate, and the latency in milliseconds that the estimate reports."""
    options = ["--hop-seconds", str(hop)] if hop else []
    with run_listen(server.environment, "--source", "system", *options) as overheard:
        player = Player(server)
        player.start()
        overheard.until(lambda message: message["type"] == "estimate")
        seconds, computed = [], []
        for number in range(CLICKS):
            overheard.until(is_quiet)
            # Spread evenly over every phase of a hop: the golden ratio's multiples never cluster.
            player.click_at = time.monotonic() + 0.2 + 0.6 * (number * 0.618 % 1)
            heard = overheard.until(lambda message: message["type"] == "estimate" and not is_quiet(message))
            seconds.append(time.monotonic() - player.clicked_at)
            computed.append(heard["latency_ms"])
        player.stop()
    return seconds, computed


def is_quiet(message: dict[str, float]) -> bool:
    """Check if the message is an estimate without a click in its new audio."""
    return str(message["type"]) == "estimate" and message["level_dbfs"] < CLICK_DBFS


class Player(threading.Thread):
    """Plays silence in real time, and a click of 10 ms when asked to."""

    def __init__(self, server: SoundServer) -> None:
        super().__init__(name="player", daemon=True)
        self.click_at, self.clicked_at = math.inf, 0.0
        self._ended = threading.Event()
        self._child = subprocess.Popen(
            ["pacat", "--playback", "--raw", "--format=float32le", f"--rate={RATE}", "--channels=1",
             "--latency-msec=20", "--process-time-msec=5", "--device=speakers"],
            stdin=subprocess.PIPE, env=server.environment, bufsize=0,
        )  # fmt: skip
        assert self._child.stdin is not None
        # 21 ms; a pipe of the usual size holds a third of a second.
        fcntl.fcntl(self._child.stdin, fcntl.F_SETPIPE_SZ, 4_096)

    def run(self) -> None:
        assert self._child.stdin is not None
        began, written = time.monotonic(), 0
        burst = (0.5 * noise(CHUNK)).astype("<f4").tobytes()
        while not self._ended.is_set():
            if time.monotonic() >= self.click_at:
                self.click_at, self.clicked_at = math.inf, time.monotonic()
                self._child.stdin.write(burst)
            else:
                self._child.stdin.write(np.zeros(CHUNK, "<f4").tobytes())
            written += CHUNK
            self._ended.wait(max(0.0, began + written / RATE - time.monotonic()))

    def stop(self) -> None:
        """End it."""
        self._ended.set()
        self.join()
        self._child.kill()
        self._child.wait()
