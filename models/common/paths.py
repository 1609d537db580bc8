"""Find the user's folders and the files of a table, and write files whole or not at all."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

if TYPE_CHECKING:
    from platformdirs.api import PlatformDirsABC

logger = logging.getLogger(__name__)

APP = "overheard"


def data_folder(dirs: PlatformDirsABC | None = None) -> Path:
    """Return the folder of the user's data: the history and the feedback on songs.

    Parameters
    ----------
    dirs : PlatformDirsABC, optional
        Folders of another operating system, for tests.

    Returns
    -------
    Path
        ``~/.local/share/overheard`` on Linux, ``~/Library/Application Support/overheard`` on macOS,
        ``%LOCALAPPDATA%\\overheard`` on Windows. ``XDG_DATA_HOME`` counts on Linux and macOS. The folder may
        be missing. Files that an earlier version kept in the folder for Linux are moved first.
    """
    return _find_folder(dirs, "user_data_path", "XDG_DATA_HOME", "~/.local/share")


def config_folder(dirs: PlatformDirsABC | None = None) -> Path:
    """Return the folder of the settings file. Like ``data_folder``, move existing files first.

    Returns
    -------
    Path
        ``~/.config/overheard`` on Linux; on macOS and Windows the folder of ``data_folder``.
    """
    return _find_folder(dirs, "user_config_path", "XDG_CONFIG_HOME", "~/.config")


def _find_folder(dirs: PlatformDirsABC | None, name: str, variable: str, default: str) -> Path:
    """Return the folder ``name`` of ``dirs``, after the files of the folder for Linux were moved there."""
    home = os.environ.get(variable, "")
    linux = Path(home if os.path.isabs(home) else os.path.expanduser(default)) / APP
    if dirs is None:
        if sys.platform == "linux":  # platformdirs finds the same folder, and takes 5 ms to import
            return linux
        from platformdirs import PlatformDirs

        dirs = PlatformDirs(APP, appauthor=False)
    folder: Path = getattr(dirs, name)
    return _move(linux, folder)


def _move(old: Path, folder: Path) -> Path:
    """Move files from the folder for Linux to the system's own folder, and return the folder to use.

    If one file cannot be moved, such as a file in use on Windows, all files stay until another start.
    """
    if old == folder or not old.is_dir():
        return folder
    moved: list[tuple[Path, Path]] = []
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        for path in sorted(old.iterdir()):
            if not (target := folder / path.name).exists():
                with suppress(FileNotFoundError):  # another process moves the same files
                    path.rename(target)
                    moved.append((path, target))
    except OSError as error:
        logger.warning("the files in %s could not be moved to %s: %s", old, folder, error.strerror)
        for path, target in reversed(moved):
            with suppress(OSError):
                target.rename(path)
        return old
    with suppress(OSError):
        old.rmdir()  # unless a file of that name was in the new folder
    return folder


@contextmanager
def atomic_write(path: Path, *, fsync: bool = False, mode: int = 0o666) -> Iterator[BinaryIO]:
    """Write a new file beside ``path`` and rename it at the end of the block.

    Readers see the old content or the new one, never a part. If the block raises, the old file stays. A
    process that is killed leaves ``.NAME.*.part`` behind. A symbolic link stays, and its target is replaced.
    A device or pipe, such as ``/dev/null``, is written directly.

    Parameters
    ----------
    path : Path
        Its folder is made if it is missing.
    fsync : bool
        Wait until the content is on the disk: after a power failure the file then is not empty.
    mode : int
        Permissions of the new file, less the umask. With 0o600 only this user can read the file.
    """
    path = Path(os.path.realpath(path))
    if path.exists() and not path.is_file():
        with path.open("wb") as file:
            yield file
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f".{path.name}.{os.urandom(4).hex()}.part")
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


def resolve_beside(table: Path, file: str) -> Path:
    """Locate a file that a table names.

    Returns
    -------
    Path
        In the folder beside the table that has the name of the table, if the file exists there, or else in
        the folder of the table itself.
    """
    inside = table.with_suffix("") / file
    return inside if inside.exists() else table.parent / file
