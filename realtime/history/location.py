"""Find the path of the history. This module does not import the modules that read and write the file."""

from __future__ import annotations

import logging
from pathlib import Path

from models.common.paths import NoHomeError, data_folder, expand_user

logger = logging.getLogger(__name__)


def default_path() -> Path:
    """Return the path of the history for the setting ``auto``.

    Raises
    ------
    NoHomeError
        If the user has no home folder.
    """
    return data_folder() / "history.sqlite"


def find_path(setting: str) -> Path:
    """Return the path that the setting ``history`` names, if it is not ``off``.

    Raises
    ------
    NoHomeError
        If the path lies in a home folder that is unknown.
    """
    return default_path() if setting in ("", "auto") else expand_user(setting)


def resolve_path(setting: str) -> Path | None:
    """Return the path that the setting ``history`` names.

    Parameters
    ----------
    setting : str
        A path, ``off``, or ``auto`` or an empty text for ``default_path``.

    Returns
    -------
    Path or None
        None if the setting is ``off``, or ``auto`` for a user without a home folder.

    Raises
    ------
    NoHomeError
        If the setting begins with ``~`` and the home folder is unknown.
    """
    if setting == "off":
        return None
    if setting not in ("", "auto"):
        return find_path(setting)
    try:
        return default_path()
    except NoHomeError as error:
        logger.warning("the history is off: %s, or name a file with --history", error)
        return None
