"""Find the user's folders and the files of a table, and write files atomically."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from models.errors import OverheardError

if TYPE_CHECKING:
    from platformdirs.api import PlatformDirsABC

logger = logging.getLogger(__name__)

APP = "overheard"


class NoHomeError(OverheardError):
    """User without a home folder, such as a numeric user of a container."""


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
        ``%LOCALAPPDATA%\\overheard`` on Windows. ``XDG_DATA_HOME`` is used on Linux and macOS. The folder
        may be missing. Files that an earlier version stored in the folder for Linux are moved first.

    Raises
    ------
    NoHomeError
        If the environment and the system name no home folder.
    """
    return _find_folder(dirs, "user_data_path", "XDG_DATA_HOME", "~/.local/share")


def config_folder(dirs: PlatformDirsABC | None = None) -> Path:
    """Return the folder of the settings file. Like ``data_folder``, move existing files first.

    Returns
    -------
    Path
        ``~/.config/overheard`` on Linux, and the folder of ``data_folder`` on macOS and Windows.

    Raises
    ------
    NoHomeError
        If the environment and the system name no home folder.
    """
    return _find_folder(dirs, "user_config_path", "XDG_CONFIG_HOME", "~/.config")


def _find_folder(dirs: PlatformDirsABC | None, name: str, variable: str, default: str) -> Path:
    """Return the folder ``name`` of ``dirs``. Files in the folder for Linux are moved to it first."""
    home = os.environ.get(variable, "")
    parent = home if os.path.isabs(home) else os.path.expanduser(default)
    if not os.path.isabs(parent):  # a relative path would be a folder called ~ in the working folder
        raise NoHomeError(f"this user has no home folder; set HOME or {variable} to an absolute path")
    linux = Path(parent) / APP
    if dirs is None:
        if sys.platform == "linux":  # platformdirs finds the same folder, and takes 5 ms to import
            return linux
        from platformdirs import PlatformDirs

        dirs = PlatformDirs(APP, appauthor=False)
    folder: Path = getattr(dirs, name)
    return _migrate_folder(linux, folder)


def _migrate_folder(old: Path, folder: Path) -> Path:
    """Move files from the folder for Linux to the folder of the system, and return the folder to use.

    If a file cannot be moved, such as a file in use on Windows, all files stay until another start.
    """
    if old == folder or not old.is_dir():
        return folder
    moved: list[tuple[Path, Path]] = []
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        for path in sorted(old.iterdir()):
            if not (target := folder / path.name).exists():
                with suppress(FileNotFoundError):  # another process has moved the file
                    path.rename(target)
                    moved.append((path, target))
    except OSError as error:
        logger.warning("the files in %s could not be moved to %s: %s", old, folder, error.strerror)
        for path, target in reversed(moved):
            with suppress(OSError):
                target.rename(path)
        return old
    with suppress(OSError):
        old.rmdir()  # fails if a file with the same name exists in the new folder
    return folder


@contextmanager
def atomic_write(path: Path, *, fsync: bool = False, mode: int = 0o666) -> Iterator[BinaryIO]:
    """Write a new file beside ``path`` and rename it at the end of the block.

    Readers see the old or the new content, never a part. If the block raises an error, the old file stays. A
    process that is killed leaves a file ``.NAME.*.part``. A symbolic link stays, and its target is replaced.
    A device or pipe, such as ``/dev/null``, is written directly.

    Parameters
    ----------
    path : Path
        File to write. A missing folder is created.
    fsync : bool
        Wait until the content is on the disk, so that the file is not empty after a power failure.
    mode : int
        Permissions of the new file before the umask is applied. With 0o600 only this user can read the file.
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


def expand_user(path: str) -> Path:
    """Replace a leading ``~`` by the home folder.

    Raises
    ------
    NoHomeError
        If the home folder is unknown.
    """
    expanded = os.path.expanduser(path)
    if expanded.startswith("~"):
        raise NoHomeError(f"{path} names an unknown home folder; give the whole path")
    return Path(expanded)


def resolve_beside(table: Path, file: str) -> Path:
    """Locate a file that a table names.

    Returns
    -------
    Path
        Path in the folder that has the name of the table and lies beside the table, if the file exists there.
        Otherwise the path in the folder of the table.
    """
    inside = table.with_suffix("") / file
    return inside if os.path.exists(inside) else table.parent / file  # Path.exists may raise an error
