"""Find the path of the history. This module does not import the modules that read and write the file."""

from __future__ import annotations

from pathlib import Path

from models.common.paths import data_folder


def default_path() -> Path:
    """Return the path of the history for the setting ``auto``."""
    return data_folder() / "history.sqlite"


def resolve_path(setting: str) -> Path | None:
    """Return the path that the setting ``history`` names, or None if the setting is ``off``.

    Parameters
    ----------
    setting : str
        A path, ``off``, or ``auto`` or an empty text for ``default_path``.
    """
    if setting in ("", "auto"):
        return default_path()
    return None if setting == "off" else Path(setting).expanduser()
