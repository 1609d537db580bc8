"""A library as a table: what was heard stays heard, bad files are rows, nothing counts twice."""

from __future__ import annotations

import contextlib
import json
import os
import select
import shutil
import signal
import struct
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import Any
from urllib import request

import pytest

from models.errors import OverheardError
from models.manifest import ModelManifest
from realtime.library import PART_SECONDS, Summary, hear_library
from realtime.settings import Settings
from realtime.track_engines import Block, Engine, LocalEngine, blocks_of
from realtime.track_hearing import Hearer, Hearing, Row, row_of
from realtime.track_table import TableError, TrackTable, _Index
from realtime.tracks import Fetched, Track, find_tracks
from tests.histories import until
from tests.sounds import tone, write
from tests.test_commands import DEMONSTRATION, overheard, refused, refused_here
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


def run(place: Path | str, out: Path | str, engine: Engine, hearing: Hearing = HEARING) -> Summary:
    """One run of the command, whose table another may write afterwards."""
    with table_at(out, hearing) as table:
        return hear_library([str(place)], table, engine)


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
        run(hundred, out, first)
    (out / ".part-0123.parquet").write_bytes(b"half a part, whose writer was killed")
    second = Counted()
    summary = run(hundred, out, second)
    assert set(first.given).isdisjoint(second.given)
    assert sorted(first.given + second.given) == names_in(out)
    assert (summary.found, summary.heard) == (100, len(second.given))
    assert not list(out.glob(".part-*"))
    assert run(hundred, out, Counted()).heard == 0


def test_a_track_that_changed_is_heard_again_and_has_one_row(hundred: Path, tmp_path: Path) -> None:
    out = tmp_path / "t.parquet"
    run(hundred, out, Counted())
    (hundred / "007.mp3").write_bytes(b"longer than it was")
    os.utime(hundred / "009.mp3", (1, 1))
    engine = Counted()
    run(hundred, out, engine)
    assert [Path(name).name for name in engine.given] == ["007.mp3", "009.mp3"]
    assert len(set(names_in(out))) == len(names_in(out)) == 100
    other = Hearing.of(Settings(model=type(Settings().model)(hop_seconds=2.0)))
    assert run(hundred, out, Counted(), other).heard == 100
    assert len(names_in(out)) == 100


def test_a_row_stays_until_another_takes_its_place(hundred: Path, tmp_path: Path) -> None:
    """Rows of a wave were once taken out before any of it was heard: a stop lost up to 100,000 of them."""
    out = tmp_path / "t.parquet"
    run(hundred, out, Counted())
    (hundred / "007.mp3").write_bytes(b"longer than it was")
    with pytest.raises(KeyboardInterrupt):
        run(hundred, out, Counted(most=0))
    assert len(names_in(out)) == 100
    assert run(hundred, out, Counted()).heard == 1
    assert len(set(names_in(out))) == len(names_in(out)) == 100


def test_of_two_rows_the_newest_stays_when_a_run_was_ended_between_them(tmp_path: Path) -> None:
    """A new row is written before the old one goes, so an end in between leaves both."""
    out, aside = tmp_path / "t.parquet", tmp_path / "aside"
    aside.mkdir()
    with table_at(out) as table:
        for number in range(12):
            table.write([made_up(Track("a", number, 0)), made_up(Track(f"b{number:02}", 0, 0))])
            for part in out.glob("*.parquet"):
                if not (aside / part.name).exists():
                    shutil.copy(part, aside)
    assert [row["uri"] for row in rows_of(aside)].count("a") == 12
    with table_at(aside) as table:
        assert len(table) == 13
        assert table.is_current(Track("a", 11, 0))
    assert names_in(aside) == ["a", *(f"b{number:02}" for number in range(12))]
    assert rows_of(aside) == rows_of(out)


def test_a_track_that_is_twice_in_one_part_is_heard_again(tmp_path: Path) -> None:
    """Nobody knows which row is right; what else the part holds stays."""
    tracks = [Track("a", 1, 0), Track("a", 2, 0), Track("b", 1, 0)]
    with table_at(tmp_path / "t") as table:
        table.write([made_up(track) for track in tracks])
    with table_at(tmp_path / "t") as table:
        assert [table.is_current(track) for track in tracks] == [False, False, True]
    assert names_in(tmp_path / "t") == ["b"]


