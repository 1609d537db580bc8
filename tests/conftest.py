"""What all tests share: where the optional recordings are, and what may be skipped."""

from __future__ import annotations

import gc
import os
import shutil
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from xdist.scheduler import LoadFileScheduling

ROOT = Path(__file__).resolve().parent.parent

MAY_SKIP = (
    "needs ../shared",
    "needs a GPU",
    "needs Linux",
    "needs Python 3.11",
)
"""With OVERHEARD_REQUIRE_ALL=1 a skip for any other reason is a failure."""

SLOWEST = (
    "test_cluster.py",
    "test_sound_servers.py",
    "test_release.py",
    "test_file_page.py",
    "test_live_page.py",
    "test_session_page.py",
    "test_study.py",
    "test_live_quality.py",
    "test_for_you_page.py",
    "test_for_you_services.py",
    "test_live_sources.py",
    "test_run.py",
    "test_switchboard_devices.py",
    "test_file_analysis.py",
    "test_pulseaudio.py",
    "test_other_host.py",
    "test_model_page.py",
    "test_dashboard_feed.py",
    "test_stations.py",
    "test_switchboard.py",
    "test_streams.py",
    "test_listen.py",
    "test_monitor.py",
    "test_track_library.py",
    "test_track_hearing.py",
)
"""These files begin first: one that began last would leave the other processes idle."""

TOGETHER = {
    "test_finetune.py": "test_release.py",
    "test_report.py": "test_release.py",
    "test_training_head.py": "test_study.py",
    "test_music_network.py": "test_study.py",
    "test_parts.py": "test_study.py",
    "test_training_splits.py": "test_study.py",
}
"""Files whose tests follow another's in its process: each that imports TensorFlow takes seconds for it."""


class FileScheduling(LoadFileScheduling):  # type: ignore[misc]  # pytest-xdist has no types
    """A file, or what stands together, is one process's."""

    def _split_scope(self, nodeid: str) -> str:
        path: str = super()._split_scope(nodeid)
        return TOGETHER.get(Path(path).name, Path(path).name)


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> FileScheduling:
    return FileScheduling(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    place = {name: number for number, name in enumerate(SLOWEST)}
    items.sort(key=lambda item: place.get(item.path.name, len(place)))  # stable within a file


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    """Tests marked ``training`` run unseen by coverage, which counts none of their lines.

    Watching TensorFlow trace a graph takes a third of its time again. And Keras collects garbage
    whenever it begins anew, so that what TensorFlow's import left behind is not looked through each time.
    """
    if item.get_closest_marker("training") is None:
        return (yield)
    if "tensorflow" in sys.modules and not gc.get_freeze_count():
        gc.freeze()
    watching = _coverage()
    if watching is None:
        return (yield)
    watching.stop()
    try:
        return (yield)
    finally:
        watching.start()


def _coverage() -> Any:
    """The coverage that is being taken in this process, or None."""
    if "coverage" not in sys.modules:
        return None
    from coverage import Coverage

    return Coverage.current()


def pytest_runtest_setup(item: pytest.Item) -> None:
    if item.get_closest_marker("training"):
        for name in ("tensorflow", "matplotlib", "sklearn"):
            if find_spec(name) is None:  # asked without importing it, which takes seconds in every process
                pytest.skip(f"training needs {name}: install the extra 'training'")


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


def chromium_path() -> str | None:
    """The system's Chromium, the lighter one first."""
    names = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")
    return next(filter(None, map(shutil.which, names)), None)


@pytest.fixture(scope="session")
def chromium() -> str:
    """Path of the system's Chromium."""
    if found := chromium_path():
        return found
    pytest.skip("Chromium is not installed; on Debian: apt install chromium")


@pytest.fixture(autouse=True)
def no_settings_from_outside(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A developer's own settings must not decide what the tests see."""
    for name in list(os.environ):
        if name.startswith("OVERHEARD_") and name not in ("OVERHEARD_REQUIRE_ALL", "OVERHEARD_SHARED"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("OVERHEARD_OPEN_BROWSER", "no")  # nor may they open one on the developer's screen
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))  # the history of tests is no part of theirs
