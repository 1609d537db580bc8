"""Table of a library: interrupted runs, changed tracks, bad files and duplicates."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest

from realtime.config import AnalysisSettings, Settings
from realtime.library.analysis import Row
from realtime.library.discovery import find_tracks
from realtime.library.executors import Block, split_blocks
from realtime.library.scan import PART_SECONDS, scan_library
from realtime.library.table import TableError, TrackTable, _Index
from realtime.library.track import LibraryTrack
from tests.support.audio import write
from tests.support.cli import command_error, run_command
from tests.support.libraries import (
    MANIFEST,
    CountingExecutor,
    made_up_row,
    open_table,
    read_rows,
    read_uris,
    scan,
    write_tracks,
)
from tests.support.tagged_model import EMBEDDING_SIZE


@pytest.fixture
def hundred(tmp_path: Path) -> Path:
    folder = tmp_path / "music"
    folder.mkdir()
    for number in range(100):
        (folder / f"{number:03}.mp3").write_bytes(b"x" * (number + 1))
    return folder


def test_a_library_becomes_a_table_that_analyze_agrees_with(tmp_path: Path) -> None:
    first, second = write_tracks(tmp_path / "music", 2)
    (tmp_path / "music" / "bad.mp3").write_bytes(b"no sound" * 100)
    (tmp_path / "music" / "empty.flac").touch()
    (tmp_path / "music" / "cover.jpg").write_bytes(b"no sound")
    out = tmp_path / "tracks.parquet"
    done = run_command("library", str(tmp_path / "music"), "--out", str(out), "--workers", "1")
    assert done.returncode == 0, done
    assert done.stdout == ""
    for bad in ("bad.mp3 is not audio that FFmpeg can decode", "empty.flac is empty (0 bytes)"):
        assert done.stderr.count(bad) == 1
    assert "4 tracks found, 4 analyzed now" in done.stderr
    rows = {Path(row["uri"]).name: row for row in read_rows(out)}
    assert sorted(rows) == ["00.wav", "01.wav", "bad.mp3", "empty.flac"]
    lines = run_command("analyze", "--json", str(first), str(second)).stdout.splitlines()
    summaries = [line for line in map(json.loads, lines) if line["type"] == "summary"]
    for summary, row in zip(summaries, (rows["00.wav"], rows["01.wav"]), strict=True):
        assert (row["label"], row["confidence"], row["unsure"]) == (
            summary["label"], summary["confidence"], summary["unsure"],
        )  # fmt: skip
        assert {g: row[f"p_{g}"] for g in MANIFEST.labels} == summary["probabilities"]
        assert (row["duration_seconds"], row["music_share"]) == (6.0, 1.0)
        assert row["size"] == os.stat(row["uri"]).st_size
    assert rows["bad.mp3"]["label"] is None
    again = run_command("library", str(tmp_path / "music"), "--out", str(out))
    assert "4 tracks found, 0 analyzed now; 2 cannot be analyzed" in again.stderr
    bad_only = run_command("library", str(tmp_path / "music" / "bad.mp3"), "--out", str(tmp_path / "bad"))
    assert bad_only.returncode == 1


@pytest.mark.parametrize("blocks", [0, 1, 7])
def test_an_interrupted_run_continues_where_it_stopped(blocks: int, hundred: Path, tmp_path: Path) -> None:
    out = tmp_path / "t.parquet"
    first = CountingExecutor(max_blocks=blocks)
    with pytest.raises(KeyboardInterrupt):
        scan(hundred, out, first)
    (out / ".part-0123.parquet").write_bytes(b"half a part, whose writer was killed")
    second = CountingExecutor()
    summary = scan(hundred, out, second)
    assert set(first.analyzed).isdisjoint(second.analyzed)
    assert sorted(first.analyzed + second.analyzed) == read_uris(out)
    assert (summary.found, summary.analyzed) == (100, len(second.analyzed))
    assert not list(out.glob(".part-*"))
    assert scan(hundred, out, CountingExecutor()).analyzed == 0


def test_a_changed_track_is_analyzed_again_and_has_one_row(hundred: Path, tmp_path: Path) -> None:
    out = tmp_path / "t.parquet"
    scan(hundred, out, CountingExecutor())
    (hundred / "007.mp3").write_bytes(b"longer than it was")
    os.utime(hundred / "009.mp3", (1, 1))
    executor = CountingExecutor()
    scan(hundred, out, executor)
    assert [Path(name).name for name in executor.analyzed] == ["007.mp3", "009.mp3"]
    assert len(set(read_uris(out))) == len(read_uris(out)) == 100
    other = AnalysisSettings.from_settings(Settings(model=type(Settings().model)(hop_seconds=2.0)))
    assert scan(hundred, out, CountingExecutor(), other).analyzed == 100
    assert len(read_uris(out)) == 100


def test_a_row_stays_until_another_takes_its_place(hundred: Path, tmp_path: Path) -> None:
    """Rows were once removed before their tracks were analyzed again. A stop lost up to 100,000 rows."""
    out = tmp_path / "t.parquet"
    scan(hundred, out, CountingExecutor())
    (hundred / "007.mp3").write_bytes(b"longer than it was")
    with pytest.raises(KeyboardInterrupt):
        scan(hundred, out, CountingExecutor(max_blocks=0))
    assert len(read_uris(out)) == 100
    assert scan(hundred, out, CountingExecutor()).analyzed == 1
    assert len(set(read_uris(out))) == len(read_uris(out)) == 100


def test_the_newest_of_two_rows_stays_if_a_run_ended_between_them(tmp_path: Path) -> None:
    """A new row is written before the old one is removed, so an end in between leaves both."""
    out, aside = tmp_path / "t.parquet", tmp_path / "aside"
    aside.mkdir()
    with open_table(out) as table:
        for number in range(12):
            table.write(
                [made_up_row(LibraryTrack("a", number, 0)), made_up_row(LibraryTrack(f"b{number:02}", 0, 0))]
            )
            for part in out.glob("*.parquet"):
                if not (aside / part.name).exists():
                    shutil.copy(part, aside)
    assert [row["uri"] for row in read_rows(aside)].count("a") == 12
    with open_table(aside) as table:
        assert len(table) == 13
        assert table.is_current(LibraryTrack("a", 11, 0))
    assert read_uris(aside) == ["a", *(f"b{number:02}" for number in range(12))]
    assert read_rows(aside) == read_rows(out)


def test_a_track_with_two_rows_in_one_part_is_analyzed_again(tmp_path: Path) -> None:
    """Neither of the two rows is known to be right. Other rows of the part stay."""
    tracks = [LibraryTrack("a", 1, 0), LibraryTrack("a", 2, 0), LibraryTrack("b", 1, 0)]
    with open_table(tmp_path / "t") as table:
        table.write([made_up_row(track) for track in tracks])
    with open_table(tmp_path / "t") as table:
        assert [table.is_current(track) for track in tracks] == [False, False, True]
    assert read_uris(tmp_path / "t") == ["b"]


def test_a_missing_track_keeps_its_row(hundred: Path, tmp_path: Path) -> None:
    """A folder that is not mounted one day must not delete the results of earlier runs."""
    out = tmp_path / "t.parquet"
    listed = tmp_path / "all.m3u"
    listed.write_text("".join(f"{path}\n" for path in sorted(hundred.iterdir())))
    scan(listed, out, CountingExecutor())
    hundred.rename(tmp_path / "elsewhere")
    assert scan(listed, out, CountingExecutor()).analyzed == 0
    (tmp_path / "elsewhere").rename(hundred)
    (hundred / "007.mp3").write_bytes(b"longer than it was")
    failing = CountingExecutor(fault="it cannot be fetched", retry=True)
    assert scan(hundred, out, failing).faulty == 1
    assert [row["fault"] for row in read_rows(out)] == [None] * 100
    again = CountingExecutor()
    scan(hundred, out, again)
    assert [Path(name).name for name in again.analyzed] == ["007.mp3"]


def test_a_table_has_one_writer(tmp_path: Path) -> None:
    out = tmp_path / "t.parquet"
    (tmp_path / "a.mp3").touch()
    with open_table(out):
        error = command_error("library", str(tmp_path / "a.mp3"), "--out", str(out))
        assert error.startswith(f"overheard library: another run writes the table {out}; wait until it ends")
    open_table(out).close()


def test_parts_are_sorted_once_and_replaced_parts_are_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The time to open a table once rose with the square of the number of parts."""
    with open_table(tmp_path / "t") as table:
        for number in range(20):
            table.write([made_up_row(LibraryTrack(f"{number:02}", 1, 1), "it is bad", retry=True)])
        for number in range(20):
            table.write([made_up_row(LibraryTrack(f"{number:02}", 1, 1), "it is worse")])
        assert [fault for _, fault in table.rows_with_faults()] == ["it is worse"] * 20
        assert len(table._parts) == len(list((tmp_path / "t").glob("*.parquet"))) == 20
    sorted_parts, joined = [], _Index.join

    def counted(parts: Sequence[_Index]) -> _Index:
        sorted_parts.append(len(parts))
        return joined(parts)

    monkeypatch.setattr(_Index, "join", counted)
    open_table(tmp_path / "t").close()
    assert sorted_parts == [21]


