"""Runs of the ``overheard`` command, in a new process or in the process of the tests."""

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


def run_command(
    *arguments: str, environment: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run the command in a new process."""
    done = subprocess.run(
        [sys.executable, "-m", "realtime.cli", *arguments],
        capture_output=True,
        text=True,
        timeout=120,
        env=os.environ | dict(environment or {}),
        check=False,
    )
    assert "Traceback" not in done.stderr
    return done


def command_error(*arguments: str, environment: Mapping[str, str] | None = None) -> str:
    """Return the error message of a command that must fail."""
    return error_message(run_command(*arguments, environment=environment))


def run_main(
    *arguments: str, environment: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run the command in this process, because a new one takes longer to start than most commands run."""
    out, err = io.StringIO(), io.StringIO()
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(out), redirect_stderr(err):
        for name, value in (environment or {}).items():
            patch.setenv(name, value)
        try:
            code = main(arguments)
        except SystemExit as end:  # argparse ends --help in this way
            code = end.code if isinstance(end.code, int) else 1
    assert "Traceback" not in err.getvalue()
    return subprocess.CompletedProcess(arguments, code, out.getvalue(), err.getvalue())


def main_error(*arguments: str, environment: Mapping[str, str] | None = None) -> str:
    """Return the error message of a command that must fail, and run it in this process."""
    return error_message(run_main(*arguments, environment=environment))


def error_message(done: subprocess.CompletedProcess[str]) -> str:
    """Return the error message of a command, which must end with code 2 and print nothing else."""
    assert done.returncode == 2, done
    assert done.stdout == ""
    return done.stderr.strip()


def count_windows(seconds: int) -> int:
    """Return the number of windows of the shipped model in so many seconds."""
    audio = ModelManifest.load().audio
    remaining = seconds * audio.sample_rate - audio.window_samples
    return 1 + remaining // (audio.hop_columns * audio.column_step)


def format_window_seconds() -> str:
    """Return the length of the shipped model's window in seconds, rounded up as in error messages."""
    return f"{np.ceil(100 * ModelManifest.load().audio.window_seconds) / 100:.2f}"


def copy_model(folder: Path) -> tuple[Path, dict[str, object]]:
    """Copy the shipped model to a folder, and return the manifest's path and fields."""
    shipped = ModelManifest.load()
    (folder / shipped.file).write_bytes(shipped.read_model())
    shipped.save(folder / "genre.json")
    return folder / "genre.json", json.loads((folder / "genre.json").read_text())
