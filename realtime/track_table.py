"""The table that a library becomes: a folder of Parquet parts, each whole or not there.

One process writes it. A part is written beside its name and renamed (in a bucket it appears when its last
byte has), so an interrupted run leaves whole parts only, and the next run hears what is in none of them.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from models.errors import OverheardError
from realtime.track_hearing import Row
from realtime.tracks import Track, filesystem_of, first_line, is_s3

Digests = npt.NDArray[np.uint64]


class TableError(OverheardError):
    """The table cannot be read or written, or is another model's."""


def schema(labels: Sequence[str]) -> Any:
    """The table's pyarrow schema; one column ``p_GENRE`` for each of the model's genres."""
    import pyarrow as pa

    return pa.schema(
        [
            pa.field("uri", pa.string(), nullable=False),  # absolute path or s3://
            pa.field("size", pa.int64()),  # bytes, -1 where it could not be asked
            pa.field("modified", pa.timestamp("us", tz="UTC")),
            pa.field("duration_seconds", pa.float64()),
            pa.field("label", pa.string()),  # the most probable genre; none: no music was heard
            pa.field("confidence", pa.float64()),  # its probability, calibrated, 0..1
            pa.field("unsure", pa.bool_()),  # confidence is below the model's threshold
            *(pa.field(f"p_{label}", pa.float64()) for label in labels),  # mean over the windows of music
            pa.field("music_share", pa.float64()),  # of the windows, 0..1
            pa.field("windows", pa.int64()),
            pa.field("fault", pa.string()),  # why it could not be heard, one sentence
            pa.field("retry", pa.bool_()),  # the fault may pass: the next run tries again
            pa.field("heard_by", pa.string()),  # model and settings
        ]
    )


