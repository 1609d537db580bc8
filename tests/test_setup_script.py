"""``.ci/setup`` on systems that are not this one, by a folder of programs of their own."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

SETUP = Path(__file__).parent.parent / ".ci" / "setup"
TOOLS = (
    "bash", "cat", "chmod", "cp", "cut", "dirname", "du", "env", "find", "grep", "head", "mkdir", "mktemp",
    "paste", "rm", "sed", "sleep", "sort", "tail", "touch", "tr", "wc",
)  # fmt: skip

PYTHON = """
case "$*" in
    *"-m venv"*) mkdir -p .venv/bin && cp "$BIN/python3.12" .venv/bin/python && cp "$BIN/pip" .venv/bin/pip ;;
    *--version*) echo "Python 3.12.1" ;;
esac
"""


class System:
    """A machine with these programs and no others, and the project in a folder of it."""

    def __init__(self, folder: Path) -> None:
        self.bin, self.project = folder / "bin", folder / "project"
        self.bin.mkdir()
        for name in TOOLS:
            (self.bin / name).symlink_to(shutil.which(name) or pytest.skip(f"needs {name}"))
        (self.project / ".ci").mkdir(parents=True)
        shutil.copy(SETUP, self.project / ".ci" / "setup")
        (self.project / "tests" / "environments" / "tflite_runtime").mkdir(parents=True)
        for name in ("pyproject.toml", "constraints.txt"):
            (self.project / name).touch()
            os.utime(self.project / name, (0, 0))
        self.add("id", "echo 1000")
        self.add("uname", "echo Linux")
        self.add("pip", "echo Downloading numpy-2.0-cp312.whl '(16.9 MB)'; sleep 1")

    def add(self, name: str, script: str = "") -> None:
        path = self.bin / name
        path.write_text(f"#!{self.bin / 'bash'}\n{script}\n")
        path.chmod(0o755)

    def set_up(self, purpose: str = "run") -> subprocess.CompletedProcess[str]:
        environment = {"PATH": str(self.bin), "BIN": str(self.bin), "HEARTBEAT_SECONDS": "0"}
        return subprocess.run(
            [".ci/setup", purpose],
            cwd=self.project,
            env=environment,
            capture_output=True,
            text=True,
            timeout=60,
        )


@pytest.fixture
def system(tmp_path: Path) -> System:
    made = System(tmp_path)
    made.add("python3.12", PYTHON)
    return made


def test_a_first_set_up_says_its_steps_and_what_it_downloads_and_a_second_one_nothing(system: System) -> None:
    done = system.set_up()
    assert done.returncode == 0, done.stderr
    assert done.stderr.startswith(
        "First start: Overheard sets itself up in the folder .venv. This takes about 2"
    )
    assert "280 MB to download" in done.stderr
    assert "/3] Creating .venv with Python 3.12.1" in done.stderr
    assert "[3/3] Installing Python packages\n" in done.stderr
    assert "s  downloading numpy (16.9 MB)\n" in done.stderr
    assert (system.set_up().stderr, system.set_up().returncode) == ("", 0)


@pytest.mark.parametrize(
    ("manager", "command"),
    [
        ("dnf", "sudo dnf install portaudio pulseaudio-utils"),
        ("pacman", "sudo pacman -S --needed portaudio libpulse"),
        ("apt-get", "sudo apt-get install libportaudio2 pulseaudio-utils"),
    ],
)
def test_missing_system_packages_are_named_as_this_system_names_them(
    system: System, manager: str, command: str
) -> None:
    system.add(manager)
    script = system.project / ".ci" / "setup"
    script.write_text(script.read_text().replace("/usr/lib", "/nonexistent"))
    done = system.set_up()
    assert done.returncode == 0, done.stderr
    assert "System packages are missing, for: microphones, what the computer plays\n" in done.stderr
    assert f"      {command}\n" in done.stderr


def test_on_macos_homebrew_is_named(system: System) -> None:
    system.add("uname", "echo Darwin")
    assert "      brew install blackhole-2ch\n" in system.set_up().stderr


def test_a_failed_installation_shows_the_error_and_is_tried_again(system: System) -> None:
    system.add("pip", "echo ERROR: the network is away; exit 1")
    done = system.set_up()
    assert done.returncode == 1
    assert "ERROR: the network is away\nThis step failed; `make run` tries it again.\n" in done.stderr
    shutil.copy(system.bin / "pip", system.project / ".venv" / "bin" / "pip")
    system.add("pip")
    shutil.copy(system.bin / "pip", system.project / ".venv" / "bin" / "pip")
    assert system.set_up().returncode == 0


@pytest.mark.parametrize(
    ("version", "manager", "remedy"),
    [
        ("echo Python 3.14.0; exit 1", "dnf", "sudo dnf install python3.13"),
        ("echo Python 3.9.2; exit 1", "apt-get", "sudo apt-get install python3.13 python3.13-venv"),
        ("exit 1", "pacman", "uv python install 3.13"),
    ],
)
def test_a_system_without_a_supported_python_is_told_how_to_get_one(
    tmp_path: Path, version: str, manager: str, remedy: str
) -> None:
    system = System(tmp_path)
    system.add("python3", version)
    system.add(manager)
    done = system.set_up()
    assert done.returncode == 2
    assert done.stderr.startswith("Overheard needs Python 3.11, 3.12 or 3.13, and this system has ")
    assert remedy in done.stderr
