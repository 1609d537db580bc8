"""Table of a library: interrupted runs, changed tracks, bad files and duplicates."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import fields
from pathlib import Path

import pytest

from realtime.config import AnalysisSettings, Settings
from realtime.library.analysis import Row
from realtime.library.discovery import find_tracks
from realtime.library.executors import Block, split_blocks
from realtime.library.scan import PART_SECONDS, scan_library
from realtime.library.table import _Index
from realtime.library.track import LibraryTrack
from tests.support.cli import command_error, run_command
from tests.support.libraries import MANIFEST, Counted, made_up, music, names_in, rows_of, run, table_at


@pytest.fixture
def hundred(tmp_path: Path) -> Path:
    folder = tmp_path / "music"
    folder.mkdir()
    for number in range(100):
        (folder / f"{number:03}.mp3").write_bytes(b"x" * (number + 1))
    return folder


def test_a_library_becomes_a_table_that_analyze_agrees_with(tmp_path: Path) -> None:
    first, second = music(tmp_path / "music", 2)
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
    rows = {Path(row["uri"]).name: row for row in rows_of(out)}
    assert sorted(rows) == ["00.wav", "01.wav", "bad.mp3", "empty.flac"]
    told = run_command("analyze", "--json", str(first), str(second)).stdout.splitlines()
    summaries = [line for line in map(json.loads, told) if line["type"] == "summary"]
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
    assert (summary.found, summary.analyzed) == (100, len(second.given))
    assert not list(out.glob(".part-*"))
    assert run(hundred, out, Counted()).analyzed == 0


def test_a_track_that_changed_is_heard_again_and_has_one_row(hundred: Path, tmp_path: Path) -> None:
    out = tmp_path / "t.parquet"
    run(hundred, out, Counted())
    (hundred / "007.mp3").write_bytes(b"longer than it was")
    os.utime(hundred / "009.mp3", (1, 1))
    engine = Counted()
    run(hundred, out, engine)
    assert [Path(name).name for name in engine.given] == ["007.mp3", "009.mp3"]
    assert len(set(names_in(out))) == len(names_in(out)) == 100
    other = AnalysisSettings.from_settings(Settings(model=type(Settings().model)(hop_seconds=2.0)))
    assert run(hundred, out, Counted(), other).analyzed == 100
    assert len(names_in(out)) == 100


def test_a_row_stays_until_another_takes_its_place(hundred: Path, tmp_path: Path) -> None:
    """Rows of a wave were once taken out before any of it was heard: a stop lost up to 100,000 of them."""
    out = tmp_path / "t.parquet"
    run(hundred, out, Counted())
    (hundred / "007.mp3").write_bytes(b"longer than it was")
    with pytest.raises(KeyboardInterrupt):
        run(hundred, out, Counted(most=0))
    assert len(names_in(out)) == 100
    assert run(hundred, out, Counted()).analyzed == 1
    assert len(set(names_in(out))) == len(names_in(out)) == 100


def test_of_two_rows_the_newest_stays_when_a_run_was_ended_between_them(tmp_path: Path) -> None:
    """A new row is written before the old one goes, so an end in between leaves both."""
    out, aside = tmp_path / "t.parquet", tmp_path / "aside"
    aside.mkdir()
    with table_at(out) as table:
        for number in range(12):
            table.write([made_up(LibraryTrack("a", number, 0)), made_up(LibraryTrack(f"b{number:02}", 0, 0))])
            for part in out.glob("*.parquet"):
                if not (aside / part.name).exists():
                    shutil.copy(part, aside)
    assert [row["uri"] for row in rows_of(aside)].count("a") == 12
    with table_at(aside) as table:
        assert len(table) == 13
        assert table.is_current(LibraryTrack("a", 11, 0))
    assert names_in(aside) == ["a", *(f"b{number:02}" for number in range(12))]
    assert rows_of(aside) == rows_of(out)


def test_a_track_that_is_twice_in_one_part_is_heard_again(tmp_path: Path) -> None:
    """Nobody knows which row is right; what else the part holds stays."""
    tracks = [LibraryTrack("a", 1, 0), LibraryTrack("a", 2, 0), LibraryTrack("b", 1, 0)]
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
    assert run(listed, out, Counted()).analyzed == 0
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
        said = command_error("library", str(tmp_path / "a.mp3"), "--out", str(out))
        assert said.startswith(f"overheard library: another run writes the table {out}; wait until it ends")
    table_at(out).close()


def test_parts_are_sorted_once_and_those_that_are_replaced_are_gone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """To open a table of 10,000 parts took their number squared."""
    with table_at(tmp_path / "t") as table:
        for number in range(20):
            table.write([made_up(LibraryTrack(f"{number:02}", 1, 1), "it is bad", retry=True)])
        for number in range(20):
            table.write([made_up(LibraryTrack(f"{number:02}", 1, 1), "it is worse")])
        assert [fault for _, fault in table.rows_with_faults()] == ["it is worse"] * 20
        assert len(table._parts) == len(list((tmp_path / "t").glob("*.parquet"))) == 20
    sorted_parts, joined = [], _Index.join

    def counted(parts: Sequence[_Index]) -> _Index:
        sorted_parts.append(len(parts))
        return joined(parts)

    monkeypatch.setattr(_Index, "join", counted)
    table_at(tmp_path / "t").close()
    assert sorted_parts == [21]


def test_rows_are_written_in_time_though_the_next_one_is_late(hundred: Path, tmp_path: Path) -> None:
    """Thirty seconds are thirty seconds, also while a track of three hours is heard."""
    now = 0.0
    out = tmp_path / "t.parquet"

    class Slow(Counted):
        def analyze(self, blocks: Sequence[Block]) -> Iterator[list[Row]]:
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
        scan_library([str(hundred)], table, Slow(), clock=lambda: now)
    assert len(names_in(out)) == 2


def test_a_fault_that_may_pass_is_tried_again_and_a_bad_file_is_not(hundred: Path, tmp_path: Path) -> None:
    for retry, heard in ((True, 100), (False, 0)):
        out = tmp_path / f"{retry}.parquet"
        run(hundred, out, Counted(fault="it is bad", retry=retry))
        summary = run(hundred, out, Counted())
        assert (summary.analyzed, len(names_in(out))) == (heard, 100)
        assert summary.faulty == (0 if retry else 100)


def test_what_is_named_twice_is_heard_once(hundred: Path, tmp_path: Path) -> None:
    listed = tmp_path / "some.m3u"
    listed.write_text("#EXTM3U\nmusic/001.mp3\n\nmusic/missing.mp3\n" + f"{hundred}/001.mp3\n")
    engine = Counted()
    with table_at(tmp_path / "t") as table:
        scan_library([str(listed), str(hundred)], table, engine)
    assert len(engine.given) == len(set(engine.given)) == 101
    assert [track.size for track in find_tracks([str(listed)])] == [2, -1, 2]


def test_blocks_hold_every_track_once() -> None:
    for count, workers in ((0, 1), (1, 4), (100, 2), (5000, 64)):
        tracks = [LibraryTrack(str(n), 0, 0) for n in range(count)]
        blocks = split_blocks(tracks, workers)
        assert [track for block in blocks for track in block] == tracks
        assert all(0 < len(block) <= 16 for block in blocks)


def test_memory_for_what_is_known_does_not_grow_with_names(tmp_path: Path) -> None:
    with table_at(tmp_path / "t") as table:
        table.write([made_up(LibraryTrack("/" + "x" * 200 + str(n), 1, 1)) for n in range(500)])
        held = [getattr(table._index, field.name) for field in fields(table._index)]
    assert sum(value.nbytes for value in held) == 21 * len(table) == 21 * 500
