"""A library as a table: what was heard stays heard, bad files are rows, nothing counts twice."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from models.errors import OverheardError
from models.manifest import ModelManifest
from realtime.library import hear_library
from realtime.settings import Settings
from realtime.track_engines import Block, LocalEngine, blocks_of
from realtime.track_hearing import Hearer, Hearing, Row
from realtime.track_table import TableError, TrackTable
from realtime.tracks import Fetched, Track, find_tracks
from tests.sounds import write
from tests.test_commands import DEMONSTRATION, overheard, refused
from training.library import SAMPLE_RATE, decode

HEARING = Hearing.of(Settings())
MANIFEST = ModelManifest.load()


def music(folder: Path, count: int) -> list[Path]:
    """So many different tracks of six seconds."""
    sound = decode(DEMONSTRATION)
    folder.mkdir(exist_ok=True)
    starts = (number * 7 * SAMPLE_RATE for number in range(count))
    return [
        write(folder / f"{number:02}.wav", sound[start : start + 6 * SAMPLE_RATE], SAMPLE_RATE)
        for number, start in enumerate(starts)
    ]


def table_at(path: Path | str, hearing: Hearing = HEARING) -> TrackTable:
    return TrackTable(str(path), MANIFEST.labels, hearing.told(MANIFEST))


def rows_of(path: Path) -> list[dict[str, Any]]:
    """As pandas reads them, which everybody does."""
    import pandas

    frame = pandas.read_parquet(path).sort_values("uri")
    return list(json.loads(frame.to_json(orient="records", date_format="iso")))


class Counted:
    """An engine that makes rows up, counts what it is given, and breaks off after so many blocks."""

    workers = 1

    def __init__(self, most: int = 1000, fault: str | None = None, *, retry: bool = False) -> None:
        self.given: list[str] = []
        self._most, self._fault, self._retry = most, fault, retry

    def heard(self, blocks: Sequence[Block]) -> Iterator[list[Row]]:
        for number, block in enumerate(blocks):
            if number == self._most:
                raise KeyboardInterrupt
            self.given += [track.name for track in block]
            yield [made_up(track, self._fault, retry=self._retry) for track in block]

    def close(self) -> None:
        pass


def made_up(track: Track, fault: str | None = None, *, retry: bool = False) -> Row:
    return {
        "uri": track.name, "size": track.size, "modified": track.modified, "duration_seconds": 6.0,
        "label": "jazz", "confidence": 0.5, "unsure": False, "probabilities": [0.1] * 10, "music_share": 1.0,
        "windows": 3, "fault": fault, "retry": retry,
    }  # fmt: skip


@pytest.fixture
def hundred(tmp_path: Path) -> Path:
    folder = tmp_path / "music"
    folder.mkdir()
    for number in range(100):
        (folder / f"{number:03}.mp3").write_bytes(b"x" * (number + 1))
    return folder


def names_in(path: Path) -> list[str]:
    return [str(row["uri"]) for row in rows_of(path)]


def test_a_library_becomes_a_table_that_analyze_agrees_with(tmp_path: Path) -> None:
    first, second = music(tmp_path / "music", 2)
    (tmp_path / "music" / "bad.mp3").write_bytes(b"no sound" * 100)
    (tmp_path / "music" / "empty.flac").touch()
    (tmp_path / "music" / "cover.jpg").write_bytes(b"no sound")
    out = tmp_path / "tracks.parquet"
    done = overheard("library", str(tmp_path / "music"), "--out", str(out), "--workers", "1")
    assert done.returncode == 0, done
    assert done.stdout == ""
    for bad in ("bad.mp3 is no sound that FFmpeg can decode", "empty.flac is empty (0 bytes)"):
        assert done.stderr.count(bad) == 1
    assert "4 tracks found, 4 heard now" in done.stderr
    rows = {Path(row["uri"]).name: row for row in rows_of(out)}
    assert sorted(rows) == ["00.wav", "01.wav", "bad.mp3", "empty.flac"]
    told = overheard("analyze", "--json", str(first), str(second)).stdout.splitlines()
    summaries = [line for line in map(json.loads, told) if line["type"] == "summary"]
    for summary, row in zip(summaries, (rows["00.wav"], rows["01.wav"]), strict=True):
        assert (row["label"], row["confidence"], row["unsure"]) == (
            summary["label"], summary["confidence"], summary["unsure"],
        )  # fmt: skip
        assert {g: row[f"p_{g}"] for g in MANIFEST.labels} == summary["probabilities"]
        assert (row["duration_seconds"], row["music_share"]) == (6.0, 1.0)
        assert row["size"] == os.stat(row["uri"]).st_size
    assert rows["bad.mp3"]["label"] is None
    again = overheard("library", str(tmp_path / "music"), "--out", str(out))
    assert "4 tracks found, 0 heard now; 2 cannot be heard" in again.stderr
    bad_only = overheard("library", str(tmp_path / "music" / "bad.mp3"), "--out", str(tmp_path / "bad"))
    assert bad_only.returncode == 1


@pytest.mark.parametrize("blocks", [0, 1, 7])
def test_a_run_that_breaks_off_goes_on_where_it_was(blocks: int, hundred: Path, tmp_path: Path) -> None:
    out = tmp_path / "t.parquet"
    first = Counted(most=blocks)
    with pytest.raises(KeyboardInterrupt):
        hear_library([str(hundred)], table_at(out), first)
    (out / ".part-0123.parquet").write_bytes(b"half a part, whose writer was killed")
    second = Counted()
    summary = hear_library([str(hundred)], table_at(out), second)
    assert set(first.given).isdisjoint(second.given)
    assert sorted(first.given + second.given) == names_in(out)
    assert (summary.found, summary.heard) == (100, len(second.given))
    assert not list(out.glob(".part-*"))
    assert hear_library([str(hundred)], table_at(out), Counted()).heard == 0


def test_a_track_that_changed_is_heard_again_and_has_one_row(hundred: Path, tmp_path: Path) -> None:
    out = tmp_path / "t.parquet"
    hear_library([str(hundred)], table_at(out), Counted())
    (hundred / "007.mp3").write_bytes(b"longer than it was")
    os.utime(hundred / "009.mp3", (1, 1))
    engine = Counted()
    hear_library([str(hundred)], table_at(out), engine)
    assert [Path(name).name for name in engine.given] == ["007.mp3", "009.mp3"]
    assert len(set(names_in(out))) == len(names_in(out)) == 100
    other = Hearing.of(Settings(model=type(Settings().model)(hop_seconds=2.0)))
    assert hear_library([str(hundred)], table_at(out, other), Counted()).heard == 100
    assert len(names_in(out)) == 100


def test_a_stop_between_forgetting_and_hearing_counts_nothing_twice(hundred: Path, tmp_path: Path) -> None:
    out = tmp_path / "t.parquet"
    hear_library([str(hundred)], table_at(out), Counted())
    (hundred / "007.mp3").write_bytes(b"longer than it was")
    with pytest.raises(KeyboardInterrupt):
        hear_library([str(hundred)], table_at(out), Counted(most=0))
    assert len(names_in(out)) == 99
    assert hear_library([str(hundred)], table_at(out), Counted()).heard == 1
    assert len(names_in(out)) == 100


def test_a_fault_that_may_pass_is_tried_again_and_a_bad_file_is_not(hundred: Path, tmp_path: Path) -> None:
    for retry, heard in ((True, 100), (False, 0)):
        out = tmp_path / f"{retry}.parquet"
        hear_library([str(hundred)], table_at(out), Counted(fault="it is bad", retry=retry))
        summary = hear_library([str(hundred)], table_at(out), Counted())
        assert (summary.heard, len(names_in(out))) == (heard, 100)
        assert summary.faulty == (0 if retry else 100)


def test_what_is_named_twice_is_heard_once(hundred: Path, tmp_path: Path) -> None:
    listed = tmp_path / "some.m3u"
    listed.write_text("#EXTM3U\nmusic/001.mp3\n\nmusic/missing.mp3\n" + f"{hundred}/001.mp3\n")
    engine = Counted()
    hear_library([str(listed), str(hundred)], table_at(tmp_path / "t"), engine)
    assert len(engine.given) == len(set(engine.given)) == 101
    assert [track.size for track in find_tracks([str(listed)])] == [2, -1, 2]


def test_blocks_hold_every_track_once() -> None:
    for count, workers in ((0, 1), (1, 4), (100, 2), (5000, 64)):
        tracks = [Track(str(n), 0, 0) for n in range(count)]
        blocks = blocks_of(tracks, workers)
        assert [track for block in blocks for track in block] == tracks
        assert all(0 < len(block) <= 16 for block in blocks)


def test_places_and_tables_that_cannot_be_are_one_sentence(tmp_path: Path) -> None:
    out = str(tmp_path / "t")
    assert "does not exist; name a folder" in refused("library", "/nowhere", "--out", out)
    (tmp_path / "empty").mkdir()
    assert "holds no sound files" in refused("library", str(tmp_path / "empty"), "--out", out)
    assert "--workers is -1" in refused("library", str(tmp_path), "--out", out, "--workers", "-1")
    (tmp_path / "file").write_text("")
    with pytest.raises(TableError, match="is a file; name a folder"):
        table_at(tmp_path / "file")
    table_at(tmp_path / "old").write([made_up(Track("a", 1, 1))])
    with pytest.raises(TableError, match="other columns than this model's"):
        TrackTable(str(tmp_path / "old"), ("noise", "music"), "another model")
    (tmp_path / "old" / "part-x.parquet").write_text("no Parquet")
    with pytest.raises(TableError, match="is no Parquet file"):
        table_at(tmp_path / "old")


def test_without_ray_the_remedy_is_named(tmp_path: Path) -> None:
    program = (
        "import sys; sys.modules['ray'] = None; from realtime.cli import main; "
        f"sys.exit(main(['library', {str(tmp_path)!r}, '--out', {str(tmp_path / 't')!r}, '--engine', 'ray']))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 2
    assert done.stderr == (
        "overheard library: --engine ray needs the package ray, which is not installed; "
        "run pip install 'overheard[cluster]'\n"
    )


def test_a_cluster_that_does_not_answer_is_one_sentence(tmp_path: Path) -> None:
    """Ray asks for minutes; whoever mistyped an address wants to know at once."""
    words = ["library", str(tmp_path), "--out", str(tmp_path / "t"), "--engine", "ray"]
    said = refused(*words, environment={"RAY_ADDRESS": "127.0.0.1:9"})
    assert "the Ray cluster 127.0.0.1:9 does not answer (Connection refused); start it with ray start" in said


def test_a_file_that_kills_its_decoder_costs_one_row(tmp_path: Path) -> None:
    """FFmpeg reads whatever people have: a crash in it must not end a week's run, nor must a hang."""
    good, hanging = music(tmp_path / "music", 1)[0], tmp_path / "music" / "pipe.wav"
    os.mkfifo(hanging)  # opening it waits for good
    tracks = [next(find_tracks([str(path)])) for path in (good, hanging, good)]
    hearer = Hearer(Hearing(HEARING.model, HEARING.smoothing, HEARING.silence, most_seconds=15))
    try:
        hearer.hear_block(tracks[:1])  # the child is there
        assert hearer._child is not None
        hearer._child.send_signal(signal.SIGSEGV)
        hearer._child.wait()
        hearer._hearing = Hearing(HEARING.model, HEARING.smoothing, HEARING.silence, most_seconds=60)
        first, second, third = hearer.hear_block([tracks[0], Track("/nowhere.wav", -1, -1), tracks[2]])
        assert first == third
        assert first["fault"] is None
        assert second["fault"] == "/nowhere.wav does not exist or cannot be read"
        hearer._hearing = Hearing(HEARING.model, HEARING.smoothing, HEARING.silence, most_seconds=1)
        (hung,) = hearer.hear_block(tracks[1:2])
        assert hung["fault"].endswith("pipe.wav took longer than 1 s and was given up")
    finally:
        hearer.close()