def test_rows_are_written_in_time_although_the_next_one_is_late(hundred: Path, tmp_path: Path) -> None:
    """Rows are written after 30 s even while a track of three hours is analyzed."""
    now = 0.0
    out = tmp_path / "t.parquet"

    class Slow(CountingExecutor):
        def analyze(self, blocks: Sequence[Block]) -> Iterator[list[Row]]:
            nonlocal now
            first, second, *_ = (track for block in blocks for track in block)
            yield [made_up_row(first)]
            now = PART_SECONDS - 1
            yield []
            assert not list(out.glob("*.parquet"))
            now = PART_SECONDS
            yield []
            assert len(read_uris(out)) == 1
            yield [made_up_row(second)]

    with open_table(out) as table:
        scan_library([str(hundred)], table, Slow(), clock=lambda: now)
    assert len(read_uris(out)) == 2


def test_a_temporary_fault_is_tried_again_and_a_bad_file_is_not(hundred: Path, tmp_path: Path) -> None:
    for retry, analyzed in ((True, 100), (False, 0)):
        out = tmp_path / f"{retry}.parquet"
        scan(hundred, out, CountingExecutor(fault="it is bad", retry=retry))
        summary = scan(hundred, out, CountingExecutor())
        assert (summary.analyzed, len(read_uris(out))) == (analyzed, 100)
        assert summary.faulty == (0 if retry else 100)


