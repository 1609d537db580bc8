"""Completion scripts of shells."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.support.cli import run_main

COMPLETE_IN_BASH = """
source "$1"
shift
COMP_WORDS=("$@") COMP_CWORD=$(($# - 1)) COMPREPLY=()
_shtab_overheard overheard "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD - 1]}"
printf '%s\\n' "${COMPREPLY[@]}"
"""


@pytest.fixture(scope="module")
def script(tmp_path_factory: pytest.TempPathFactory) -> Path:
    done = run_main("completion", "bash")
    assert done.returncode == 0
    path = tmp_path_factory.mktemp("completion") / "overheard"
    path.write_text(done.stdout)
    return path


def complete(script: Path, *words: str, folder: Path | None = None) -> list[str]:
    done = subprocess.run(
        ["bash", "-c", COMPLETE_IN_BASH, "bash", str(script), "overheard", *words],
        capture_output=True, text=True, timeout=30, check=True, cwd=folder,
    )  # fmt: skip
    assert done.stderr == ""
    return done.stdout.split()


@pytest.mark.parametrize(
    ("words", "proposed"),
    [
        (["li"], ["listen", "library"]),
        (["run", "--rec"], ["--reconnect-timeout-seconds"]),
        (["train", "di"], ["distill"]),
        (["evaluate", "live", "--split-"], ["--split-table"]),
        (["library", "--engine", ""], ["local", "ray"]),
        (["completion", "f"], ["fish"]),
    ],
)
def test_bash_completes_commands_options_and_values(
    script: Path, words: list[str], proposed: list[str]
) -> None:
    assert sorted(complete(script, *words)) == sorted(proposed)


def test_bash_completes_files_and_folders(script: Path, tmp_path: Path) -> None:
    (tmp_path / "song.mp3").touch()
    (tmp_path / "songs").mkdir()
    assert sorted(complete(script, "analyze", "so", folder=tmp_path)) == ["song.mp3", "songs"]
    assert complete(script, "evaluate", "folder", "so", folder=tmp_path) == ["songs"]
    assert sorted(complete(script, "run", "--config", "so", folder=tmp_path)) == ["song.mp3", "songs"]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_each_script_names_every_command(shell: str, tmp_path: Path) -> None:
    done = run_main("completion", shell)
    for name in ("run", "listen", "analyze", "recommend", "train", "distill", "--audio-buffer-minutes"):
        assert name.removeprefix("--") in done.stdout
    if shutil.which(shell):
        path = tmp_path / "script"
        path.write_text(done.stdout)
        subprocess.run([shell, "-n", str(path)], check=True, timeout=30)
