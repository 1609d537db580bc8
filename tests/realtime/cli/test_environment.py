"""Odd environments and files of the user: each works or is one sentence."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from realtime.history.location import default_path
from tests.support.audio import tone, write
from tests.support.cli import copy_model, main_error, run_main
from tests.support.histories import estimate, write_history

WITHOUT_HOME = """
import pwd, sys
def unknown(_user):
    raise KeyError("no such user")
pwd.getpwuid = pwd.getpwnam = unknown
sys.argv[0] = "overheard"
from realtime.cli.main import run_program
run_program()
"""
"""Program of a user without an entry in the system's table, as in containers with numeric users."""


def run_without_home(folder: Path, *words: str, **variables: str) -> subprocess.CompletedProcess[str]:
    dropped = {"HOME", "XDG_DATA_HOME", "XDG_CONFIG_HOME"}
    environment = {name: value for name, value in os.environ.items() if name not in dropped} | variables
    return subprocess.run(
        [sys.executable, "-c", WITHOUT_HOME, *words],
        capture_output=True, text=True, timeout=60, check=False, cwd=folder, env=environment,
    )  # fmt: skip


@pytest.fixture
def audio(tmp_path: Path) -> Path:
    return write(tmp_path / "tone.wav", tone(440, 10, 22_050), 22_050)


@pytest.mark.parametrize("variables", [{}, {"XDG_DATA_HOME": "relative"}, {"HOME": "relative"}], ids=str)
def test_without_a_home_folder_nothing_is_recorded_and_no_folder_appears(
    tmp_path: Path, audio: Path, variables: dict[str, str]
) -> None:
    """A folder called ~ appeared in the working folder."""
    listen = run_without_home(
        tmp_path, "listen", "--source", str(audio), "--speed", "0", "--port", "0", **variables
    )
    assert listen.returncode == 0, listen.stderr
    lines = listen.stderr.splitlines()
    assert lines[0] == (
        "the history is off: this user has no home folder; set HOME or XDG_DATA_HOME to an absolute path, "
        "or name a file with --history"
    )
    assert len(lines) == 2
    assert [each.name for each in tmp_path.iterdir()] == ["tone.wav"]
    history = run_without_home(tmp_path, "history", **variables)
    assert history.returncode == 2
    assert history.stderr.startswith("overheard history: this user has no home folder; set HOME")


def test_an_unknown_home_folder_in_a_setting_is_one_sentence(tmp_path: Path) -> None:
    error = main_error("listen", "--source", "demo", "--port", "0", "--history", "~no-such-user/x.sqlite")
    assert (
        error == "overheard listen: ~no-such-user/x.sqlite names an unknown home folder; give the whole path"
    )


DEEP_TOML = "x = " + "[" * 20_000 + "]" * 20_000
DEEP_JSON = "[" * 100_000 + "]" * 100_000


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (DEEP_TOML.encode(), "is not valid TOML: it is nested too deeply"),
        (b"\xff\xfe[\x00s\x00", "is not valid TOML: "),
        (b"[source]\nsource = 3\n\0", "is not valid TOML: "),
        (b'[source]\nsource = "a\\u0000b"', "source must not contain the character NUL"),
        (b'[history]\nhistory = "a\\u0000b"', "history must not contain the character NUL"),
        (b'[model]\nmanifest = "\\u0000"', "manifest must not contain the character NUL"),
    ],
    ids=["deep", "UTF-16", "NUL", "NUL in a source", "NUL in the history", "NUL in the manifest"],
)
def test_odd_settings_are_one_sentence(tmp_path: Path, content: bytes, reason: str) -> None:
    path = tmp_path / "settings.toml"
    path.write_bytes(content)
    assert reason in main_error("listen", "--config", str(path))


def test_settings_and_stations_may_begin_with_a_byte_order_mark(tmp_path: Path, audio: Path) -> None:
    """Notepad writes it."""
    path = tmp_path / "settings.toml"
    path.write_bytes(b'\xef\xbb\xbf[history]\r\nhistory = "off"\r\n')
    done = run_main("listen", "--config", str(path), "--source", str(audio), "--speed", "0", "--port", "0")
    assert done.returncode == 0, done.stderr
    assert not default_path().exists()
    stations = tmp_path / "stations.toml"
    stations.write_bytes(b"\xef\xbb\xbfgroup_size = 0\r\n")
    assert "group_size is 0" in main_error("monitor", str(stations))


def test_deep_or_odd_files_of_a_model_and_stations_are_one_sentence(tmp_path: Path) -> None:
    deep = tmp_path / "deep.json"
    deep.write_text(DEEP_JSON)
    assert "nested too deeply" in main_error("model", "--manifest", str(deep))
    deep.write_text(DEEP_TOML)
    assert "nested too deeply" in main_error("monitor", str(deep))
    path, fields = copy_model(tmp_path)
    path.write_text(json.dumps(fields | {"file": "a\0b"}))
    assert "cannot read the model file" in main_error("model", "--manifest", str(path))


@pytest.mark.parametrize("zone", ["garbage99", "XXX-24", "../../etc/passwd"])
def test_any_time_zone_of_the_environment_shows_the_history(zone: str) -> None:
    """An offset of more than a day ended the table with an error about a timedelta."""
    write_history(default_path(), *(estimate(5 + n / 2) for n in range(40)))
    command = [sys.executable, "-m", "realtime.cli", "history"]
    for words in ([], ["--session", "1", "--csv"]):
        done = subprocess.run(
            [*command, *words], capture_output=True, text=True, timeout=60, check=False,
            env=os.environ | {"TZ": zone},
        )  # fmt: skip
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout


@pytest.mark.parametrize("locale", ["C", "POSIX", "tr_TR.UTF-8", "xx_XX.garbage", ""])
def test_any_locale_prints_any_name(tmp_path: Path, locale: str) -> None:
    audio = write(tmp_path / "İstanbul - ıñ 音.wav", tone(440, 10, 22_050), 22_050)
    done = subprocess.run(
        [sys.executable, "-m", "realtime.cli", "analyze", str(audio)],
        capture_output=True, timeout=60, check=False,
        env=os.environ | {"LC_ALL": locale, "LANG": locale, "PYTHONUTF8": "0"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert b"stanbul" in done.stdout
