"""Full disks: a limit on the size of files, which any user may set, and a small disk that root mounts."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


def can_mount() -> bool:
    """Return whether this process has CAP_SYS_ADMIN, which mounting needs."""
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
    except OSError:
        return False
    return any(line.startswith("CapEff:") and int(line.split()[1], 16) >> 21 & 1 for line in lines)


@contextmanager
def small_disk(folder: Path, how: str, size: str) -> Iterator[Path]:
    """Yield a folder. If ``how`` is "tmpfs", the folder is a disk of that size until the end of the block."""
    folder.mkdir()
    if how == "tmpfs":
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)], check=True)
    try:
        yield folder
    finally:
        if how == "tmpfs":
            subprocess.run(["umount", str(folder)], check=True)


class DiskFiller:
    """Fills a disk and empties it again. A limit counts for the process, so only child processes use one.

    Parameters
    ----------
    how : str
        "limit" limits the size of files, "tmpfs" writes a file until the disk is full.
    folder : Path
        Folder of the file that fills the disk.
    max_file_bytes : int
        Size that no file may exceed with "limit".
    """

    def __init__(self, how: str, folder: Path, max_file_bytes: int) -> None:
        self._ballast = folder / "ballast" if how == "tmpfs" else None
        self._max_file_bytes = max_file_bytes

    def fill(self) -> None:
        if self._ballast is None:
            self._limit(self._max_file_bytes)
            return
        with suppress(OSError), self._ballast.open("wb", buffering=0) as file:
            while file.write(bytes(512)):
                pass

    def empty(self) -> None:
        if self._ballast is None:
            self._limit(None)
        else:
            self._ballast.unlink()

    def _limit(self, size: int | None) -> None:
        import resource

        soft = resource.RLIM_INFINITY if size is None else size
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, resource.RLIM_INFINITY))
