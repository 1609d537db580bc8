"""Child processes receive no secrets of the user."""

from __future__ import annotations

import ast
import io
import os

import psutil
import pytest

from dashboard.uploads.analysis_job import AnalysisJob
from models.common.child_environment import child_environment
from tests.support.paths import DEMONSTRATION, ROOT
from tests.support.waiting import wait_until

SECRET = "geheim-geheim-geheim"
SECRET_VARIABLES = (
    "OVERHEARD_TOKEN", "OVERHEARD_PAGE_KEY", "OVERHEARD_MQTT", "OVERHEARD_WEBHOOK", "OVERHEARD_SOURCE",
    "OVERHEARD_ALLOW_SOURCE", "SPOTIPY_CLIENT_ID", "SPOTIPY_CLIENT_SECRET", "YOUTUBE_API_KEY", "HTTP_PROXY",
    "http_proxy", "ALL_PROXY", "AWS_SECRET_ACCESS_KEY", "GITHUB_TOKEN", "SSH_AUTH_SOCK", "DATABASE_URL",
    "SOMETHING_NEW",
)  # fmt: skip

NEEDS_SECRETS = {"dashboard/cli/dashboard.py", "realtime/cli/run.py"}
"""Modules that start the page, which needs the token, the key and the keys of the song services."""


def test_secrets_and_unknown_variables_are_left_out() -> None:
    kept = {"PATH": "/bin", "HOME": "/root", "LC_ALL": "C", "PULSE_SERVER": "unix:/x", "OVERHEARD_HOP": "1"}
    given = kept | dict.fromkeys(SECRET_VARIABLES, SECRET)
    assert child_environment(given) == kept


def test_the_analysis_of_an_upload_receives_no_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    """Regression: a decoder that a file takes over could read the token and the keys of the services."""
    for name in SECRET_VARIABLES:
        monkeypatch.setenv(name, SECRET)
    before = {child.pid for child in psutil.Process().children(recursive=True)}
    job = AnalysisJob("song.opus")
    job.start(io.BytesIO(DEMONSTRATION.read_bytes()))
    found: list[dict[str, str]] = []

    def read_environment() -> bool:
        for child in psutil.Process().children(recursive=True):
            if child.pid not in before:
                try:
                    variables = child.environ()
                    if "analyze" in child.cmdline():
                        found.append(variables)
                except psutil.Error:
                    continue
        return bool(found) or job.done

    wait_until(read_environment, 60)
    job.cancel()
    wait_until(lambda: job.done, 60)
    assert found
    for variables in found:
        assert variables.get("PATH") == os.environ["PATH"]
        assert SECRET not in variables.values()


def test_every_child_is_given_its_environment() -> None:
    """Without one, a child inherits all secrets."""
    missing = []
    for package in ("dashboard", "models", "realtime", "training"):
        for path in sorted((ROOT / package).rglob("*.py")):
            name = path.relative_to(ROOT).as_posix()
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
                    starts = node.func.attr in (
                        "Popen",
                        "create_subprocess_exec",
                        "check_output",
                        "check_call",
                    )
                    starts |= ast.unparse(node.func) == "subprocess.run"
                    if starts and "env" not in {keyword.arg for keyword in node.keywords}:
                        missing.append(name)
    assert set(missing) <= NEEDS_SECRETS
