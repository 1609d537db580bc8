"""Error messages of ``overheard library``."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from realtime.library.table import TableError, TrackTable
from realtime.library.track import LibraryTrack
from tests.support.cli import command_error, main_error
from tests.support.libraries import made_up_row, open_table


def test_unusable_libraries_and_tables_are_refused_in_one_sentence(tmp_path: Path) -> None:
    out = str(tmp_path / "t")
    assert "does not exist; name a folder" in command_error("library", "/nowhere", "--out", out)
    (tmp_path / "empty").mkdir()
    assert "has no audio files" in command_error("library", str(tmp_path / "empty"), "--out", out)
    assert "--workers is -1" in command_error("library", str(tmp_path), "--out", out, "--workers", "-1")
    (tmp_path / "file").write_text("")
    with pytest.raises(TableError, match="is a file; name a folder"):
        open_table(tmp_path / "file")
    with open_table(tmp_path / "old") as table:
        table.write([made_up_row(LibraryTrack("a", 1, 1))])
    with pytest.raises(TableError, match="other columns than this model's"):
        TrackTable(str(tmp_path / "old"), ("noise", "music"), "another model")
    (tmp_path / "old" / "part-x.parquet").write_text("no Parquet")
    with pytest.raises(TableError, match="is not a Parquet file"):
        open_table(tmp_path / "old")


def test_without_ray_the_remedy_is_named(tmp_path: Path) -> None:
    program = (
        "import sys; sys.modules['ray'] = None; from realtime.cli.main import main; "
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


@pytest.mark.cluster
def test_a_cluster_that_does_not_answer_is_one_sentence(tmp_path: Path) -> None:
    """Ray itself tries for minutes. A mistyped address must be reported at once."""
    arguments = ["library", str(tmp_path), "--out", str(tmp_path / "t"), "--engine", "ray"]
    error = command_error(*arguments, environment={"RAY_ADDRESS": "127.0.0.1:9"})
    assert (
        "the Ray cluster 127.0.0.1:9 does not answer (Connection refused); start it with ray start" in error
    )


def test_a_file_that_is_no_list_of_tracks_is_refused_in_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "cover.jpg").write_bytes(b"\xff\xd8\xff\xe0\0\x10JFIF")
    error = main_error("library", str(tmp_path / "cover.jpg"), "--out", str(tmp_path / "t"))
    assert error.endswith("cover.jpg is not a list of tracks: it is not UTF-8 text")