def test_a_track_that_is_named_twice_is_analyzed_once(hundred: Path, tmp_path: Path) -> None:
    listed = tmp_path / "some.m3u"
    listed.write_text("#EXTM3U\nmusic/001.mp3\n\nmusic/missing.mp3\n" + f"{hundred}/001.mp3\n")
    executor = CountingExecutor()
    with open_table(tmp_path / "t") as table:
        scan_library([str(listed), str(hundred)], table, executor)
    assert len(executor.analyzed) == len(set(executor.analyzed)) == 101
    assert [track.size for track in find_tracks([str(listed)])] == [2, -1, 2]


def test_blocks_hold_every_track_once() -> None:
    for count, workers in ((0, 1), (1, 4), (100, 2), (5000, 64)):
        tracks = [LibraryTrack(str(n), 0, 0) for n in range(count)]
        blocks = split_blocks(tracks, workers)
        assert [track for block in blocks for track in block] == tracks
        assert all(0 < len(block) <= 16 for block in blocks)


def test_the_memory_of_the_index_does_not_depend_on_the_length_of_names(tmp_path: Path) -> None:
    with open_table(tmp_path / "t") as table:
        table.write([made_up_row(LibraryTrack("/" + "x" * 200 + str(n), 1, 1)) for n in range(500)])
        held = [getattr(table._index, field.name) for field in fields(table._index)]
    assert sum(value.nbytes for value in held) == 21 * len(table) == 21 * 500


@pytest.mark.training
def test_the_table_has_tags_mood_and_embedding_of_the_music(tmp_path: Path, tagged_model: Path) -> None:
    from pyarrow import parquet

    (track,) = write_tracks(tmp_path / "music", 1)
    write(tmp_path / "music" / "silence.wav", np.zeros(6 * 22_050), 22_050)
    out, model = tmp_path / "t", ("--manifest", str(tagged_model))
    done = run_command("library", str(tmp_path / "music"), "--out", str(out), "--workers", "1", *model)
    assert done.returncode == 0, done
    music, silence = read_rows(out)
    summary = json.loads(run_command("analyze", "--json", *model, str(track)).stdout.splitlines()[-1])
    assert music["tags"] == [tag["name"] for tag in summary["tags"]]
    assert music["tags"], "the music must have tags, or the test shows nothing"
    assert {"valence": music["valence"], "arousal": music["arousal"]} == summary["mood"]
    assert music["embedding"] == pytest.approx(summary["embedding"], abs=1e-6)
    for column in ("tags", "valence", "arousal", "embedding"):
        assert silence[column] is None
    schema = parquet.read_table(out).schema
    assert str(schema.field("embedding").type).startswith("fixed_size_list<")
    assert schema.field("embedding").type.list_size == EMBEDDING_SIZE


@pytest.mark.parametrize("missing", ["tags", "embedding"])
def test_a_table_without_the_columns_of_this_version_is_refused(missing: str, tmp_path: Path) -> None:
    from pyarrow import parquet

    with open_table(tmp_path / "t") as table:
        table.write([made_up_row(LibraryTrack("a", 1, 1))])
    (part,) = (tmp_path / "t").glob("*.parquet")
    parquet.write_table(parquet.read_table(part).drop_columns([missing]), part)
    with pytest.raises(TableError, match="or is of another version; choose another --out"):
        open_table(tmp_path / "t")


def test_a_table_with_embeddings_of_another_size_is_refused(tmp_path: Path) -> None:
    with TrackTable(str(tmp_path / "t"), MANIFEST.labels, "a model", embedding_size=4) as table:
        table.write([made_up_row(LibraryTrack("a", 1, 1)) | {"embedding": [0.5] * 4}])
    assert read_rows(tmp_path / "t")[0]["embedding"] == [0.5] * 4
    with pytest.raises(TableError, match="has other columns"):
        TrackTable(str(tmp_path / "t"), MANIFEST.labels, "a model", embedding_size=8)
