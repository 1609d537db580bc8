"""The dashboard's ES modules: their own unit tests, run in Node.js, and their registration."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from dashboard.components.assets import FOLDER, import_statement, read_asset
from tests.support.paths import ROOT

TIMEOUT_SECONDS = 120
MIN_NODE_VERSION = 18
IMPORT = re.compile(r'^\s*(?:import|export)\b[^;"]*?from\s+"([^"]+)"|import\s+"([^"]+)"', re.MULTILINE)
MODULES = sorted(FOLDER.rglob("*.js"))


@pytest.fixture(scope="module")
def node() -> str:
    """Path of Node.js."""
    path = shutil.which("node")
    if path is None:
        pytest.skip("Node.js is not installed; on Debian: apt install nodejs")
    version = subprocess.run([path, "--version"], capture_output=True, text=True, check=True).stdout
    if int(version.lstrip("v").partition(".")[0]) < MIN_NODE_VERSION:
        pytest.skip(f"Node.js {version.strip()} is too old; {MIN_NODE_VERSION} or later is needed")
    return path


def test_the_modules_pass_their_own_tests(node: str) -> None:
    files = sorted(str(path) for path in Path(__file__).parent.glob("*.test.mjs"))
    assert len(files) >= 7
    result = subprocess.run(
        [node, "--test", *files], cwd=ROOT, capture_output=True, text=True, timeout=TIMEOUT_SECONDS
    )
    assert result.returncode == 0, result.stdout[-6000:] + result.stderr[-2000:]
    assert re.search(r"^\S+ pass [1-9]\d", result.stdout, re.MULTILINE), "the tests have run"


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(FOLDER)))
def test_every_import_leads_to_a_file_of_the_components(path: Path) -> None:
    """A name that only a bundler could resolve would break the page in the browser."""
    for names in IMPORT.findall(path.read_text(encoding="utf-8")):
        target = (path.parent / "".join(names)).resolve()
        assert target.is_relative_to(FOLDER.resolve()), names
        assert target in MODULES, names


def test_every_module_is_loaded_by_a_component() -> None:
    imported: set[Path] = set()
    waiting = [FOLDER / name for name in re.findall(r"[\w/]+\.js", " ".join(entry_points()))]
    while waiting:
        path = waiting.pop().resolve()
        if path not in imported:
            imported.add(path)
            found = IMPORT.findall(path.read_text(encoding="utf-8"))
            waiting += [path.parent / "".join(names) for names in found]
    assert set(MODULES) == imported


def entry_points() -> list[str]:
    """Modules that the components register, as ``folder/name.js``."""
    calls = [
        groups
        for path in FOLDER.glob("*/component.py")
        for groups in re.findall(
            r'register_component\("(\w+)"(?:, "(\w+)")?', path.read_text(encoding="utf-8")
        )
    ]
    return [f"{folder}/{name or folder}.js" for folder, name in calls]


def test_each_component_has_its_module() -> None:
    assert len(entry_points()) >= 7
    for entry in entry_points():
        script = read_asset(entry)
        assert script is not None, entry
        assert "export default function mount(" in script, entry


def test_a_missing_asset_is_none() -> None:
    assert read_asset("live/live.nothing") is None


def test_an_import_statement_quotes_the_address() -> None:
    """Streamlit takes a script of one line for the path of a file."""
    script = import_statement('component/a"b/live.js')
    assert '"component/a\\"b/live.js"' in script
    assert script.count("\n") == 2
