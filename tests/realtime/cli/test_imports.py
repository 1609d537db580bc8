"""Modules that a start must not import, since each of them delays every start."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path


def test_help_imports_nothing_heavy() -> None:
    program = (
        "import sys; from realtime.cli.main import main; main(['--help']); "
        "print(sorted(sys.modules), file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True
    )
    for name in ("numpy", "argparse", "asyncio", "websockets", "importlib.metadata", "training", "dashboard"):
        assert f"'{name}'" not in done.stderr


def test_listening_never_imports_what_it_does_not_need(ten_seconds: Path) -> None:
    program = (
        "import sys; from realtime.cli.main import main; "
        f"main(['listen', '--source', {str(ten_seconds)!r}, '--speed', '0', '--port', '0']); "
        "print(sorted({name.partition('.')[0] for name in sys.modules}))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True
    )
    imported = done.stdout
    for name in (
        "training",
        "dashboard",
        "tensorflow",
        "librosa",
        "streamlit",
        "scipy",
        "sounddevice",
        "rich",
    ):
        assert f"'{name}'" not in imported


def test_a_start_imports_only_what_the_settings_ask_for(ten_seconds: Path) -> None:
    """Each of these once took 2 to 20 ms of every start."""
    program = (
        "import sys; from realtime.cli.main import main; "
        "main(['listen', '--source', sys.argv[1], '--speed', '0', '--port', '0', '--history', sys.argv[2]]); "
        "print(*sys.modules)"
    )

    def imported(history: str) -> set[str]:
        done = subprocess.run(
            [sys.executable, "-c", program, str(ten_seconds), history],
            capture_output=True, text=True, timeout=60, check=True,
        )  # fmt: skip
        return set(done.stdout.split())

    recorded = imported("auto")
    assert "realtime.history.store" in recorded
    for name in ("realtime.history.corrections", "realtime.capture", "realtime.network", "realtime.outputs"):
        assert name not in recorded
    for name in ("realtime.sources.reconnecting", "prometheus_client", "paho", "tomllib", "wave"):
        assert name not in recorded
    assert sys.platform != "linux" or "platformdirs" not in recorded
    unrecorded = imported("off")
    assert {name for name in unrecorded if name.startswith("realtime.history.")} == {
        "realtime.history.location"
    }
    assert "sqlite3" not in unrecorded
