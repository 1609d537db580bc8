"""Groups that hang, send garbage or fail to start."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from models.common.ray import require_ray
from models.common.text import first_line
from realtime.config import ModelSettings
from realtime.monitoring import group_clients
from realtime.monitoring.group_clients import (
    GroupClient,
    GroupLostError,
    ProcessGroupClient,
    RayGroupClient,
    raise_file_limit,
)
from realtime.monitoring.stations import Station
from tests.support.audio import tone, write
from tests.support.cli import error_message
from tests.support.stations import ANALYSIS_SETTINGS, UNREACHABLE_GROUP
from tests.support.stream_servers import Answer, web_server
from tests.support.waiting import wait_until


async def until_lost(feed: GroupClient) -> str:
    """Take messages until the group is lost, and return the reason."""
    try:
        while True:
            await feed.take()
    except GroupLostError as lost:
        return str(lost)
    finally:
        await feed.close()


@pytest.mark.parametrize(
    ("program", "reason"),
    [
        ("print('x' * 3_000_000, flush=True); input()", "has sent an invalid message"),
        ("print('{', flush=True); input()", "has sent an invalid message"),
        ("import sys; print(); sys.exit(3)", "has ended (exit code 3)"),
        ("import time; print(flush=True); time.sleep(99)", "has sent nothing for 2 s"),
        ("import os, time; print(flush=True); os.close(1); time.sleep(99)", "has sent nothing for 2 s"),
    ],
)
def test_a_child_that_sends_invalid_messages_or_hangs_is_lost(
    program: str, reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(group_clients, "child_argv", lambda *_: [sys.executable, "-c", program])
    feed = ProcessGroupClient(UNREACHABLE_GROUP, ANALYSIS_SETTINGS, silence_timeout_seconds=2.0)
    assert asyncio.run(until_lost(feed)) == f"its process {reason}; a new process starts"
    assert feed.process is None, "the next question begins another"


@pytest.mark.skipif(sys.platform != "linux", reason="needs Linux")
def test_a_child_without_messages_is_kept_until_it_hangs() -> None:
    """The monitor once waited forever for a child that hung."""
    with web_server({"music": Answer(hang=True)}) as server:
        feed = ProcessGroupClient(
            (Station("One", server.url("music")),), ANALYSIS_SETTINGS, silence_timeout_seconds=3.0
        )

        async def hang() -> str:
            for _ in range(5):
                assert [m for m in await feed.take() if m.kind == "estimate"] == []
            assert feed.process is not None
            os.kill(feed.process.pid, signal.SIGSTOP)
            return await until_lost(feed)

        assert "has sent nothing for 3 s" in asyncio.run(hang())


@pytest.mark.skipif(sys.platform != "linux", reason="needs Linux")
def test_groups_share_the_server_of_their_decoders(tmp_path: Path) -> None:
    """A server for each group took 26 MB."""
    sound = write(tmp_path / "t.mp3", tone(440, 2, 44_100), 44_100, "libmp3lame").read_bytes()
    with web_server({"live": Answer(sound, length=False, hang=True)}) as server:
        groups = [
            ProcessGroupClient((Station(name, server.url("live")),), ANALYSIS_SETTINGS) for name in "ab"
        ]

        def count_servers() -> tuple[int, int]:
            """Return the number of servers, and of decoders that they forked."""
            parents = {}
            for process in psutil.Process().children(recursive=True):
                with suppress(psutil.NoSuchProcess):  # a decoder that has just ended
                    if "models.audio.decoder_server" in process.cmdline():
                        parents[process.pid] = process.ppid()
            decoders = sum(parent in parents for parent in parents.values())
            return len(parents) - decoders, decoders

        async def listen() -> None:
            try:
                for group in groups:
                    await group.take()
                await asyncio.to_thread(wait_until, lambda: count_servers() == (1, 2))
            finally:
                for group in groups:
                    await group.close()

        asyncio.run(listen())
        wait_until(lambda: count_servers() == (1, 0))


@pytest.mark.skipif(sys.platform != "linux", reason="needs Linux")
def test_a_process_that_cannot_start_is_a_lost_group() -> None:
    """With more groups than open files allowed, the whole monitor once ended."""
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)

    async def taken() -> str:
        resource.setrlimit(resource.RLIMIT_NOFILE, (3, hard))
        try:
            with pytest.raises(GroupLostError) as lost:
                await ProcessGroupClient(UNREACHABLE_GROUP, ANALYSIS_SETTINGS).take()
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        return str(lost.value)

    sentence = "its process cannot start (Too many open files); the analyzer tries again"
    assert asyncio.run(taken()) == sentence


@pytest.mark.skipif(sys.platform != "linux", reason="needs Linux")
def test_files_enough_for_all_groups_are_allowed_or_the_start_is_refused(tmp_path: Path) -> None:
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (300, hard))
    try:
        raise_file_limit(10, 64)
        assert resource.getrlimit(resource.RLIMIT_NOFILE)[0] == 300 or hard <= 300
        raise_file_limit(100, 64)
        assert resource.getrlimit(resource.RLIMIT_NOFILE)[0] >= 3 * 100 + 2 * 64 + 100
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    path = tmp_path / "stations.toml"
    station = '[[station]]\nname = "{0}"\nurl = "https://radio.example/{0}"\n'
    path.write_text("group_size = 1\n" + "".join(map(station.format, range(20))))
    command = ["sh", "-c", 'ulimit -n 150 && exec "$@"', "sh", sys.executable, "-m", "realtime.cli"]
    done = subprocess.run(
        [*command, "monitor", str(path)], capture_output=True, text=True, timeout=60, check=False
    )
    assert error_message(done) == (
        "overheard monitor: 288 open files are needed for 20 groups of stations and 64 clients, but this "
        "system allows 150; raise the limit with ulimit -n, or increase group_size"
    )


def test_an_error_without_words_has_a_first_line() -> None:
    assert first_line(ValueError("one\ntwo")) == "one"
    assert first_line(ValueError()) == first_line(ValueError("\n")) == "ValueError"


UNKNOWN = """\
class GroupActor:
    def __init__(self, group, hearing):
        pass
    def take(self):
        return []
"""


@pytest.mark.cluster
@pytest.mark.filterwarnings("ignore")  # Ray's own
def test_a_group_that_cannot_start_on_a_computer_names_the_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The monitor once reported every second that the computer is gone."""
    hearing = replace(ANALYSIS_SETTINGS, model=ModelSettings(manifest="/nowhere/manifest.json"))
    (tmp_path / "only_here.py").write_text(UNKNOWN)
    monkeypatch.syspath_prepend(tmp_path)
    import only_here  # type: ignore[import-not-found]

    ray = require_ray()
    # Of our own: others of this machine may be about to end.
    ray.init(address="local", num_cpus=1, include_dashboard=False, log_to_driver=False, logging_level="ERROR")
    try:
        model = asyncio.run(until_lost(RayGroupClient(ray, UNREACHABLE_GROUP, hearing)))
        missing = "/nowhere/manifest.json: No such file or directory"
        assert model == f"its group failed: cannot read the model manifest {missing}"
        monkeypatch.setattr(group_clients, "GroupActor", only_here.GroupActor)
        package = asyncio.run(until_lost(RayGroupClient(ray, UNREACHABLE_GROUP, hearing)))
        assert package == "its group cannot start: ModuleNotFoundError: No module named 'only_here'"
    finally:
        ray.shutdown()