def test_a_track_that_is_away_keeps_its_row(hundred: Path, tmp_path: Path) -> None:
    """A folder that is not mounted one day must not cost what was heard on the others."""
    out = tmp_path / "t.parquet"
    listed = tmp_path / "all.m3u"
    listed.write_text("".join(f"{path}\n" for path in sorted(hundred.iterdir())))
    run(listed, out, Counted())
    hundred.rename(tmp_path / "elsewhere")
    assert run(listed, out, Counted()).heard == 0
    (tmp_path / "elsewhere").rename(hundred)
    (hundred / "007.mp3").write_bytes(b"longer than it was")
    away = Counted(fault="it cannot be fetched", retry=True)
    assert run(hundred, out, away).faulty == 1
    assert [row["fault"] for row in rows_of(out)] == [None] * 100
    again = Counted()
    run(hundred, out, again)
    assert [Path(name).name for name in again.given] == ["007.mp3"]


def test_a_table_has_one_writer(tmp_path: Path) -> None:
    out = tmp_path / "t.parquet"
    (tmp_path / "a.mp3").touch()
    with table_at(out):
        said = refused("library", str(tmp_path / "a.mp3"), "--out", str(out))
        assert said.startswith(f"overheard library: another run writes the table {out}; wait for its end")
    table_at(out).close()


def test_parts_are_sorted_once_and_those_that_are_replaced_are_gone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """To open a table of 10,000 parts took their number squared."""
    with table_at(tmp_path / "t") as table:
        for number in range(20):
            table.write([made_up(Track(f"{number:02}", 1, 1), "it is bad", retry=True)])
        for number in range(20):
            table.write([made_up(Track(f"{number:02}", 1, 1), "it is worse")])
        assert [fault for _, fault in table.rows_with_faults()] == ["it is worse"] * 20
        assert len(table._parts) == len(list((tmp_path / "t").glob("*.parquet"))) == 20
    sorted_parts, joined = [], _Index.joined

    def counted(parts: Sequence[_Index]) -> _Index:
        sorted_parts.append(len(parts))
        return joined(parts)

    monkeypatch.setattr(_Index, "joined", counted)
    table_at(tmp_path / "t").close()
    assert sorted_parts == [21]


def test_rows_are_written_in_time_though_the_next_one_is_late(hundred: Path, tmp_path: Path) -> None:
    """Thirty seconds are thirty seconds, also while a track of three hours is heard."""
    now = 0.0
    out = tmp_path / "t.parquet"

    class Slow(Counted):
        def heard(self, blocks: Sequence[Block]) -> Iterator[list[Row]]:
            nonlocal now
            first, second, *_ = (track for block in blocks for track in block)
            yield [made_up(first)]
            now = PART_SECONDS - 1
            yield []
            assert not list(out.glob("*.parquet"))
            now = PART_SECONDS
            yield []
            assert len(names_in(out)) == 1
            yield [made_up(second)]

    with table_at(out) as table:
        hear_library([str(hundred)], table, Slow(), clock=lambda: now)
    assert len(names_in(out)) == 2


def test_a_fault_that_may_pass_is_tried_again_and_a_bad_file_is_not(hundred: Path, tmp_path: Path) -> None:
    for retry, heard in ((True, 100), (False, 0)):
        out = tmp_path / f"{retry}.parquet"
        run(hundred, out, Counted(fault="it is bad", retry=retry))
        summary = run(hundred, out, Counted())
        assert (summary.heard, len(names_in(out))) == (heard, 100)
        assert summary.faulty == (0 if retry else 100)


def test_what_is_named_twice_is_heard_once(hundred: Path, tmp_path: Path) -> None:
    listed = tmp_path / "some.m3u"
    listed.write_text("#EXTM3U\nmusic/001.mp3\n\nmusic/missing.mp3\n" + f"{hundred}/001.mp3\n")
    engine = Counted()
    with table_at(tmp_path / "t") as table:
        hear_library([str(listed), str(hundred)], table, engine)
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
    with table_at(tmp_path / "old") as table:
        table.write([made_up(Track("a", 1, 1))])
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


needs_linux = pytest.mark.skipif(sys.platform != "linux", reason="needs Linux")


@pytest.fixture
def endless(tmp_path: Path) -> Path:
    """A file of 37 hours of silence, which takes minutes to hear and no room on the disk."""
    path, size = tmp_path / "endless.wav", (1 << 31) - 100
    form = (b"fmt ", 16, 1, 1, 8000, 16_000, 2, 16)  # PCM, mono, 8 kHz, 16 bits
    header = struct.pack("<4sI4s4sIHHIIHH4sI", b"RIFF", size + 36, b"WAVE", *form, b"data", size)
    path.write_bytes(header)
    os.truncate(path, len(header) + size)
    return path


def is_open(path: Path, process: int) -> bool:
    """Whether a process has a file open."""
    with contextlib.suppress(OSError):
        return any(os.path.samefile(found, path) for found in Path(f"/proc/{process}/fd").iterdir())
    return False