@pytest.fixture(scope="module")
def bucket() -> Iterator[str]:
    """A server that speaks S3, and a bucket in it."""
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    host, port = server.get_host_and_port()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ENDPOINT_URL", f"http://{host}:{port}")
        patch.setenv("AWS_ACCESS_KEY_ID", "testing")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
        patch.setenv("AWS_EC2_METADATA_DISABLED", "true")
        from pyarrow import fs

        fs.S3FileSystem(
            endpoint_override=f"{host}:{port}", scheme="http", allow_bucket_creation=True
        ).create_dir("library")
        yield "s3://library"
    server.stop()


def put(uri: str, content: bytes) -> None:
    from realtime.tracks import filesystem_of

    filesystem, path = filesystem_of(uri)
    with filesystem.open_output_stream(path) as stream:
        stream.write(content)


def test_a_bucket_is_heard_as_a_folder_is(bucket: str, tmp_path: Path) -> None:
    paths = music(tmp_path / "music", 3)
    for path in paths:
        put(f"{bucket}/music/album {path.stem}/{path.name}", path.read_bytes())
    put(f"{bucket}/music/bad.mp3", b"no sound" * 100)
    put(f"{bucket}/music/cover.jpg", b"no sound")
    out, beside = f"{bucket}/out/tracks.parquet", tmp_path / "local.parquet"
    engine = LocalEngine(HEARING, 1)
    try:
        summary = hear_library([f"{bucket}/music"], table_at(out), engine)
        hear_library([str(tmp_path / "music")], table_at(beside), engine)
        assert (summary.found, summary.heard, summary.faulty) == (4, 4, 1)
        put(f"{bucket}/music/bad.mp3", b"no sound" * 101)
        table = table_at(out)
        assert hear_library([f"{bucket}/music"], table, engine).heard == 1
    finally:
        engine.close()
    (fault,) = [fault for _, fault in table.rows_with_faults()]
    assert fault.startswith("s3://library/music/bad.mp3 is no sound that FFmpeg can decode")
    from pyarrow import dataset

    from realtime.tracks import filesystem_of

    filesystem, place = filesystem_of(out)
    rows = {row["uri"]: row for row in dataset.dataset(place, filesystem=filesystem).to_table().to_pylist()}
    assert len(rows) == 4
    for row in rows_of(beside):
        name = Path(row["uri"]).name
        found = rows[f"{bucket}/music/album {Path(name).stem}/{name}"]
        assert [found[f"p_{g}"] for g in MANIFEST.labels] == [row[f"p_{g}"] for g in MANIFEST.labels]
    assert not list(Path(os.environ.get("TMPDIR", "/tmp")).glob("overheard-*/*.wav"))


def test_what_cannot_be_fetched_says_so(bucket: str, tmp_path: Path) -> None:
    put(f"{bucket}/large.wav", bytes(3000))
    with pytest.raises(OverheardError, match="has more than 2,000 bytes"):
        Fetched(Track(f"{bucket}/large.wav", 3000, 0), tmp_path, most_bytes=2000)
    with pytest.raises(OverheardError, match=r"cannot fetch s3://library/none\.wav"):
        Fetched(Track(f"{bucket}/none.wav", 3000, 0), tmp_path)
    assert not list(tmp_path.iterdir())
    with pytest.raises(OverheardError, match="s3://nowhere"):
        list(find_tracks(["s3://nowhere/x"]))


def test_memory_for_what_is_known_does_not_grow_with_names(tmp_path: Path) -> None:
    table = table_at(tmp_path / "t")
    table.write([made_up(Track("/" + "x" * 200 + str(n), 1, 1)) for n in range(500)])
    held = [value for value in vars(table).values() if isinstance(value, np.ndarray)]
    assert sum(value.nbytes for value in held) <= 24 * len(table)
