"""Ray, for whoever asks for it by name: imported here and nowhere else, and only when it is asked for."""

from __future__ import annotations

import contextlib
import logging
import os
import socket
from collections.abc import Iterator
from typing import Any

from models.common.cli import silence_stderr
from models.common.text import first_line
from models.errors import OverheardError

ENGINES = ("local", "ray")
ANSWER_SECONDS = 5.0
OBJECT_STORE_BYTES = 200_000_000
"""Of a Ray that is begun here: what passes through it are names and rows, never sound."""


def require_ray(wanted: str = "--engine ray") -> Any:
    """The module ``ray``.

    Raises
    ------
    OverheardError
        It is not installed; names the remedy.
    """
    # Ray would tell its maker how it is used; nothing of ours leaves this machine unasked.
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_BACKEND_LOG_LEVEL", "fatal")  # else its own lines end up between ours
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")  # a warning of its next release
    try:
        import ray
        import ray.data
    except ModuleNotFoundError as error:
        raise OverheardError(
            f"{wanted} needs the package {error.name}, which is not installed; "
            "run pip install 'overheard[cluster]'"
        ) from error
    logging.getLogger("ray").setLevel(logging.ERROR)
    logging.getLogger("ray.data").setLevel(logging.ERROR)
    return ray


def _connect(ray: Any, workers: int | None) -> None:
    host, _, port = os.environ.get("RAY_ADDRESS", "").removeprefix("ray://").rpartition(":")
    if host and port.isdecimal():  # Ray would ask for minutes
        try:
            socket.create_connection((host.strip("[]"), int(port)), ANSWER_SECONDS).close()
        except OSError as error:
            raise ConnectionError(error.strerror or "no answer") from error
    said: dict[str, Any] = {"log_to_driver": False, "logging_level": logging.ERROR}
    try:
        ray.init(address="auto", **said)
    except ConnectionError:
        if os.environ.get("RAY_ADDRESS"):
            raise
        own = {"num_cpus": workers, "object_store_memory": OBJECT_STORE_BYTES, "include_dashboard": False}
        ray.init(**own, **said)


@contextlib.contextmanager
def ray_cluster(workers: int | None = None) -> Iterator[Any]:
    """The module ``ray``, connected to the cluster of ``RAY_ADDRESS`` or of this machine.

    Where there is none, one of this machine alone is begun, which ends afterwards.

    Parameters
    ----------
    workers : int, optional
        Cores of a cluster that is begun here; all by default.

    Raises
    ------
    OverheardError
        Ray is not installed, or the cluster that was named does not answer.
    """
    ray = require_ray()
    if ray.is_initialized():  # whoever called us keeps it
        yield ray
        return
    try:
        with silence_stderr():  # it tells of its log level
            _connect(ray, workers)
    except (ConnectionError, RuntimeError, ValueError) as error:
        named = os.environ.get("RAY_ADDRESS", "on this machine")
        raise OverheardError(
            f"the Ray cluster {named} does not answer ({first_line(error)}); start it with "
            "ray start --head, or unset RAY_ADDRESS to use this machine alone"
        ) from error
    try:
        yield ray
    finally:
        ray.shutdown()
