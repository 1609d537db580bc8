"""Record the pictures of the README from the real pages while the demonstration plays.

Usage: ``python -m tests.benchmarks.record_page [FOLDER]``. The live page becomes ``page.webp``, an animation.
The history becomes ``history.png``. The recording takes about two minutes.
"""

from __future__ import annotations

import argparse
import io
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from PIL import Image
from playwright.sync_api import Error, Page, expect, sync_playwright

from tests.support.browser import CHROMIUM_OPTIONS
from tests.support.network import free_port
from tests.support.programs import chromium_path

SIZE = (1120, 860)
"""Pixels of the browser's window."""
WIDTH = 840
"""Pixels of the animation's width."""
FRAMES, FRAME_SECONDS = 44, 0.4
WARM_UP_SECONDS = 46.0
"""Seconds of the demonstration before the first frame. The recording then shows a change of genre."""
MAX_BYTES = 2_000_000


@contextmanager
def running_program(data: Path) -> Iterator[str]:
    """Start ``overheard run`` on the demonstration and yield the address of the page."""
    port = free_port()
    options = ["--source", "demo", "--port", "0", "--dashboard-port", str(port), "--no-browser"]
    environment = os.environ | {"XDG_DATA_HOME": str(data), "XDG_CONFIG_HOME": str(data)}
    process = subprocess.Popen([sys.executable, "-m", "realtime.cli", "run", *options], env=environment)
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(timeout=15)


def record(page: Page) -> list[Image.Image]:
    """Take the frames, at ``FRAME_SECONDS`` of distance."""
    frames = []
    for _ in range(FRAMES):
        begun = time.monotonic()
        image = Image.open(io.BytesIO(page.screenshot())).convert("RGB")
        frames.append(image.resize((WIDTH, WIDTH * SIZE[1] // SIZE[0]), Image.Resampling.LANCZOS))
        page.wait_for_timeout(max(0.0, FRAME_SECONDS - (time.monotonic() - begun)) * 1000)
    return frames


def main() -> int:
    """Record the pages into the named folder."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, nargs="?", default=Path("dashboard"))
    folder: Path = parser.parse_args().folder
    file = folder / "page.webp"
    with (
        tempfile.TemporaryDirectory() as data,
        running_program(Path(data)) as url,
        sync_playwright() as api,
    ):
        browser = api.chromium.launch(executable_path=chromium_path(), args=CHROMIUM_OPTIONS)
        page = browser.new_page(viewport={"width": SIZE[0], "height": SIZE[1]}, color_scheme="dark")
        for _ in range(60):
            try:
                page.goto(url)
                break
            except Error:  # the server does not listen yet
                time.sleep(0.5)
        expect(page.get_by_test_id("genre")).to_be_visible(timeout=60_000)
        page.wait_for_timeout(WARM_UP_SECONDS * 1000)
        first, *rest = record(page)
        page.get_by_role("link", name="History").click()
        expect(page.get_by_role("slider", name="Timeline of genres")).to_be_visible(timeout=60_000)
        page.wait_for_timeout(3000)
        page.screenshot(path=folder / "history.png")
        browser.close()
    duration = int(FRAME_SECONDS * 1000)
    first.save(file, save_all=True, append_images=rest, duration=duration, loop=0, quality=70, method=6)
    size = file.stat().st_size
    print(f"{file}: {size:,} bytes, {FRAMES} frames")
    return 0 if size <= MAX_BYTES else 1


if __name__ == "__main__":
    sys.exit(main())
