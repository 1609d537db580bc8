"""Table of analyzed tracks in a folder or bucket of Parquet files, the parts.

One process may write the table at a time. It locks a folder, but not a bucket. A part is written under a
temporary name and then renamed. In a bucket a part appears with its last byte. An interrupted run therefore
leaves only complete parts, and the next run analyzes the tracks that are in no part.

If a track is analyzed again, the new row is written before the old row is removed. If the run ends in
between, the row of the newest part is used when the table is opened. The number in a part's name is its age.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from models.common.paths import atomic_write
from models.common.text import first_line, replace_surrogates
from models.errors import OverheardError
from realtime.library.analysis import Row
from realtime.library.storage import open_filesystem
from realtime.library.track import LibraryTrack, is_s3

if TYPE_CHECKING:
    from filelock import FileLock

Digests = npt.NDArray[np.uint64]

PART_NAME = re.compile(r"part-(\d+)-")
"""Beginning of a part's name, with its age."""


class TableError(OverheardError):
    """Table that cannot be read or written, or that belongs to another model."""


def build_schema(labels: Sequence[str], embedding_size: int = 0) -> Any:
    """Build the PyArrow schema of the table, with a column ``p_GENRE`` for each genre of the model."""
    import pyarrow as pa

    embedding = pa.list_(pa.float32(), embedding_size or -1)  # -1: lists of any length, none of which exist

    return pa.schema(
        [
            pa.field("uri", pa.string(), nullable=False),  # absolute path or s3://
            pa.field("size", pa.int64()),  # bytes, -1 if unknown
            pa.field("modified", pa.timestamp("us", tz="UTC")),
            pa.field("artist", pa.string()),  # from the file's tags, null if they lack it
            pa.field("title", pa.string()),
            pa.field("duration_seconds", pa.float64()),
            pa.field("label", pa.string()),  # most probable genre, null without music
            pa.field("confidence", pa.float64()),  # calibrated probability of ``label``, 0..1
            pa.field("unsure", pa.bool_()),  # confidence is below the model's threshold
            *(pa.field(f"p_{label}", pa.float64()) for label in labels),  # mean over the music windows
            pa.field("music_share", pa.float64()),  # share of the windows, 0..1
            pa.field("windows", pa.int64()),
            pa.field("tags", pa.list_(pa.string())),  # names, the most probable first; null without music
            pa.field("valence", pa.float64()),  # from unpleasant, -1, to pleasant, 1
            pa.field("arousal", pa.float64()),  # from sleepy, -1, to aroused, 1
            pa.field("embedding", embedding),  # of length 1, null without music or if the model has none
            pa.field("fault", pa.string()),  # reason why the track could not be analyzed, one sentence
            pa.field("retry", pa.bool_()),  # the next run analyzes the track again
            pa.field("heard_by", pa.string()),  # model and settings
        ]
    )


@dataclass(frozen=True, slots=True)
class _Index:
    """Columns of the table that are held in memory, as arrays of shape (n,)."""

    uris: Digests
    keys: Digests  # digest of track and settings, 0 if the track must be analyzed again
    in_part: npt.NDArray[np.int32]  # number of the part that contains the row
    faulty: npt.NDArray[np.bool_]

    @classmethod
    def empty(cls) -> _Index:
        return cls(*(np.empty(0, kind) for kind in (np.uint64, np.uint64, np.int32, bool)))

    @classmethod
    def join(cls, indices: Sequence[_Index]) -> _Index:
        """Join indices, sorted by ``uris``. Equal rows keep their order."""
        uris = np.concatenate([index.uris for index in indices])
        order = uris.argsort(kind="stable")
        return cls(
            uris[order],
            np.concatenate([index.keys for index in indices])[order],
            np.concatenate([index.in_part for index in indices])[order],
            np.concatenate([index.faulty for index in indices])[order],
        )

    def select(self, rows: npt.NDArray[np.bool_]) -> _Index:
        """Select rows by a boolean mask."""
        return _Index(self.uris[rows], self.keys[rows], self.in_part[rows], self.faulty[rows])


