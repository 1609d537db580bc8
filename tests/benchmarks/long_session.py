"""``python -m tests.benchmarks.long_session``: check that a long session with open pages does not grow.

The demonstration plays 8 times as fast as music does for 15 minutes, which are two hours of messages,
while two browsers show the Live page and For you. It prints each minute the resident memory, descriptors
and threads of the process that serves the pages, and the memory of the Live page's script after a garbage
collection. The exit status is 1 if the second half added more than ``MAX_GROWTH_MB`` to either memory.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from playwright.sync_api import CDPSession, Error, Page, sync_playwright

from tests.support.browser import CHROMIUM_OPTIONS
from tests.support.network import free_port

SPEED = 8
MAX_GROWTH_MB = 10.0
SAMPLE_SECONDS = 60.0


@dataclass(frozen=True)
class Sample:
    """Figures of one moment. Memory is in megabytes."""

    minutes: float
    server_mb: float
    descriptors: int
    threads: int
    page_mb: float

    def __str__(self) -> str:
        return (
            f"{self.minutes:5.1f} min, {self.minutes * SPEED:4.0f} min of messages: "
            f"server {self.server_mb:.1f} MB, {self.descriptors} descriptors, {self.threads} threads; "
            f"page {self.page_mb:.1f} MB"
        )


def main() -> int:
    """Run it and print the samples."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.long_session", description=__doc__)
    parser.add_argument("--minutes", type=float, default=15.0, help="how long it runs")
    options = parser.parse_args()
    browser_path = shutil.which("chromium-headless-shell") or shutil.which("chromium")
    if browser_path is None or not Path("/proc").is_dir():
        print("needs Linux and chromium-headless-shell", file=sys.stderr)
        return 2
    port = free_port()
    words = ["run", "--source", "demo", "--speed", str(SPEED), "--port", "0", "--dashboard-port", str(port)]
    with tempfile.TemporaryDirectory() as home, sync_playwright() as playwright:
        program = subprocess.Popen(
            [sys.executable, "-m", "realtime.cli", *words, "--no-browser"],
            env=os.environ | {"XDG_DATA_HOME": home},
        )
        browser = playwright.chromium.launch(executable_path=browser_path, args=CHROMIUM_OPTIONS)
        try:
            pages = [browser.new_context().new_page() for _ in range(2)]
            for page, path in zip(pages, ("", "for_you"), strict=True):
                visit(page, f"http://127.0.0.1:{port}/{path}")
            samples = watch(server_of(program), pages[0], options.minutes)
        finally:
            browser.close()
            program.terminate()
            program.wait(timeout=20)
    half = samples[len(samples) // 2]
    server, page_growth = samples[-1].server_mb - half.server_mb, samples[-1].page_mb - half.page_mb
    print(f"second half: server {server:+.1f} MB, page {page_growth:+.1f} MB")
    return int(max(server, page_growth) > MAX_GROWTH_MB)


def visit(page: Page, address: str) -> None:
    """Open a page that may not be served yet."""
    for _ in range(300):
        try:
            page.goto(address)
            return
        except Error:
            page.wait_for_timeout(200)
    raise TimeoutError(address)


def server_of(program: subprocess.Popen[bytes]) -> int:
    """The process below ``overheard run`` that serves the pages: the one of the last command."""
    children = [program.pid]
    while below := Path(f"/proc/{children[-1]}/task/{children[-1]}/children").read_text().split():
        children.append(int(below[-1]))
    return children[-1]


def watch(server: int, page: Page, minutes: float) -> list[Sample]:
    """A sample a minute."""
    script = page.context.new_cdp_session(page)
    began, samples = time.monotonic(), list[Sample]()
    while True:
        elapsed = time.monotonic() - began
        samples.append(sample(server, script, elapsed / 60))
        print(samples[-1], flush=True)
        if elapsed >= minutes * 60:
            return samples
        page.wait_for_timeout(min(SAMPLE_SECONDS, minutes * 60 - elapsed) * 1000)


def sample(server: int, script: CDPSession, minutes: float) -> Sample:
    """Memory of the server and of the page's script."""
    process = Path(f"/proc/{server}")
    pages = int((process / "statm").read_text().split()[1])
    script.send("HeapProfiler.collectGarbage")
    heap = script.send("Runtime.getHeapUsage")["usedSize"]
    return Sample(
        minutes,
        pages * os.sysconf("SC_PAGE_SIZE") / 1e6,
        len(list((process / "fd").iterdir())),
        len(list((process / "task").iterdir())),
        heap / 1e6,
    )


if __name__ == "__main__":
    sys.exit(main())
