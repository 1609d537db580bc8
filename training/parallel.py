"""Trainings that do not depend on each other: one after another here, or beside each other on a cluster."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Protocol, TypeVar

from models.common.ray import connect_ray
from models.errors import OverheardError

R = TypeVar("R")

CORES_PER_CALL = 1
"""That one training asks a cluster for; its network is small, and more runs beside each other are faster."""

MAX_RETRIES = 3
"""Of a run whose node was lost."""


class Executor(Protocol):
    """Calls a function once for each tuple of arguments; results come in the order of the calls."""

    def __call__(self, function: Callable[..., R], calls: Sequence[tuple[Any, ...]]) -> list[R]:
        """Call it."""
        ...


def sequential(function: Callable[..., R], calls: Sequence[tuple[Any, ...]]) -> list[R]:
    """Here, in order."""
    return [function(*call) for call in calls]


class RayExecutor:
    """Each call is a Ray task; one whose node is lost is begun again on another.

    Parameters
    ----------
    ray : module
        Connected.
    """

    def __init__(self, ray: Any) -> None:
        self._ray = ray

    def __call__(self, function: Callable[..., R], calls: Sequence[tuple[Any, ...]]) -> list[R]:
        """Call it on the cluster; an argument that several calls share travels once.

        Raises
        ------
        OverheardError
            What a call raised, or that a run was lost ``MAX_RETRIES`` times.
        """
        ray = self._ray
        shared: dict[int, Any] = {}

        def sent(argument: Any) -> Any:
            if id(argument) not in shared:
                shared[id(argument)] = ray.put(argument)
            return shared[id(argument)]

        # TensorFlow would take every core of a node for each of the runs on it.
        threads = {f"TF_NUM_{kind}_THREADS": str(CORES_PER_CALL) for kind in ("INTRAOP", "INTEROP")}
        options = {
            "num_cpus": CORES_PER_CALL,
            "max_retries": MAX_RETRIES,
            "runtime_env": {"env_vars": threads},
        }
        task = ray.remote(function).options(**options)
        try:
            return list(ray.get([task.remote(*map(sent, call)) for call in calls]))
        except ray.exceptions.RayTaskError as error:
            if isinstance(error.cause, OverheardError):
                raise error.cause from error
            raise
        except ray.exceptions.RayError as error:
            first = (str(error).splitlines() or [type(error).__name__])[0]
            raise OverheardError(f"a run was lost with the cluster ({first}); run it again") from error


@contextlib.contextmanager
def open_executor(engine: str) -> Iterator[Executor]:
    """What makes runs, by the name of its engine: ``local`` or ``ray``.

    Raises
    ------
    OverheardError
        Ray is not installed, or its cluster does not answer.
    """
    if engine != "ray":
        yield sequential
        return
    with connect_ray() as ray:
        yield RayExecutor(ray)