class TrackTable:
    """Table of the tracks of a library, stored in Parquet parts.

    The table needs 21 bytes of memory for each track, regardless of the length of names.

    Parameters
    ----------
    out : str
        Folder or ``s3://BUCKET/PREFIX``, created if missing.
    labels : sequence of str
        Genres of the model.
    analyzed_by : str
        Model and settings, for the column ``heard_by``. Tracks with another value are analyzed again.
    embedding_size : int
        Size of the model's embedding, 0 if the model has none.

    Attributes
    ----------
    retained : int
        Older rows that were not replaced, because the new analysis failed with a temporary error.

    Raises
    ------
    TableError
        If ``out`` is a file, has the columns of another model or version, cannot be read, or is being written
        by another run.
    """

    def __init__(self, out: str, labels: Sequence[str], analyzed_by: str, embedding_size: int = 0) -> None:
        self.out = out
        self.retained = 0
        self._labels = list(labels)
        self._analyzed_by = analyzed_by
        self._schema = build_schema(labels, embedding_size)
        self._filesystem, self._folder = open_filesystem(out)
        self._parts: dict[int, str] = {}  # paths by the numbers in ``in_part``
        self._next = 0
        self._age = 0  # age of the newest part
        self._index = _Index.empty()
        self._lock: FileLock | None = None
        try:
            self._open()
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> TrackTable:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def close(self) -> None:
        """Release the lock. Later calls have no effect."""
        if self._lock is not None:
            self._lock.release()
            self._lock = None

    def _open(self) -> None:
        from pyarrow import fs

        try:
            if not is_s3(self.out):
                if os.path.exists(self.out) and not os.path.isdir(self.out):
                    raise TableError(
                        f"{self.out} is a file; name a folder for the table's parts, or a new name"
                    )
                self._filesystem.create_dir(self._folder)
                self._take_lock()
            entries = self._filesystem.get_file_info(fs.FileSelector(self._folder, allow_not_found=True))
            paths = []
            for info in entries:
                if info.base_name.startswith(".part-"):  # unfinished part of an interrupted run
                    self._filesystem.delete_file(info.path)
                elif info.base_name.endswith(".parquet"):
                    paths.append(info.path)
            self._load_parts(sorted(paths, key=lambda path: (_parse_age(path), path)))
        except (OSError, ValueError) as error:
            raise TableError(f"cannot read the table {self.out}: {first_line(error)}") from error

    def _take_lock(self) -> None:
        """Lock the folder. The operating system releases the lock if the process dies."""
        from filelock import FileLock, Timeout

        lock = FileLock(Path(self._folder) / ".lock", timeout=0, thread_local=False, fallback_to_soft=False)
        try:
            lock.acquire()
        except Timeout as error:
            raise TableError(
                f"another run writes the table {self.out}; wait until it ends, or choose another --out"
            ) from error
        except OSError:  # the file system does not support locks
            return
        self._lock = lock

    def _load_parts(self, paths: Sequence[str]) -> None:
        """Read parts, oldest first, and keep only the newest row of each track."""
        index = _Index.join([_Index.empty(), *(self._read_part(path) for path in paths)])
        repeated = index.uris[1:] == index.uris[:-1]
        newest, ambiguous = np.ones(len(index.uris), bool), np.zeros(len(index.uris), bool)
        newest[:-1] = ~repeated
        # If one part has two rows of a track, neither row is used, and the track is analyzed again.
        ambiguous[1:] = repeated & (index.in_part[1:] == index.in_part[:-1])
        self._index = index.select(newest & ~ambiguous)
        self._age = max(map(_parse_age, paths), default=0)
        self._drop(index.select(~newest))

    def _read_part(self, path: str) -> _Index:
        from pyarrow import parquet

        try:
            with self._filesystem.open_input_file(path) as file:
                part = parquet.ParquetFile(file)
                if not part.schema_arrow.equals(self._schema):
                    raise TableError(
                        f"{path} has other columns than this model's table ({', '.join(self._labels)}), or "
                        "is of another version; choose another --out"
                    )
                columns = ["uri", "size", "modified", "fault", "retry", "heard_by"]
                return self._build_index(path, part.read(columns=columns))
        except ValueError as error:  # pyarrow's ArrowInvalid
            raise TableError(f"{path} is not a Parquet file: {first_line(error)}; remove it") from error

    def _build_index(self, path: str, table: Any) -> _Index:
        """Assign the next number to the path of a part, and build the index of the part."""
        import pyarrow as pa

        names = table["uri"].to_pylist()
        modified = table["modified"].cast(pa.int64()).to_pylist()
        sizes, retries = table["size"].to_pylist(), table["retry"].to_pylist()
        analyzed_by = table["heard_by"].to_pylist()
        keys = [
            0 if retry else digest(f"{by}\0{name}\0{size}\0{changed}")
            for name, size, changed, retry, by in zip(
                names, sizes, modified, retries, analyzed_by, strict=True
            )
        ]
        number, self._next = self._next, self._next + 1
        self._parts[number] = path
        return _Index(
            digests(names),
            np.array(keys, np.uint64),
            np.full(len(names), number, np.int32),
            table["fault"].is_valid().to_numpy(),
        )

    def __len__(self) -> int:
        """Return the number of tracks that have a row."""
        return len(self._index.uris)

    def is_current(self, track: LibraryTrack) -> bool:
        """Return True if the track has a row that need not be replaced.

        The track must be unchanged and analyzed with the same settings. A row without an error also stays if
        the track is missing.
        """
        position = self._find(track.name)
        if position < 0:
            return False
        if track.size < 0 and not self._index.faulty[position]:
            return True
        return int(self._index.keys[position]) == self._compute_key(track)

    def is_faulty(self, track: LibraryTrack) -> bool:
        """Return True if the row of a track has an error."""
        position = self._find(track.name)
        return position >= 0 and bool(self._index.faulty[position])

    def _compute_key(self, track: LibraryTrack) -> int:
        return digest(f"{self._analyzed_by}\0{track.name}\0{track.size}\0{track.modified}")

    def _find(self, name: str) -> int:
        """Return the position of a track in the index, or -1 if the track has no row."""
        uris, uri = self._index.uris, np.uint64(digest(name))
        position = int(uris.searchsorted(uri))
        return position if position < len(uris) and uris[position] == uri else -1

    def _drop(self, stale: _Index) -> None:
        """Remove rows from their parts."""
        for number in np.unique(stale.in_part).tolist():
            self._rewrite(number, set(stale.uris[stale.in_part == number].tolist()))

    def _rewrite(self, number: int, stale: set[int]) -> None:
        """Rewrite a part without the stale tracks."""
        from pyarrow import parquet

        path = self._parts[number]
        try:
            with self._filesystem.open_input_file(path) as file:
                table = parquet.read_table(file)
            uris = digests(table["uri"].to_pylist()).tolist()
            rest = table.filter([uri not in stale for uri in uris])
            if len(rest):
                self._save(path, rest)
            else:
                self._filesystem.delete_file(path)
                del self._parts[number]
        except OSError as error:
            raise TableError(f"cannot rewrite {path}: {first_line(error)}") from error

    def write(self, rows: Sequence[Row]) -> None:
        """Write rows as a new part, then remove the older rows of their tracks.

        A row with a temporary error does not replace an older row without an error.

        Raises
        ------
        TableError
            If the part cannot be written. Earlier parts stay.
        """
        import pyarrow as pa

        new = [row for row in rows if not (row["retry"] and self._has_good_row(row["uri"]))]
        self.retained += len(rows) - len(new)
        if not new:
            return
        new.sort(key=lambda row: str(row["uri"]))
        names = [f"p_{label}" for label in self._labels]
        no_probabilities = [None] * len(self._labels)
        records = [
            {key: value for key, value in row.items() if key != "probabilities"}
            | dict(zip(names, row["probabilities"] or no_probabilities, strict=True))
            | {"heard_by": self._analyzed_by}
            for row in new
        ]
        table = pa.Table.from_pylist(records, schema=self._schema)
        tracks = "\n".join(f"{row['uri']}\0{row['size']}\0{row['modified']}" for row in records)
        name = hashlib.blake2b(f"{self._analyzed_by}\n{tracks}".encode(), digest_size=12).hexdigest()
        self._age += 1
        path = f"{self._folder}/part-{self._age:08}-{name}.parquet"
        try:
            self._save(path, table)
        except OSError as error:
            raise TableError(
                f"cannot write {path}: {first_line(error)}; make room or fix the permissions, and run "
                "the command again to continue"
            ) from error
        written = self._build_index(path, table)
        replaced = np.zeros(len(self), bool)
        replaced[[at for row in new if (at := self._find(row["uri"])) >= 0]] = True
        stale = self._index.select(replaced)
        self._index = _Index.join([self._index.select(~replaced), written])
        self._drop(stale)

    def _has_good_row(self, name: str) -> bool:
        position = self._find(name)
        return position >= 0 and not self._index.faulty[position]

    def _save(self, path: str, table: Any) -> None:
        from pyarrow import parquet

        options = {
            "compression": "zstd",
            # A dictionary of values that never repeat would make an embedding half as large again.
            "use_dictionary": [
                *(name for name in table.column_names if name not in ("embedding", "tags")),
                "tags.list.element",  # a list has the path of its elements
            ],
            "use_byte_stream_split": ["embedding.list.element"],
        }
        if is_s3(self.out):  # S3 shows the part when it is complete
            with self._filesystem.open_output_stream(path) as stream:
                parquet.write_table(table, stream, **options)
            return
        with atomic_write(Path(path), fsync=True) as file:
            parquet.write_table(table, file, **options)

    def rows_with_faults(self) -> Iterable[tuple[str, str]]:
        """Yield name and error of every track with an error, one part at a time."""
        from pyarrow import parquet

        for path in self._parts.values():
            with self._filesystem.open_input_file(path) as file:
                table = parquet.read_table(file, columns=["uri", "fault"])
                table = table.filter(table["fault"].is_valid())
                yield from zip(table["uri"].to_pylist(), table["fault"].to_pylist(), strict=True)


def _parse_age(path: str) -> int:
    """Parse the number in a part's name, which rises with each part. Return 0 for a name without a number."""
    match = PART_NAME.match(path.rpartition("/")[2])
    return int(match[1]) if match else 0


def digests(names: Sequence[str]) -> Digests:
    """Compute the digest of each name, uint64 of shape (n,)."""
    return np.array([digest(name) for name in names], np.uint64)


def digest(text: str) -> int:
    """Compute a digest of 64 bits, which is never 0.

    In one of 400,000 libraries with ten million names each, two names have the same digest.
    """
    content = hashlib.blake2b(replace_surrogates(text).encode(), digest_size=8).digest()
    return int.from_bytes(content, "big") or 1
