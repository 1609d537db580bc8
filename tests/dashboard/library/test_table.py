"""Tables that are read into an index, and the sentences about tables that give none."""

from __future__ import annotations

from pathlib import Path

import pytest

from dashboard.library.table import LibraryError, load_index, read_signature
from tests.support.similar_tracks import MANIFEST, Sound, at_angle, write_sounds


def load_error(table: Path | str) -> LibraryError:
    with pytest.raises(LibraryError) as caught:
        load_index(str(table), MANIFEST.identity)
    assert "\n" not in str(caught.value)
    return caught.value


def test_a_missing_table_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").write_text("text")
    for place, reason in (("absent", "No such file"), ("file", "Not a directory"), ("nul\0", "null")):
        error = load_error(f"{tmp_path}/{place}")
        assert error.fault.key == "missing"
        assert reason in str(error)
        assert "`overheard library ~/Music --out FOLDER` makes one" in str(error)
    assert str(load_error(tmp_path / "folder")).endswith("makes one")


def test_a_table_of_another_model_is_one_sentence(tmp_path: Path) -> None:
    table = write_sounds(tmp_path / "t", [Sound("/a", 0), Sound("/b", 1)], "other-model 1 0123456789ab")
    error = load_error(table)
    assert error.fault.key == "model"
    assert error.fault.parameters["tracks"] == 2
    assert str(error).startswith(
        f"the 2 tracks of {table} were analyzed by other-model 1 0123456789ab, "
        f"but this is {MANIFEST.identity}"
    )


def test_a_table_without_music_is_one_sentence(tmp_path: Path) -> None:
    error = load_error(write_sounds(tmp_path / "t", [Sound("/talk.mp3", None)]))
    assert error.fault.key == "empty"
    assert "has 1 rows but no track with music" in str(error)


def test_a_damaged_table_is_one_sentence(tmp_path: Path) -> None:
    table = write_sounds(tmp_path / "t", [Sound("/a", 0)])
    (part,) = table.glob("part-*")
    part.write_bytes(part.read_bytes()[:100])
    assert load_error(table).fault.key == "unreadable"


def test_a_table_without_the_columns_is_one_sentence(tmp_path: Path) -> None:
    from pyarrow import parquet

    table = write_sounds(tmp_path / "t", [Sound("/a", 0)])
    (part,) = table.glob("part-*")
    parquet.write_table(parquet.read_table(part).drop_columns(["artist"]), part)
    assert load_error(table).fault.key == "unreadable"


def test_tracks_of_other_models_are_left_out_and_counted(tmp_path: Path) -> None:
    table = write_sounds(tmp_path / "t", [Sound("/old", 0), Sound("/both", 0)], "other-model 1 0123456789ab")
    write_sounds(table, [Sound("/new", 1), Sound("/both", 2)])
    index = load_index(str(table), MANIFEST.identity)
    assert {index.track(row).uri for row in range(len(index))} == {"/new", "/both"}
    assert index.other_models == 1


def test_the_newest_row_of_a_track_counts(tmp_path: Path) -> None:
    """A run that ended between writing a part and removing the old row leaves both."""
    import shutil

    table = write_sounds(tmp_path / "t", [Sound("/a", 50), Sound("/b", 60)])
    (part,) = table.glob("part-*")
    shutil.copy(part, tmp_path / "old")
    write_sounds(table, [Sound("/a", 0)])
    shutil.copy(tmp_path / "old", part)
    index = load_index(str(table), MANIFEST.identity)
    found = {each.track.uri: each.likeness for each in index.neighbors(at_angle(0), 5)}
    assert found == {"/a": pytest.approx(1), "/b": pytest.approx(0.5)}


def test_the_signature_changes_with_the_table(tmp_path: Path) -> None:
    table = write_sounds(tmp_path / "t", [Sound("/a", 0)])
    before = read_signature(str(table))
    (table / ".part-00000009-x.parquet").write_text("unfinished")
    assert read_signature(str(table)) == before
    write_sounds(table, [Sound("/b", 0)])
    assert read_signature(str(table)) != before


def test_parts_that_a_running_command_replaces_are_read_nevertheless(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The command may write all tracks anew and remove the old parts between listing and reading."""
    from pyarrow import parquet

    read_table = parquet.read_table
    table = write_sounds(tmp_path / "t", [Sound("/a", 0), Sound("/b", 60)])

    def replace_and_read(path: Path, **options: object) -> object:
        monkeypatch.setattr(parquet, "read_table", read_table)
        path.rename(path.with_name("part-99999999-new.parquet"))
        return read_table(path, **options)

    monkeypatch.setattr(parquet, "read_table", replace_and_read)
    assert len(load_index(str(table), MANIFEST.identity)) == 2


def test_a_part_that_is_removed_while_the_table_is_listed_is_skipped(tmp_path: Path) -> None:
    """A broken link is listed, but has no size, like a part that is removed after the listing."""
    table = write_sounds(tmp_path / "t", [Sound("/a", 0)])
    before = read_signature(str(table))
    (table / "part-00000009-x.parquet").symlink_to(tmp_path / "removed")
    assert read_signature(str(table)) == before
    assert len(load_index(str(table), MANIFEST.identity)) == 1
