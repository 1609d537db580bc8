"""Markers, order and fixtures of all tests."""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

from tests.support.paths import ROOT
from tests.support.programs import chromium_path
from tests.support.tagged_model import tagged_model

__all__ = ["tagged_model"]  # a fixture of many tests

TESTS = ROOT / "tests"

MAY_SKIP = (
    "needs ../shared",
    "needs a GPU",
    "needs Linux",
    "needs Python 3.11",
)
"""Reasons that a skip may have with OVERHEARD_REQUIRE_ALL=1. Any other skip is a failure."""

for _name in ("REQUIRE_ALL", "SHARED"):
    # The commands that tests start refuse unknown OVERHEARD_ variables, so these get another prefix.
    if (_value := os.environ.pop(f"OVERHEARD_{_name}", None)) is not None:
        os.environ[f"TESTS_{_name}"] = _value

settings.register_profile("full", deadline=None)  # an example may take long on a busy machine
settings.register_profile("quick", deadline=None, max_examples=25)
settings.load_profile("full")

FOLDER_MARKERS = {
    "benchmarks": ("benchmark",),
    "dashboard/analyzer": ("integration",),
    "dashboard/cli": ("integration",),
    "dashboard/recommendations/providers": ("integration",),
    "dashboard/uploads": ("integration",),
    "e2e/browser": ("e2e",),
    "e2e/cluster": ("cluster",),
    "e2e/sound_servers": ("integration", "sound_servers"),
    "models/test_tflite_runtime.py": ("environment",),
    "realtime/cli": ("integration",),
    "realtime/control": ("integration",),
    "realtime/library": ("integration",),
    "realtime/monitoring": ("integration",),
    "realtime/network": ("integration",),
    "realtime/now_playing": ("integration",),
    "realtime/outputs": ("integration",),
    "realtime/server": ("integration",),
    "support/fuzzing": ("integration",),
    "training": ("training",),
}
"""Markers of every test under a path."""

SLOWEST_FIRST = ("cluster", "sound_servers", "training", "e2e", "benchmark", "integration")
"""Order in which the test processes take files. A slow file that starts last would leave the others idle."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        path = item.path.relative_to(TESTS)
        for part in (path, *path.parents):
            for marker in FOLDER_MARKERS.get(part.as_posix(), ()):
                item.add_marker(marker)
        if "shared" in getattr(item, "fixturenames", ()):
            item.add_marker("recordings")
    items.sort(key=_rank)  # stable within a file


def _rank(item: pytest.Item) -> int:
    """Return the position of a test's slowest marker in ``SLOWEST_FIRST``."""
    ranks = (rank for rank, name in enumerate(SLOWEST_FIRST) if item.get_closest_marker(name))
    return min(ranks, default=len(SLOWEST_FIRST))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    """Run tests marked ``training`` without coverage, which counts none of their lines.

    Coverage makes the tracing of a TensorFlow graph a third slower. Keras collects garbage whenever it clears
    its session, so the objects of TensorFlow's import are frozen and not searched each time.
    """
    if item.get_closest_marker("training") is None:
        return (yield)
    if "tensorflow" in sys.modules and not gc.get_freeze_count():
        gc.freeze()
    coverage = _coverage()
    if coverage is None:
        return (yield)
    coverage.stop()
    try:
        return (yield)
    finally:
        coverage.start()


def _coverage() -> Any:
    """Return the running coverage measurement of this process, or None."""
    if "coverage" not in sys.modules:
        return None
    from coverage import Coverage

    return Coverage.current()


def pytest_runtest_setup(item: pytest.Item) -> None:
    if item.get_closest_marker("training"):
        for name in ("tensorflow", "matplotlib", "sklearn"):
            if find_spec(name) is None:  # an import would take seconds in every process
                pytest.skip(f"training needs {name}: install the extra 'training'")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):  # type: ignore[no-untyped-def]  # pytest's own types are private
    report = yield
    if report.skipped and os.environ.get("TESTS_REQUIRE_ALL") == "1" and not hasattr(report, "wasxfail"):
        reason = report.longrepr[2].removeprefix("Skipped: ")
        if not reason.startswith(MAY_SKIP):
            report.outcome = "failed"
            report.longrepr = f"skipped although OVERHEARD_REQUIRE_ALL is set: {reason}"
    return report


@pytest.fixture(scope="session")
def shared() -> Path:
    """Folder of real recordings, which is not part of the project."""
    folder = Path(os.environ.get("TESTS_SHARED", ROOT.parent / "shared")) / "data"
    if not folder.is_dir():
        pytest.skip("needs ../shared")
    return folder


@pytest.fixture(scope="session")
def chromium() -> str:
    """Path of the system's Chromium."""
    if found := chromium_path():
        return found
    pytest.skip("Chromium is not installed; on Debian: apt install chromium")


@pytest.fixture(autouse=True)
def no_settings_from_outside(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Keep the developer's own settings out of the tests."""
    for name in list(os.environ):
        if name.startswith("OVERHEARD_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("OVERHEARD_BROWSER", "no")  # nor may they open one on the developer's screen
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))  # nor may tests write to the developer's history
    monkeypatch.setenv("no_proxy", "*")  # all servers of the tests are on this machine
