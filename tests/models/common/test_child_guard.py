"""Children end with their program, however the program ends."""

from __future__ import annotations

import signal
import subprocess
import sys

import psutil
import pytest

from models.common.child_guard import guard_children
from tests.support.waiting import wait_until

PROGRAM = """
import signal, subprocess, sys
signal.signal(signal.SIGQUIT, signal.SIG_DFL)  # a shell ignores it for programs in the background
from models.common.child_guard import guard_children
single = subprocess.Popen(["sleep", "600"])
group = subprocess.Popen(["sh", "-c", "sleep 600 & sleep 600"], start_new_session=True)
guard_children(single.pid, -group.pid)
print(single.pid, group.pid, flush=True)
sys.stdin.read()
"""


@pytest.mark.skipif(sys.platform == "win32", reason="needs Linux")
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGQUIT, signal.SIGSEGV, signal.SIGTERM])
def test_children_and_their_groups_end_with_a_program_that_a_signal_ends(number: signal.Signals) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as program:
        assert program.stdout is not None
        program.stdout.readline()
        tree = psutil.Process(program.pid)
        # The child, the guard, and two processes of the group.
        wait_until(lambda: len(tree.children(recursive=True)) >= 4)
        processes = tree.children(recursive=True)
        program.send_signal(number)
        program.wait(timeout=10)
        _, alive = psutil.wait_procs(processes, timeout=10)
    assert not [process for process in alive if process.status() != psutil.STATUS_ZOMBIE]


@pytest.mark.skipif(sys.platform == "win32", reason="needs Linux")
def test_a_released_guard_leaves_the_children_alone_and_no_process_behind() -> None:
    child = subprocess.Popen(["sleep", "600"])
    try:
        before = {process.pid for process in psutil.Process().children()}
        release = guard_children(child.pid)
        assert {process.pid for process in psutil.Process().children()} > before
        release()
        assert {process.pid for process in psutil.Process().children()} == before
        assert child.poll() is None
    finally:
        child.kill()
        child.wait()


def test_a_guard_that_cannot_start_costs_nothing() -> None:
    """Without a process or descriptor for the guard, the child runs without one."""
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (3, hard))
    try:
        release = guard_children(2**30)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    release()
