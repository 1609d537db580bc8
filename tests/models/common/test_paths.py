"""Files are replaced whole or not at all."""

from __future__ import annotations

import os
import stat
import threading
from contextlib import ExitStack
from pathlib import Path

import pytest

from models.common.paths import atomic_write


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