def hearing_in(seconds: float) -> Hearing:
    return Hearing(HEARING.model, HEARING.smoothing, HEARING.silence, most_seconds=seconds)


@needs_linux
@pytest.mark.parametrize(("number", "retry"), [(signal.SIGSEGV, False), (signal.SIGKILL, True)])
def test_a_file_that_kills_its_decoder_costs_one_row(
    number: signal.Signals, retry: bool, endless: Path, tmp_path: Path
) -> None:
    """FFmpeg reads whatever people have: a crash in it must not end a week's run."""
    good = music(tmp_path / "music", 1)[0]
    tracks = [next(find_tracks([str(path)])) for path in (good, endless, good)]
    hearer = Hearer(hearing_in(60))

    def kill() -> None:
        for _ in range(2):  # it is tried twice
            until(lambda: hearer._child is not None and is_open(endless, hearer._child.pid))
            assert hearer._child is not None
            child = hearer._child
            child.send_signal(number)
            child.wait()

    killing = threading.Thread(target=kill, daemon=True)
    killing.start()
    try:
        first, second, third = hearer.hear_block(tracks)
    finally:
        hearer.close()
    killing.join()
    assert first == third
    assert first["fault"] is None
    assert (second["fault"], second["retry"]) == (f"{endless} crashed its decoder: {number.name}", retry)


def test_a_file_that_hangs_its_decoder_costs_one_row(endless: Path) -> None:
    hearer = Hearer(hearing_in(1))
    try:
        (row,) = hearer.hear_block(list(find_tracks([str(endless)])))
    finally:
        hearer.close()
    assert (row["fault"], row["retry"]) == (f"{endless} took longer than 1 s and was given up", False)


def test_rows_come_when_they_are_heard_and_not_when_their_block_is(endless: Path, tmp_path: Path) -> None:
    """A block may take half an hour, and what is heard in it would be lost with the process."""
    block = tuple(find_tracks([str(music(tmp_path / "music", 1)[0]), str(endless)]))
    engine = LocalEngine(hearing_in(60), 1)
    try:
        heard = engine.heard([block])
        assert [row["uri"] for row in next(rows for rows in heard if rows)] == [block[0].uri]
        assert next(heard) == []
    finally:
        engine.close()


@needs_linux
def test_the_child_ends_with_its_parent_in_the_middle_of_a_file(endless: Path) -> None:
    """A killed run left children behind that heard, or hung, for as long as their files made them."""
    program = (
        "import sys; from tests.test_track_library import HEARING, Hearer, find_tracks; "
        "hearer = Hearer(HEARING); print(hearer._living_child().pid, flush=True); "
        "hearer.hear_block(list(find_tracks(sys.argv[1:])))"
    )
    words = [sys.executable, "-c", program, str(endless)]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        ending = select.poll()
        process = os.pidfd_open(child)
        try:
            ending.register(process, select.POLLIN)
            until(lambda: is_open(endless, child))
            parent.kill()
            assert ending.poll(10_000)
        finally:
            os.close(process)


def test_a_closed_hearer_leaves_no_child(endless: Path) -> None:
    """Ctrl-C while a child was being begun left it behind."""
    track = next(find_tracks([str(endless)]))
    hearer = Hearer(hearing_in(5))
    begun = subprocess.Popen
    closing = threading.Thread(target=hearer.close)

    def slowly(*words: Any, **options: Any) -> Any:
        closing.start()
        closing.join(0.2)  # it may not get on before the child is known
        children.append(begun(*words, **options))
        return children[0]

    children: list[subprocess.Popen[str]] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(subprocess, "Popen", slowly)
        with pytest.raises(OverheardError, match="the run was stopped"):
            hearer.hear_block([track])
    closing.join()
    assert [child.poll() for child in children] == [-signal.SIGKILL]
    with pytest.raises(OverheardError, match="the run was stopped"):
        hearer.hear_block([track])


def test_what_is_away_on_the_computer_that_hears_is_tried_again(tmp_path: Path) -> None:
    """A folder that one computer of a cluster had not mounted made its tracks bad for good."""
    (tmp_path / "a.wav").write_bytes(b"no sound" * 100)
    (track,) = find_tracks([str(tmp_path)])
    others = [replace(track, size=1), replace(track, modified=1), replace(track, uri="/nowhere/a.wav")]
    hearer = Hearer(HEARING)
    try:
        *away, bad = hearer.hear_block([*others, track])
    finally:
        hearer.close()
    changed = f"{track.uri} has changed since it was found, or is another file where it is heard"
    missing = "/nowhere/a.wav does not exist or cannot be read: No such file or directory"
    assert [row["fault"] for row in away] == [changed, changed, missing]
    assert [row["retry"] for row in away] == [True, True, True]
    assert not bad["retry"]


