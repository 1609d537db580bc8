"""Connect to a Ray cluster. Ray is imported only here, and only when an option asks for it."""

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
CONNECT_SECONDS = 5.0
"""Time in which the cluster of RAY_ADDRESS must answer. Ray itself would try for minutes."""
OBJECT_STORE_BYTES = 200_000_000
"""Memory for objects of a cluster that is started here. Only names and table rows pass through it."""


def require_ray(wanted: str = "--engine ray") -> Any:
    """Import Ray.

    Parameters
    ----------
    wanted : str
        Option that needs Ray, for the error's message.

    Returns
    -------
    module
        The module ``ray``.

    Raises
    ------
    OverheardError
        If Ray is not installed.
    """
    # By default Ray reports its usage to its maker.
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_BACKEND_LOG_LEVEL", "fatal")  # otherwise its log lines end up on the terminal
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
    if host and port.isdecimal():
        try:
            socket.create_connection((host.strip("[]"), int(port)), CONNECT_SECONDS).close()
        except OSError as error:
            raise ConnectionError(error.strerror or "no answer") from error
    options: dict[str, Any] = {"log_to_driver": False, "logging_level": logging.ERROR}
    try:
        ray.init(address="auto", **options)
    except ConnectionError:
        if os.environ.get("RAY_ADDRESS"):
            raise
        own = {"num_cpus": workers, "object_store_memory": OBJECT_STORE_BYTES, "include_dashboard": False}
        ray.init(**own, **options)


@contextlib.contextmanager
def connect_ray(workers: int | None = None) -> Iterator[Any]:
    """Connect to the cluster of ``RAY_ADDRESS`` or of this machine, or start one on this machine.

    A cluster that is started here ends with the block. An existing connection is used and stays open.

    Parameters
    ----------
    workers : int, optional
        Cores of a cluster that is started here. By default all cores are used.

    Yields
    ------
    module
        The module ``ray``.

    Raises
    ------
    OverheardError
        If Ray is not installed, or the named cluster does not answer.
    """
    ray = require_ray()
    if ray.is_initialized():  # the caller keeps its connection
        yield ray
        return
    try:
        with silence_stderr():  # Ray prints its log level
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
