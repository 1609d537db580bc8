"""Read the table of ``overheard library`` into an index."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np

from dashboard.errors import DashboardError
from dashboard.library.index import SimilarityIndex
from models.common.text import first_line

NAMES: Final = ("uri", "size", "modified", "artist", "title", "label", "duration_seconds")
"""Columns that the index keeps beside the embeddings."""

ATTEMPTS: Final = 3
"""Attempts to read a table whose parts are replaced meanwhile."""

Signature = tuple[tuple[str, int, int], ...]
"""Names, sizes and times of change of a table's parts. A table with the same signature has the same rows."""


class LibraryFault(NamedTuple):
    """Reason why a table gives no index: a key of the page's texts, and its numbers."""

    key: str
    parameters: dict[str, Any]


class LibraryError(DashboardError):
    """Table that gives no index.

    Attributes
    ----------
    fault : LibraryFault
        The same as the message, for the page.
    """

    def __init__(self, message: str, key: str, **parameters: Any) -> None:
        super().__init__(message)
        self.fault = LibraryFault(key, parameters)


def read_signature(path: str) -> Signature:
    """Read the signature of a table.

    Raises
    ------
    LibraryError
        If there is no table at the path.
    """
    try:
        with os.scandir(path) as entries:
            parts = [part for each in entries if _is_part(each.name) and (part := _sign_part(each))]
    except (OSError, ValueError) as error:  # ValueError: the path contains NUL
        reason = getattr(error, "strerror", None) or str(error)
        raise LibraryError(
            f"{path!r} is not a table of tracks on this computer ({reason}); "
            "`overheard library ~/Music --out FOLDER` makes one",
            "missing",
            path=path,
        ) from error
    if not parts:
        raise LibraryError(
            f"{path} contains no table of tracks; `overheard library ~/Music --out {path}` makes one",
            "missing",
            path=path,
        )
    return tuple(sorted(parts))


def load_index(path: str, model: str) -> SimilarityIndex:
    """Read the tracks of a table whose embeddings a model has computed.

    Parameters
    ----------
    path : str
        Folder of the table.
    model : str
        ``ModelManifest.identity`` of the model.

    Raises
    ------
    LibraryError
        If there is no table, it cannot be read, it has no track with an embedding, or all embeddings are of
        other models.
    """
    import pyarrow as pa
    from pyarrow import compute

    try:
        # The oldest part comes first. If a run was interrupted, a later part repeats some of its tracks.
        table = pa.concat_tables(_read_parts(path))
    except (OSError, ValueError, KeyError) as error:  # ArrowInvalid is a ValueError
        raise LibraryError(
            f"{path} cannot be read as a table of tracks ({first_line(error)}); "
            "run `overheard library` again",
            "unreadable",
            path=path,
        ) from error
    rows = len(table)
    newest = {uri: row for row, uri in enumerate(table["uri"].to_pylist())}
    if len(newest) < rows:
        table = table.take(sorted(newest.values()))
    table = table.filter(table["embedding"].is_valid())
    if not len(table):
        raise LibraryError(
            f"{path} has {rows:,} rows but no track with music that could be compared; "
            "`overheard library` adds tracks",
            "empty",
            path=path,
        )
    own = table.filter(compute.starts_with(table["heard_by"], f"{model},"))
    if not len(own):
        other = str(table["heard_by"][0]).partition(",")[0]
        raise LibraryError(
            f"the {len(table):,} tracks of {path} were analyzed by {other}, but this is {model}; "
            "`overheard library ~/Music --out NEW_FOLDER` analyzes them again",
            "model",
            path=path,
            tracks=len(table),
        )
    column = own["embedding"].combine_chunks()
    embeddings = column.flatten().to_numpy(zero_copy_only=False).reshape(len(own), -1).astype(np.float32)
    names = own.select(list(NAMES))
    names = names.set_column(2, "modified", names["modified"].cast(pa.int64())).combine_chunks()
    return SimilarityIndex(model, embeddings, names, len(table) - len(own))


def _is_part(name: str) -> bool:
    return name.startswith("part-") and name.endswith(".parquet")


def _sign_part(entry: os.DirEntry[str]) -> tuple[str, int, int] | None:
    """Return name, size and time of change, or None if ``overheard library`` has removed the part."""
    try:
        status = entry.stat()
    except FileNotFoundError:
        return None
    return entry.name, status.st_size, status.st_mtime_ns


def _read_parts(path: str) -> list[Any]:
    """Read all parts. They are listed again if a running ``overheard library`` replaces one meanwhile."""
    for _ in range(ATTEMPTS - 1):
        with suppress(FileNotFoundError):
            return [_read_part(Path(path, name)) for name, _, _ in read_signature(path)]
    return [_read_part(Path(path, name)) for name, _, _ in read_signature(path)]


def _read_part(path: Path) -> Any:
    from pyarrow import parquet

    return parquet.read_table(path, columns=[*NAMES, "embedding", "heard_by"])