def test_names_that_no_terminal_can_show_are_escaped(tmp_path: Path) -> None:
    """The fault of a short file held its name as it was, which no table could take."""
    sound = tone(440, 1.0)
    short = write(tmp_path / "short.wav", sound, SAMPLE_RATE)
    os.rename(short, os.fsencode(tmp_path) + b"/\xff\x1b[2J.wav")
    done = overheard("library", str(tmp_path), "--out", str(tmp_path / "t"))
    (row,) = rows_of(tmp_path / "t")
    assert row["uri"] == f"{tmp_path}/\\udcff\x1b[2J.wav"
    assert row["fault"].startswith(f"{row['uri']} holds 1.00 s of sound; one window needs")
    assert f"overheard library: {tmp_path}/\\udcff\\x1b[2J.wav holds 1.00 s" in done.stderr
    assert done.returncode == 1
    assert row_of(Track("/a", 1, 1), {"fault": "\udcff is bad"})["fault"] == "\\udcff is bad"


def test_what_is_no_list_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "cover.jpg").write_bytes(b"\xff\xd8\xff\xe0\0\x10JFIF")
    said = refused_here("library", str(tmp_path / "cover.jpg"), "--out", str(tmp_path / "t"))
    assert said.endswith("cover.jpg is no list of tracks: it is no text in UTF-8")


@pytest.mark.parametrize("endpoint", ["localhost:9000", "minio", "http://", "http://[::1"])
def test_an_endpoint_that_is_no_address_is_one_sentence(endpoint: str, tmp_path: Path) -> None:
    environment = {"AWS_ENDPOINT_URL": endpoint}
    said = refused_here("library", "s3://library", "--out", str(tmp_path), environment=environment)
    assert f"AWS_ENDPOINT_URL is {endpoint}; it must be an address such as https://" in said


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
        summary = run(f"{bucket}/music", out, engine)
        run(tmp_path / "music", beside, engine)
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


def test_keys_that_no_one_can_fetch_are_rows(bucket: str, tmp_path: Path) -> None:
    """A line of a list must not end a run of days."""
    put(f"{bucket}/short.wav", write(tmp_path / "short.wav", tone(440, 1.0), SAMPLE_RATE).read_bytes())
    listed = tmp_path / "some.m3u"
    listed.write_bytes(b"s3://library//x.wav\ns3://library/\xff.wav\ns3://library/short.wav\n")
    engine = LocalEngine(HEARING, 1)
    try:
        assert run(listed, tmp_path / "t", engine).faulty == 3
    finally:
        engine.close()
    slashes, no_text, short = rows_of(tmp_path / "t")  # by name
    assert short["fault"].startswith("s3://library/short.wav holds 1.00 s of sound")
    assert "Empty path component" in slashes["fault"]
    assert no_text["fault"].startswith(r"cannot fetch s3://library/\udcff.wav")
    with pytest.raises(OverheardError, match="cannot list s3://library//x"):
        list(find_tracks(["s3://library//x"]))
    with pytest.raises(OverheardError, match="cannot read the table s3://library//x"):
        table_at("s3://library//x")


def test_a_key_with_an_empty_name_ends_no_listing(bucket: str) -> None:
    """pyarrow lists the folder in itself then, which was gone through for good."""
    for key in ("odd//a.wav", "odd/b.wav"):  # pyarrow itself takes no such key
        address = f"{os.environ['AWS_ENDPOINT_URL']}/library/{key}"
        request.urlopen(request.Request(address, b"x", method="PUT")).close()
    assert [track.uri for track in find_tracks([f"{bucket}/odd"])] == ["s3://library/odd/b.wav"]


def test_a_stop_does_not_wait_for_a_fetch(bucket: str, tmp_path: Path) -> None:
    put(f"{bucket}/large.wav", bytes(3000))
    stop = threading.Event()
    stop.set()
    with pytest.raises(OverheardError, match="was not fetched: the run was stopped"):
        Fetched(Track(f"{bucket}/large.wav", 3000, 0), tmp_path, stop=stop)
    assert not list(tmp_path.iterdir())


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
    with table_at(tmp_path / "t") as table:
        table.write([made_up(Track("/" + "x" * 200 + str(n), 1, 1)) for n in range(500)])
        held = [getattr(table._index, field.name) for field in fields(table._index)]
    assert sum(value.nbytes for value in held) == 21 * len(table) == 21 * 500
