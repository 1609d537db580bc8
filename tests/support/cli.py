"""Runs of the ``overheard`` command, in a process of its own or in the test's."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from collections.abc import Mapping
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

import numpy as np
import pytest

from models.manifest import ModelManifest
from realtime.cli.main import main

RATE = 22_050


def run_command(*words: str, environment: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [sys.executable, "-m", "realtime.cli", *words],
        capture_output=True,
        text=True,
        timeout=120,
        env=os.environ | (environment or {}),
        check=False,
    )
    assert "Traceback" not in done.stderr
    return done


def command_error(*words: str, environment: dict[str, str] | None = None) -> str:
    """Error message of the command, which exits with 2 and prints one line."""
    return error_message(run_command(*words, environment=environment))


def run_main(*words: str, environment: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """The same command in the test's own process: a new one takes longer to begin than most take to end."""
    out, err = io.StringIO(), io.StringIO()
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(out), redirect_stderr(err):
        for name, value in (environment or {}).items():
            patch.setenv(name, value)
        try:
            code = main(words)
        except SystemExit as left:  # argparse's way out of --help
            code = left.code if isinstance(left.code, int) else 1
    assert "Traceback" not in err.getvalue()
    return subprocess.CompletedProcess(words, code, out.getvalue(), err.getvalue())


def main_error(*words: str, environment: dict[str, str] | None = None) -> str:
    """As ``refused``, in the test's own process."""
    return error_message(run_main(*words, environment=environment))


def error_message(done: subprocess.CompletedProcess[str]) -> str:
    assert done.returncode == 2, done
    assert done.stdout == ""
    return done.stderr.strip()


def count_windows(seconds: int) -> int:
    """Windows of the shipped model that fit."""
    audio = ModelManifest.load().audio
    room = seconds * audio.sample_rate - audio.window_samples
    return 1 + room // (audio.hop_columns * audio.column_step)


def format_window_seconds() -> str:
    """Seconds of the shipped model's window, rounded up, as sentences give them."""
    return f"{np.ceil(100 * ModelManifest.load().audio.window_seconds) / 100:.2f}"


def copy_model(folder: Path) -> tuple[Path, dict[str, object]]:
    """The shipped model in a folder where it may be broken."""
    shipped = ModelManifest.load()
    (folder / shipped.file).write_bytes(shipped.read_model())
    shipped.save(folder / "genre.json")
    return folder / "genre.json", json.loads((folder / "genre.json").read_text())


def recommend(*words: str, environment: Mapping[str, str] = os.environ) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "realtime.cli", "recommend", *words]
    return subprocess.run(
        command, env=os.environ | dict(environment), capture_output=True, text=True, timeout=60, check=False
    )
