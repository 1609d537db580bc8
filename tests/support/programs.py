"""System programs that tests need."""

from __future__ import annotations

import shutil

import pytest


def chromium_path() -> str | None:
    """Return the path of the system's Chromium, or None. The build without windows is preferred."""
    names = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")
    return next(filter(None, map(shutil.which, names)), None)


def need(package: str, *programs: str) -> None:
    """Skip the test if a program is missing. The reason names the Debian package."""
    for program in programs:
        if shutil.which(program) is None:
            pytest.skip(f"{program} is not installed; on Debian: apt install {package}")