class TrackTable:
    """What is known of a library, and where more is written.

    Held in memory are 20 bytes a track, whatever their names.

    Parameters
    ----------
    out : str
        Folder, or ``s3://BUCKET/PREFIX``; made if it is not there.
    labels : sequence of str
        The model's genres.
    heard_by : str
        Model and settings; rows of others are heard again.

    Raises
    ------
    TableError
        Something else has that name, or it holds another model's genres, or cannot be read.
    """

    def __init__(self, out: str, labels: Sequence[str], heard_by: str) -> None:
        self.out = out
        self._labels = list(labels)
        self._heard_by = heard_by
        self._schema = schema(labels)
        self._filesystem, self._folder = filesystem_of(out)
        self._parts: list[str] = []
        self._uris: Digests = np.empty(0, np.uint64)  # sorted
        self._keys: Digests = np.empty(0, np.uint64)  # beside them: of the unchanged track
        self._in_part = np.empty(0, np.int32)  # number of the part that holds the row
        self._faulty = np.empty(0, bool)
        self._open()

    def _open(self) -> None:
        from pyarrow import fs

        try:
            if not is_s3(self.out):
                if os.path.exists(self.out) and not os.path.isdir(self.out):
                    raise TableError(
                        f"{self.out} is a file; name a folder for the table's parts, or a new name"
                    )
                self._filesystem.create_dir(self._folder)
            found = self._filesystem.get_file_info(fs.FileSelector(self._folder, allow_not_found=True))
            for info in sorted(found, key=lambda info: str(info.path)):
                if info.base_name.startswith(".part-"):  # the run that wrote it was ended
                    self._filesystem.delete_file(info.path)
                elif info.base_name.endswith(".parquet"):
                    self._take_in(info.path)
        except OSError as error:
            raise TableError(f"cannot read the table {self.out}: {first_line(error)}") from error

    def _take_in(self, path: str) -> None:
        from pyarrow import parquet

        try:
            with self._filesystem.open_input_file(path) as file:
                part = parquet.ParquetFile(file)
                if part.schema_arrow.names != self._schema.names:
                    raise TableError(
                        f"{path} has other columns than this model's table ({', '.join(self._labels)}); "
                        "give another --out"
                    )
                columns = ["uri", "size", "modified", "fault", "retry", "heard_by"]
                self._note(path, part.read(columns=columns))
        except ValueError as error:  # pyarrow's ArrowInvalid
            raise TableError(f"{path} is no Parquet file: {first_line(error)}; remove it") from error

    def _note(self, path: str, table: Any) -> None:
        """Remember a part's rows."""
        import pyarrow as pa

        names = table["uri"].to_pylist()
        modified = table["modified"].cast(pa.int64()).to_pylist()
        sizes, retries = table["size"].to_pylist(), table["retry"].to_pylist()
        heard_by = table["heard_by"].to_pylist()
        keys = [
            0 if again else digest(f"{by}\0{name}\0{size}\0{when}")
            for name, size, when, again, by in zip(names, sizes, modified, retries, heard_by, strict=True)
        ]
        uris = np.concatenate([self._uris, np.array([digest(name) for name in names], np.uint64)])
        order = uris.argsort(kind="stable")
        self._uris = uris[order]
        self._keys = np.concatenate([self._keys, np.array(keys, np.uint64)])[order]
        number = np.full(len(names), len(self._parts), np.int32)
        self._in_part = np.concatenate([self._in_part, number])[order]
        faulty = table["fault"].is_valid().to_numpy()
        self._faulty = np.concatenate([self._faulty, faulty])[order]
        self._parts.append(path)

    def __len__(self) -> int:
        """How many tracks have a row."""
        return len(self._uris)

    def is_current(self, track: Track) -> bool:
        """Whether there is a row of this very track, heard in this way."""
        place = self._place(track)
        return place >= 0 and int(self._keys[place]) == self._key(track)

    def is_faulty(self, track: Track) -> bool:
        """Whether its row has a fault."""
        place = self._place(track)
        return place >= 0 and bool(self._faulty[place])

    def _key(self, track: Track) -> int:
        return digest(f"{self._heard_by}\0{track.name}\0{track.size}\0{track.modified}")

    def _place(self, track: Track) -> int:
        wanted = np.uint64(digest(track.name))
        place = int(self._uris.searchsorted(wanted))
        return place if place < len(self._uris) and self._uris[place] == wanted else -1

    def forget(self, tracks: Iterable[Track]) -> None:
        """Take out the rows of tracks that are about to be heard again, so that none ever counts twice.

        Raises
        ------
        TableError
            It cannot be written.
        """
        stale: dict[int, set[str]] = {}
        places = []
        for track in tracks:
            if (place := self._place(track)) >= 0:
                stale.setdefault(int(self._in_part[place]), set()).add(track.name)
                places.append(place)
        for number, names in stale.items():
            self._rewrite(self._parts[number], names)
        keep = np.ones(len(self._uris), bool)
        keep[places] = False
        self._uris, self._keys = self._uris[keep], self._keys[keep]
        self._in_part, self._faulty = self._in_part[keep], self._faulty[keep]

    def _rewrite(self, path: str, without: set[str]) -> None:
        import pyarrow as pa
        from pyarrow import compute, parquet

        try:
            with self._filesystem.open_input_file(path) as file:
                table = parquet.read_table(file)
            left = table.filter(compute.invert(compute.is_in(table["uri"], pa.array(sorted(without)))))
            if len(left):
                self._save(path, left)
            else:
                self._filesystem.delete_file(path)
        except OSError as error:
            raise TableError(f"cannot rewrite {path}: {first_line(error)}") from error

    def write(self, rows: Sequence[Row]) -> None:
        """Write a part; its name is that of its content, so that the same rows are the same part.

        Raises
        ------
        TableError
            It cannot be written; what was written before stays.
        """
        import pyarrow as pa

        if not rows:
            return
        rows = sorted(rows, key=lambda row: str(row["uri"]))
        nothing = [None] * len(self._labels)
        columns = [
            {key: value for key, value in row.items() if key != "probabilities"}
            | {f"p_{g}": p for g, p in zip(self._labels, row["probabilities"] or nothing, strict=True)}
            | {"heard_by": self._heard_by}
            for row in rows
        ]
        table = pa.Table.from_pylist(columns, schema=self._schema)
        names = "\n".join(f"{row['uri']}\0{row['size']}\0{row['modified']}" for row in columns)
        name = hashlib.blake2b(f"{self._heard_by}\n{names}".encode(), digest_size=12).hexdigest()
        path = f"{self._folder}/part-{name}.parquet"
        try:
            self._save(path, table)
        except OSError as error:
            raise TableError(
                f"cannot write {path}: {first_line(error)}; make room or mend the access, and run it again: "
                "it goes on from here"
            ) from error
        self._note(path, table)

    def _save(self, path: str, table: Any) -> None:
        from pyarrow import parquet

        if is_s3(self.out):  # it appears when it is whole
            with self._filesystem.open_output_stream(path) as stream:
                parquet.write_table(table, stream, compression="zstd")
            return
        folder, name = os.path.split(path)
        beside = os.path.join(folder, f".{name}")
        try:
            with open(beside, "wb") as file:
                parquet.write_table(table, file, compression="zstd")
                file.flush()
                os.fsync(file.fileno())
            os.replace(beside, path)
        except BaseException:
            with contextlib.suppress(OSError):
                os.unlink(beside)
            raise

    def rows_with_faults(self) -> Iterable[tuple[str, str]]:
        """Name and fault of every track that has one, a part at a time."""
        from pyarrow import parquet

        for path in self._parts:
            with contextlib.suppress(FileNotFoundError), self._filesystem.open_input_file(path) as file:
                table = parquet.read_table(file, columns=["uri", "fault"])
                table = table.filter(table["fault"].is_valid())
                yield from zip(table["uri"].to_pylist(), table["fault"].to_pylist(), strict=True)


def digest(text: str) -> int:
    """Of 64 bits, never 0: two of ten million names are alike once in 400,000 libraries."""
    found = hashlib.blake2b(text.encode("utf-8", "backslashreplace"), digest_size=8).digest()
    return int.from_bytes(found, "big") or 1
