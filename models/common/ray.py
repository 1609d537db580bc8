"""Connect to a Ray cluster. Ray is imported only in this module, and only if an option needs Ray."""

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
"""Values of the option ``--engine``: this machine, or a Ray cluster."""
CONNECT_SECONDS = 5.0
"""Time in which the cluster of RAY_ADDRESS must respond. Ray itself would try for minutes."""
OBJECT_STORE_BYTES = 200_000_000
"""Memory for objects of a cluster that this program starts. It contains only names and table rows."""


def require_ray() -> Any:
    """Import Ray.

    Returns
    -------
    module
        The module ``ray``.

    Raises
    ------
    OverheardError
        If Ray is not installed.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # by default Ray reports its usage to its maker
    os.environ.setdefault("RAY_BACKEND_LOG_LEVEL", "fatal")  # otherwise Ray logs to the terminal
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")  # otherwise Ray prints a FutureWarning
    try:
        import ray
        import ray.data
    except ModuleNotFoundError as error:
        raise OverheardError(
            f"--engine ray needs the package {error.name}, which is not installed; "
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
        new = {"num_cpus": workers, "object_store_memory": OBJECT_STORE_BYTES, "include_dashboard": False}
        ray.init(**new, **options)


@contextlib.contextmanager
def connect_ray(workers: int | None = None) -> Iterator[Any]:
    """Connect to the cluster of ``RAY_ADDRESS`` or of this machine, or start a cluster on this machine.

    A cluster that this function starts ends with the block. An existing connection is used and stays open.

    Parameters
    ----------
    workers : int, optional
        Cores of a cluster that this function starts. By default all cores are used.

    Yields
    ------
    module
        The module ``ray``.

    Raises
    ------
    OverheardError
        If Ray is not installed, or if the cluster does not respond.
    """
    ray = require_ray()
    if ray.is_initialized():  # the connection belongs to the caller
        yield ray
        return
    try:
        with silence_stderr():  # Ray prints its log level
            _connect(ray, workers)
    except (ConnectionError, RuntimeError, ValueError) as error:
        address = os.environ.get("RAY_ADDRESS", "on this machine")
        raise OverheardError(
            f"the Ray cluster {address} does not answer ({first_line(error)}); start it with "
            "ray start --head, or unset RAY_ADDRESS to use this machine alone"
        ) from error
    try:
        yield ray
    finally:
        ray.shutdown()
