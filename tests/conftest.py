"""What all tests share: where the optional recordings are, and what may be skipped."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent

MAY_SKIP = (
    "needs ../shared",
    "needs a GPU",
    "needs Linux",
    "needs Python 3.11",
)
"""With OVERHEARD_REQUIRE_ALL=1 a skip for any other reason is a failure."""


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):  # type: ignore[no-untyped-def]  # pytest's own types are private
    report = yield
    if report.skipped and os.environ.get("OVERHEARD_REQUIRE_ALL") == "1" and not hasattr(report, "wasxfail"):
        reason = report.longrepr[2].removeprefix("Skipped: ")
        if not reason.startswith(MAY_SKIP):
            report.outcome = "failed"
            report.longrepr = f"skipped although OVERHEARD_REQUIRE_ALL is set: {reason}"
    return report


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of real recordings, which is no part of the project."""
    folder = Path(os.environ.get("OVERHEARD_SHARED", ROOT.parent / "shared")) / "data"
    if not folder.is_dir():
        pytest.skip("needs ../shared")
    return folder


@pytest.fixture(scope="session")
def chromium() -> str:
    """Path of the system's Chromium."""
    for name in ("chromium", "chromium-browser", "google-chrome"):
        if found := shutil.which(name):
            return found
    pytest.skip("Chromium is not installed; on Debian: apt install chromium")


@pytest.fixture(autouse=True)
def no_settings_from_outside(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A developer's own settings must not decide what the tests see."""
    for name in list(os.environ):
        if name.startswith("OVERHEARD_") and name not in ("OVERHEARD_REQUIRE_ALL", "OVERHEARD_SHARED"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))  # the history of tests is no part of theirs
