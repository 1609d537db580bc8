"""Raise this process's limit of open files and sockets."""

from __future__ import annotations

import contextlib


def raise_descriptor_limit(wanted: int) -> int | None:
    """Raise the soft limit of open files if it is below the wanted number and the hard limit permits.

    Parameters
    ----------
    wanted : int

    Returns
    -------
    int or None
        Limit that now holds. None if there is no limit, as on Windows.
    """
    try:
        import resource
    except ModuleNotFoundError:  # Windows
        return None
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        limit = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        with contextlib.suppress(ValueError, OSError):  # macOS has a second, hidden limit
            resource.setrlimit(resource.RLIMIT_NOFILE, (limit, hard))
        soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return None if soft == resource.RLIM_INFINITY else soft
