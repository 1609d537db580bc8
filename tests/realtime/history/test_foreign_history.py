"""A history from elsewhere: its rows reach no file that this program did not make."""

from __future__ import annotations

import os
import sqlite3
import stat
from contextlib import closing
from pathlib import Path

import pytest

from models.manifest import ModelManifest
from realtime.history.corrections import LabelCorrections, locate_clip
from realtime.history.errors import HistoryError
from realtime.history.export import export_corrections
from realtime.history.queries import open_history
from realtime.history.store import HistoryStore
from tests.support.histories import estimate, write_history

MODEL = ModelManifest.load(None)

FOREIGN = [
    "../victim.txt",
    "victim.txt",
    "./victim.txt",
    "corrections/../victim.txt",
    "corrections/../../victim.txt",
    "corrections/jazz/../../victim.txt",
    "corrections/jazz/victim.txt",
    "corrections/../1-1.wav",
    "corrections/jazz/1-1.wav/../../../victim.txt",
    "corrections\\..\\victim.txt",
    "corrections/jazz/1-1.wav\n",
    "corrections/jazz/1-1.wav\0.txt",
    "corrections//1-1.wav",
    "~/victim.txt",
    "file:victim.txt",
]


@pytest.fixture
def history(tmp_path: Path) -> Path:
    """History with one correction, and files around it that must stay."""
    path = tmp_path / "data" / "history.sqlite"
    write_history(path, *(estimate(5 + n / 2) for n in range(40)))
    with closing(HistoryStore(path)) as store:
        LabelCorrections(store, MODEL).correct(1, 1, "rock", 5.0)
    for victim in victims(tmp_path):
        victim.parent.mkdir(parents=True, exist_ok=True)
        victim.write_text("precious")
    return path


def victims(folder: Path) -> list[Path]:
    data = folder / "data"
    return [
        folder / "victim.txt",
        data / "victim.txt",
        data / "1-1.wav",
        data / "corrections/jazz/victim.txt",
    ]


def name_file(history: Path, name: str) -> None:
    with closing(sqlite3.connect(history)) as connection, connection:
        assert connection.execute("UPDATE corrections SET sound = ?", (name,)).rowcount == 1


@pytest.mark.parametrize("name", FOREIGN)
def test_files_that_a_row_names_are_neither_copied_nor_deleted(
    history: Path, tmp_path: Path, name: str
) -> None:
    """A row with ``../victim.txt`` had the file copied into the corrections and then deleted."""
    assert locate_clip(history, name) is None
    name_file(history, name)
    with closing(open_history(history)) as connection:
        export_corrections(connection, history, tmp_path / "export")
    assert not (tmp_path / "export").exists()
    for genre in ("jazz", None):
        with closing(HistoryStore(history)) as store:
            LabelCorrections(store, MODEL).correct(1, 1, genre, 6.0)
    name_files = [each for each in tmp_path.rglob("*") if each.is_file() and each.suffix != ".sqlite"]
    assert sorted(name_files) == sorted(victims(tmp_path))
    assert {victim.read_text() for victim in victims(tmp_path)} == {"precious"}


@pytest.mark.parametrize("linked", ["corrections/jazz/1-1.wav", "corrections/jazz", "corrections"])
def test_links_in_a_foreign_folder_lead_nowhere(history: Path, tmp_path: Path, linked: str) -> None:
    outside = tmp_path / "outside"
    (outside / "jazz").mkdir(parents=True)
    (outside / "jazz" / "1-1.wav").write_text("precious")
    link = history.parent / linked
    if link.exists():
        link.rename(tmp_path / "moved")
    link.parent.mkdir(parents=True, exist_ok=True)
    link.symlink_to(outside / Path(linked).relative_to("corrections"))
    clip = locate_clip(history, "corrections/jazz/1-1.wav")
    # The folder of all clips may lie on another disk.
    assert (clip is not None) == (linked == "corrections")


def test_exported_corrections_are_readable_by_their_user_only(history: Path, tmp_path: Path) -> None:
    clip = history.parent / "corrections" / "rock" / "1-1.wav"
    clip.parent.mkdir(parents=True)
    clip.write_bytes(b"RIFF")
    name_file(history, "corrections/rock/1-1.wav")
    before = os.umask(0)
    try:
        with closing(open_history(history)) as connection:
            export_corrections(connection, history, tmp_path / "export")
    finally:
        os.umask(before)
    files = [each for each in (tmp_path / "export").rglob("*") if each.is_file()]
    assert len(files) == 2
    assert {stat.S_IMODE(each.stat().st_mode) for each in files} == {0o600}
    assert stat.S_IMODE((tmp_path / "export").stat().st_mode) == 0o700


def test_a_correction_that_cannot_be_exported_is_counted(history: Path, tmp_path: Path) -> None:
    name_file(history, "../victim.txt")
    with closing(open_history(history)) as connection:
        text = export_corrections(connection, history, tmp_path / "export")
    assert "1" in text
    with closing(open_history(history)) as connection, pytest.raises(HistoryError, match="is not empty"):
        export_corrections(connection, history, tmp_path / "data")
