"""User unit of systemd: valid, and without access that listening does not need."""

from __future__ import annotations

import configparser
import os
import re
import shutil
import subprocess
from importlib.resources import files
from pathlib import Path

import pytest

UNIT = files("realtime") / "overheard.service"


def analyze_unit(tmp_path: Path, unit: str, *command: str) -> str:
    """Return the output of systemd-analyze for a unit. The user manager gets a runtime folder."""
    program = shutil.which("systemd-analyze")
    if program is None:
        pytest.skip("needs Linux with systemd-analyze; on Debian: apt install systemd")
    (tmp_path / "run").mkdir(mode=0o700, exist_ok=True)
    copy = tmp_path / "overheard.service"
    copy.write_text(unit)
    done = subprocess.run(
        [program, *command, "--user", str(copy)],
        capture_output=True,
        text=True,
        timeout=60,
        env=os.environ | {"XDG_RUNTIME_DIR": str(tmp_path / "run"), "HOME": str(tmp_path)},
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout + done.stderr


def read_unit() -> str:
    """Return the unit with a program that exists on this machine."""
    return re.sub(r"(?m)^ExecStart=\S+ listen$", "ExecStart=/bin/true listen", UNIT.read_text())


def test_systemd_verifies_the_unit_without_a_remark(tmp_path: Path) -> None:
    assert "ExecStart=/bin/true listen" in read_unit()
    assert analyze_unit(tmp_path, read_unit(), "verify") == ""


def test_the_verification_would_remark_on_a_misspelt_line(tmp_path: Path) -> None:
    """systemd-analyze ends with 0 in spite of unknown keys, so the tests have to read its output."""
    unit = read_unit().replace("NoNewPrivileges", "NoNewPrivilege")
    assert "Unknown key 'NoNewPrivilege'" in analyze_unit(tmp_path, unit, "verify")


def test_the_restrictions_of_the_unit_reduce_its_exposure(tmp_path: Path) -> None:
    def exposure(unit: str) -> float:
        report = analyze_unit(tmp_path, unit, "security", "--offline=true", "--no-pager")
        found = re.search(r"Overall exposure level for overheard.service: ([\d.]+)", report)
        assert found, report
        return float(found.group(1))

    bare = "[Service]\nExecStart=/bin/true listen\n"
    assert exposure(bare) > 9
    assert exposure(read_unit()) < 6


def test_the_unit_starts_the_program_and_lets_it_write_its_history_only() -> None:
    unit = configparser.ConfigParser(strict=True, interpolation=None)
    unit.optionxform = str  # type: ignore[assignment,method-assign]  # keys of systemd have capitals
    unit.read_string(UNIT.read_text())
    service = unit["Service"]
    assert service["ExecStart"] == "%h/.local/bin/overheard listen"
    assert service["ReadWritePaths"] == "-%h/.local/share/overheard"
    assert (service["ProtectSystem"], service["ProtectHome"]) == ("strict", "read-only")
    assert (service["Restart"], service["RestartSec"]) == ("on-failure", "10")
    assert unit["Install"]["WantedBy"] == "default.target"
