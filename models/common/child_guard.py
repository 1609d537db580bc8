"""End child processes together with this program, even if it is killed."""

from __future__ import annotations

import contextlib
import os
import subprocess
from collections.abc import Callable

GUARD_SCRIPT = 'read -r _; kill -9 "$@"'
"""Shell script that waits until its standard input ends, and then kills the processes of its arguments."""


def guard_children(*targets: int) -> Callable[[], None]:
    """Have children killed if this program ends without stopping them.

    A program that is killed runs no code of its own. The kernel only closes its files. A shell therefore
    waits for the end of a pipe that this program holds open. Windows has no such shell, so this function has
    no effect there.

    Parameters
    ----------
    *targets : int
        Numbers of the children's processes. A negative number names a process group.

    Returns
    -------
    callable
        Function that ends the guard. Call it after the children have ended.
    """
    if os.name != "posix":
        return lambda: None
    try:
        guard = subprocess.Popen(
            ["/bin/sh", "-c", GUARD_SCRIPT, "sh", *map(str, targets)],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env={},
            start_new_session=True,  # signals to the terminal or the process group do not end the guard
        )
    except OSError:  # no process or file is left for the guard, and the children are more important
        return lambda: None

    def release() -> None:
        guard.kill()  # before its input ends, which would kill the children
        guard.wait()
        if guard.stdin is not None:
            with contextlib.suppress(OSError):
                guard.stdin.close()

    return release
