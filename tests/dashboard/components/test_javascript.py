"""The dashboard's ES modules: their own unit tests, run in Node.js, and their registration."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from dashboard.components import assets
from dashboard.components.assets import FOLDER, bundle, read_asset
from dashboard.errors import DashboardError
from tests.support.paths import ROOT

TIMEOUT_SECONDS = 120
MIN_NODE_VERSION = 18
MODULES = sorted(path.relative_to(FOLDER).as_posix() for path in FOLDER.rglob("*.js"))


@pytest.fixture(scope="module")
def node() -> str:
    """Path of Node.js, or a skip if it is missing or too old."""
    path = shutil.which("node")
    if path is None:
        pytest.skip("Node.js is not installed; on Debian: apt install nodejs")
    version = subprocess.run([path, "--version"], capture_output=True, text=True, check=True).stdout
    if int(version.lstrip("v").partition(".")[0]) < MIN_NODE_VERSION:
        pytest.skip(f"Node.js {version.strip()} is too old; {MIN_NODE_VERSION} or later is needed")
    return path


def test_the_modules_pass_their_own_tests(node: str) -> None:
    files = sorted(str(path) for path in Path(__file__).parent.glob("*.test.mjs"))
    assert len(files) >= 9
    result = subprocess.run(
        [node, "--test", *files], cwd=ROOT, capture_output=True, text=True, timeout=TIMEOUT_SECONDS
    )
    assert result.returncode == 0, result.stdout[-6000:] + result.stderr[-2000:]
    assert re.search(r"^\S+ pass [1-9]\d", result.stdout, re.MULTILINE), "no test has run"


def test_every_component_is_one_valid_module(node: str, tmp_path: Path) -> None:
    entries = entry_points()
    assert len(entries) >= 9
    for entry in entries:
        script = tmp_path / "bundle.mjs"
        script.write_text(bundle(entry), encoding="utf-8")
        command = [node, "--input-type=module", "--eval", f"import {json.dumps(script.as_uri())}"]
        result = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT_SECONDS)
        assert result.returncode == 0, entry + result.stderr


def test_every_module_is_part_of_a_component() -> None:
    bundles = "\n".join(map(bundle, entry_points()))
    unused = [name for name in MODULES if f"modules['{name}'] = " not in bundles]
    assert unused == []


def entry_points() -> list[str]:
    """Modules that the components register, as ``folder/name.js``."""
    found = []
    for path in FOLDER.glob("*/component.py"):
        calls = re.findall(r'register_component\("(\w+)"(?:, "(\w+)")?', path.read_text(encoding="utf-8"))
        found += [f"{folder}/{name or folder}.js" for folder, name in calls]
    return found


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Empty folder that replaces the folder of the components."""
    monkeypatch.setattr(assets, "FOLDER", tmp_path)
    (tmp_path / "part").mkdir()
    return tmp_path


def test_modules_share_no_names_and_run_once(node: str, folder: Path) -> None:
    (folder / "base.js").write_text(
        "globalThis.runs = (globalThis.runs ?? 0) + 1;\nconst secret = 1;\n"
        "export const value = secret + 1;\nexport class Box {}\nexport async function later() {}\n"
    )
    (folder / "part" / "other.js").write_text(
        'import { value as base } from "../base.js";\nconst secret = 10;\n'
        "export function total() {\n  return secret + base;\n}\n"
    )
    (folder / "part" / "part.js").write_text(
        'import {\n  Box,\n  later,\n  value,\n} from "../base.js";\nimport { total } from "./other.js";\n'
        "const secret = 100;\nexport default function mount() {\n"
        "  return [secret, value, total(), typeof Box, typeof later, globalThis.runs].join();\n}\n"
    )
    script = folder / "bundle.mjs"
    script.write_text(bundle("part/part.js"))
    program = f"import mount from {json.dumps(script.as_uri())}; process.stdout.write(mount())"
    command = [node, "--input-type=module", "--eval", program]
    result = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT_SECONDS)
    assert result.stdout == "100,2,12,function,function,1", result.stderr
    assert bundle("part/part.js") == script.read_text(), "the same files must give the same script"


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ('import { a } from "./missing.js";\n', "part/part.js imports part/missing.js, a missing file"),
        ('import { a } from "../../outside.js";\n', "imports ../outside.js, a missing file"),
        ('import a from "../base.js";\n', 'unsupported import or export: import a from "../base.js";'),
        ('import * as a from "../base.js";\n', "unsupported import"),
        ('import { a } from "somewhere";\n', "unsupported import"),
        ('export * from "../base.js";\n', "unsupported import"),
        ("const a = 1;\nexport { a };\n", "unsupported import or export: export { a };"),
        ('import { loop } from "../loop.js";\n', "import each other: part/part.js > loop.js > part/part.js"),
        ("export function show() {}\n", "part/part.js has no default export called mount"),
    ],
)
def test_what_cannot_be_bundled_is_an_error(folder: Path, source: str, message: str) -> None:
    (folder / "base.js").write_text("export const a = 1;\n")
    (folder / "loop.js").write_text('import { b } from "./part/part.js";\nexport const loop = b;\n')
    end = "" if "show" in source else "export default function mount() {}\n"
    (folder / "part" / "part.js").write_text(source + end)
    with pytest.raises(DashboardError, match=re.escape(message)):
        bundle("part/part.js")


def test_a_missing_asset_is_none() -> None:
    assert read_asset("live/live.nothing") is None
