"""Write files whole or not at all."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO


@contextmanager
def atomic_write(path: Path, *, fsync: bool = False, mode: int = 0o666) -> Iterator[BinaryIO]:
    """Write a new file beside ``path`` and rename it at the end of the block.

    Readers see the old content or the new one, never a part. If the block raises, the old file stays. A
    process that is killed leaves ``.NAME.*.part`` behind.

    Parameters
    ----------
    path : Path
        Its folder is made if it is missing.
    fsync : bool
        Wait until the content is on the disk: after a power failure the file then is not empty.
    mode : int
        Permissions of the new file, less the umask; 0o600 for what only this user may read.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
    flags = os.O_CREAT | os.O_EXCL | os.O_WRONLY | getattr(os, "O_BINARY", 0)
    try:
        with open(os.open(unfinished, flags, mode), "wb") as file:
            yield file
            if fsync:
                file.flush()
                os.fsync(file.fileno())
        unfinished.replace(path)
    except BaseException:
        with suppress(OSError):
            unfinished.unlink()
        raise
