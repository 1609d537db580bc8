"""Ends of the process: silent and at once, whatever its threads still wait for."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.audio import tone, write

INTERRUPTED = """
import sys, threading
from importlib import import_module
from realtime.cli.main import run_program

def interrupt(arguments):
    print("printed before Ctrl-C")
    raise KeyboardInterrupt

import_module("realtime.cli.completion").command = interrupt
threading.Thread(target=threading.Event().wait, daemon=True).start()
sys.argv = ["overheard", "completion"]
run_program()
"""

HOLDING = """
import sys, threading
from models.audio.decoding import StreamResampler
from realtime.cli.main import run_program

holds = threading.Event()

def work():
    resampler = StreamResampler(44_100, 22_050)
    holds.set()
    threading.Event().wait()
    print(resampler)

threading.Thread(target=work, daemon=True).start()
holds.wait()
sys.argv = ["overheard", *sys.argv[1:]]
run_program()
"""


@pytest.mark.parametrize(("words", "code"), [(["--version"], 0), (["analyze", "missing.wav"], 2)])
def test_a_thread_that_holds_native_objects_leaves_no_report_of_leaks(words: list[str], code: int) -> None:
    """nanobind printed 17 lines about leaked instances of soxr at the end of a stopped analyzer."""
    done = subprocess.run(
        [sys.executable, "-c", HOLDING, *words], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == code
    assert "nanobind" not in done.stderr
    assert len(done.stderr.splitlines()) == (1 if code else 0)
    assert done.stdout == ("" if code else "overheard 0.1.0\n")


def test_an_interrupted_command_loses_none_of_its_output() -> None:
    done = subprocess.run(
        [sys.executable, "-c", INTERRUPTED],
        env=os.environ | {"PYTHONUNBUFFERED": ""},
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout, done.stderr) == (130, "printed before Ctrl-C\n", "")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_stop_while_sources_open_or_play_is_silent(number: signal.Signals, tmp_path: Path) -> None:
    """One station never answers its request, and the other source plays."""
    file = write(tmp_path / "tone.wav", tone(440, 60, 22_050), 22_050)
    with contextlib.ExitStack() as stack:
        hanging = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        address = f"http://127.0.0.1:{hanging.getsockname()[1]}/"
        for source in (address, str(file)):
            listen = subprocess.Popen(
                [sys.executable, "-m", "realtime.cli", "listen", "--source", source, "--port", "0"],
                stderr=subprocess.PIPE, text=True, start_new_session=True,
            )  # fmt: skip
            assert listen.stderr is not None
            if source is address:
                hanging.settimeout(30)
                stack.enter_context(hanging.accept()[0]).recv(1)
            else:
                assert "; estimates at ws://" in listen.stderr.readline()
            os.killpg(listen.pid, number)
            _, printed = listen.communicate(timeout=20)
            assert (listen.returncode, printed) == (0, "")
