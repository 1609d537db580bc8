"""Execute independent trainings one after another in this process, or in parallel on a Ray cluster."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final, Protocol, TypeVar

from models.common.ray import connect_ray
from models.common.text import first_line
from models.errors import OverheardError

R = TypeVar("R")

CORES_PER_CALL = 1
"""CPU cores that one call reserves. The networks are small, so more calls side by side finish sooner."""

MAX_RETRIES = 3
"""Restarts of a call whose cluster node was lost."""


class Executor(Protocol):
    """Executor that calls a function once for each tuple of arguments."""

    def run(self, function: Callable[..., R], calls: Sequence[tuple[Any, ...]]) -> list[R]:
        """Call ``function`` with each tuple of ``calls``. The results have the order of the calls."""
        ...


class SequentialExecutor:
    """Executor that makes one call after another in this process."""

    def run(self, function: Callable[..., R], calls: Sequence[tuple[Any, ...]]) -> list[R]:
        """Call ``function`` with each tuple of ``calls``."""
        return [function(*call) for call in calls]


SEQUENTIAL: Final = SequentialExecutor()
"""Default executor."""


class RayExecutor:
    """Executor that makes each call a Ray task. Ray restarts a task whose node is lost.

    Parameters
    ----------
    ray : module
        Connected to a cluster.
    """

    def __init__(self, ray: Any) -> None:
        self._ray = ray

    def run(self, function: Callable[..., R], calls: Sequence[tuple[Any, ...]]) -> list[R]:
        """Call ``function`` on the cluster. An argument that several calls share is sent once.

        Raises
        ------
        OverheardError
            If a call raises one, or if a task is lost more than ``MAX_RETRIES`` times.
        """
        ray = self._ray
        sent: dict[int, Any] = {}

        def send(argument: Any) -> Any:
            if id(argument) not in sent:
                sent[id(argument)] = ray.put(argument)
            return sent[id(argument)]

        # By default TensorFlow takes every core of the node for each task on it.
        threads = {f"TF_NUM_{kind}_THREADS": str(CORES_PER_CALL) for kind in ("INTRAOP", "INTEROP")}
        options = {
            "num_cpus": CORES_PER_CALL,
            "max_retries": MAX_RETRIES,
            "runtime_env": {"env_vars": threads},
        }
        task = ray.remote(function).options(**options)
        try:
            return list(ray.get([task.remote(*map(send, call)) for call in calls]))
        except ray.exceptions.RayTaskError as error:
            if isinstance(error.cause, OverheardError):
                raise error.cause from error
            raise
        except ray.exceptions.RayError as error:
            raise OverheardError(
                f"the cluster lost a training ({first_line(error)}); start the command again"
            ) from error


@contextlib.contextmanager
def open_executor(engine: str) -> Iterator[Executor]:
    """Open the executor of an engine: ``local`` or ``ray``.

    Raises
    ------
    OverheardError
        If Ray is not installed or its cluster does not respond.
    """
    if engine != "ray":
        yield SEQUENTIAL
        return
    with connect_ray() as ray:
        yield RayExecutor(ray)
