"""Programs of the system that tests need."""

from __future__ import annotations

import shutil

import pytest


def chromium_path() -> str | None:
    """The system's Chromium, the lighter one first."""
    names = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")
    return next(filter(None, map(shutil.which, names)), None)


def need(package: str, *programs: str) -> None:
    """Skip where a program is missing, naming the Debian package that has it."""
    for program in programs:
        if shutil.which(program) is None:
            pytest.skip(f"{program} is not installed; on Debian: apt install {package}")
