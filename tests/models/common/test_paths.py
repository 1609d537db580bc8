"""Folders of each operating system, and atomic replacement of files."""

from __future__ import annotations

import os
import stat
import sys
import threading
from contextlib import ExitStack
from pathlib import Path, PureWindowsPath

import pytest
from platformdirs.macos import MacOS
from platformdirs.unix import Unix
from platformdirs.windows import Windows

from models.common.paths import APP, atomic_write, config_folder, data_folder, resolve_beside


def test_readers_see_the_old_content_until_all_is_written(tmp_path: Path) -> None:
    path = tmp_path / "new" / "folder" / "a.json"
    with atomic_write(path) as file:
        file.write(b"old")
        assert not path.exists()
    with atomic_write(path, fsync=True) as file:
        file.write(b"new")
        file.flush()
        assert path.read_bytes() == b"old"
    assert path.read_bytes() == b"new"
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize("error", [OSError("disk full"), KeyboardInterrupt()])
def test_an_error_leaves_the_old_file_and_nothing_beside_it(tmp_path: Path, error: BaseException) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"old")
    with pytest.raises(type(error)), atomic_write(path) as file:  # noqa: PT012  the block is what raises
        file.write(b"half")
        raise error
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_target_that_cannot_be_replaced_leaves_nothing_beside_it(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    with pytest.raises(OSError, match="irectory"), atomic_write(tmp_path / "a") as file:
        file.write(b"x")
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


@pytest.mark.skipif(os.name != "posix", reason="needs Linux")
def test_a_pipe_is_written_and_not_replaced(tmp_path: Path) -> None:
    """A file renamed over ``/dev/null`` took the device away from the whole computer."""
    pipe, link = tmp_path / "pipe", tmp_path / "link"
    os.mkfifo(pipe)
    read: list[bytes] = []
    reading = threading.Thread(target=lambda: read.append(pipe.read_bytes()))
    reading.start()
    with atomic_write(pipe) as file:
        file.write(b"content")
    reading.join()
    assert read == [b"content"]
    assert stat.S_ISFIFO(pipe.stat().st_mode)
    (tmp_path / "target").write_bytes(b"old")
    link.symlink_to("target")
    with atomic_write(link) as file:
        file.write(b"new")
    assert link.is_symlink()
    assert (tmp_path / "target").read_bytes() == b"new"


@pytest.mark.skipif(os.name != "posix", reason="needs Linux")
def test_permissions_are_those_that_were_asked_for(tmp_path: Path) -> None:
    before = os.umask(0o022)
    try:
        for mode, expected in ((0o666, 0o644), (0o600, 0o600)):
            with atomic_write(tmp_path / "a", mode=mode) as file:
                assert stat.S_IMODE(os.fstat(file.fileno()).st_mode) == expected
            assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == expected
    finally:
        os.umask(before)


def test_several_files_can_be_whole_before_the_first_is_replaced(tmp_path: Path) -> None:
    """A stack of blocks replaces its files at its end, the last one first."""
    paths = [tmp_path / name for name in "ab"]
    with pytest.raises(ZeroDivisionError), ExitStack() as files:  # noqa: PT012
        for path in paths:
            files.enter_context(atomic_write(path)).write(b"x")
        _ = 1 // 0
    assert not list(tmp_path.iterdir())


def test_writers_at_the_same_time_do_not_mix(tmp_path: Path) -> None:
    path, barrier = tmp_path / "a", threading.Barrier(4)

    def write(sign: bytes) -> None:
        with atomic_write(path) as file:
            file.write(sign * 100_000)
            barrier.wait(10)
            file.write(sign * 100_000)

    threads = [threading.Thread(target=write, args=(sign,)) for sign in (b"a", b"b", b"c", b"d")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    content = path.read_bytes()
    assert len(content) == 200_000
    assert len(set(content)) == 1
    assert list(tmp_path.iterdir()) == [path]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("XDG_DATA_HOME", "XDG_CONFIG_HOME"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path


def test_folders_of_linux_are_those_of_the_xdg_specification(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    linux = Unix(APP, appauthor=False)
    assert data_folder(linux) == home / ".local" / "share" / "overheard"
    assert config_folder(linux) == home / ".config" / "overheard"
    monkeypatch.setenv("XDG_DATA_HOME", "/data")
    monkeypatch.setenv("XDG_CONFIG_HOME", "/config")
    assert data_folder(linux) == Path("/data/overheard")
    assert config_folder(linux) == Path("/config/overheard")
    for name in ("XDG_DATA_HOME", "XDG_CONFIG_HOME"):  # the specification asks to ignore a relative one
        monkeypatch.setenv(name, "relative")
    assert data_folder(linux) == home / ".local" / "share" / "overheard"
    assert config_folder(linux) == home / ".config" / "overheard"


@pytest.mark.skipif(sys.platform != "linux", reason="needs Linux")
def test_this_system_is_found(home: Path) -> None:
    assert data_folder() == home / ".local" / "share" / "overheard"
    assert config_folder() == home / ".config" / "overheard"


def test_folders_of_macos(home: Path) -> None:
    mac = MacOS(APP, appauthor=False)
    assert data_folder(mac) == home / "Library" / "Application Support" / "overheard"
    assert config_folder(mac) == data_folder(mac)


def test_folders_of_windows(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WIN_PD_OVERRIDE_LOCAL_APPDATA", r"C:\Users\me\AppData\Local")
    windows = Windows(APP, appauthor=False)
    assert PureWindowsPath(data_folder(windows)) == PureWindowsPath(r"C:\Users\me\AppData\Local\overheard")
    assert config_folder(windows) == data_folder(windows)


def filled(home: Path) -> tuple[Path, Path]:
    """Return the folders of Linux with files in them, on another operating system."""
    data, config = home / ".local" / "share" / "overheard", home / ".config" / "overheard"
    (data / "corrections" / "jazz").mkdir(parents=True)
    for name in ("choices.json", "history.sqlite", "history.sqlite-wal", "corrections/jazz/1-2.wav"):
        (data / name).write_text(name)
    config.mkdir(parents=True)
    (config / "settings.toml").write_text("settings")
    return data, config


def test_files_of_the_linux_places_are_moved_once(home: Path) -> None:
    mac = MacOS(APP, appauthor=False)
    data, config = filled(home)
    folder = data_folder(mac)
    assert config_folder(mac) == folder
    assert not data.exists()
    assert not config.exists()
    assert (folder / "settings.toml").read_text() == "settings"
    for name in ("choices.json", "history.sqlite", "history.sqlite-wal", "corrections/jazz/1-2.wav"):
        assert (folder / name).read_text() == name
    data.mkdir(parents=True)
    (data / "history.sqlite").write_text("of an older version that ran once more")
    assert data_folder(mac) == folder
    assert (folder / "history.sqlite").read_text() == "history.sqlite"
    assert (data / "history.sqlite").exists()


def test_a_file_in_use_keeps_all_files_in_the_old_place(
    home: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Windows refuses to rename open files. A history without its log would be damaged."""
    mac = MacOS(APP, appauthor=False)
    data, _ = filled(home)
    before = sorted(data.rglob("*"))
    rename = Path.rename

    def refuse(path: Path, target: Path) -> Path:
        if path == data / "history.sqlite-wal":
            raise PermissionError(13, "Permission denied")
        return rename(path, target)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "rename", refuse)
        assert data_folder(mac) == data
    assert sorted(data.rglob("*")) == before
    assert "could not be moved" in caplog.text
    assert data_folder(mac) != data
    assert not data.exists()


def test_a_file_that_another_process_moves_is_no_fault(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mac = MacOS(APP, appauthor=False)
    data, _ = filled(home)
    rename = Path.rename

    def race(path: Path, target: Path) -> Path:
        if path.name == "choices.json":
            rename(path, target)
        return rename(path, target)

    monkeypatch.setattr(Path, "rename", race)
    assert (data_folder(mac) / "choices.json").exists()
    assert not data.exists()


def test_files_of_a_table_lie_in_the_folder_of_its_name_or_beside_it(tmp_path: Path) -> None:
    table = tmp_path / "clips.csv"
    (tmp_path / "clips").mkdir()
    (tmp_path / "clips" / "a.wav").touch()
    assert resolve_beside(table, "a.wav") == tmp_path / "clips" / "a.wav"
    assert resolve_beside(table, "b.wav") == tmp_path / "b.wav"  # also while it is missing
    for name in ("x" * 300, "x/" * 9_000, "a\0b"):  # an OSError or a ValueError came from the search
        assert resolve_beside(table, name) == tmp_path / name
