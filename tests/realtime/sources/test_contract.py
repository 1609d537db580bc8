"""Contract of ``AudioSource``, checked for every implementation. A new one is one more case."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

import numpy as np
import pytest

from realtime.audio.source import AudioSource
from realtime.capture import LiveSource
from realtime.capture.live_source import Start, Stop
from realtime.capture.subprocess_reader import start_capture_process
from realtime.errors import SourceError
from realtime.monitoring.group import NamedSource
from realtime.network.source import StreamSource
from realtime.sources import ArraySource, FileSource
from realtime.sources.reconnecting import ReconnectingSource
from tests.support.audio import write
from tests.support.audio_source_contract import (
    HALF,
    LOST,
    RATE,
    SOUND,
    Opener,
    SourceCase,
    check_close,
    check_failure,
    check_loss,
    check_sound,
    check_stall,
    start_idle,
)
from tests.support.clock import VirtualClock
from tests.support.reconnection import POLICY
from tests.support.stream_servers import Answer, web_server


def delivering(*, lost: int = 0, failure: str = "") -> Start:
    """Return a capture that delivers all of ``SOUND`` when it starts."""

    def start(source: LiveSource) -> Stop:
        for at in range(0, len(SOUND), 490):  # 490 divides a half
            source.deliver(SOUND[at : at + 490], missed=lost if at == HALF else 0)
        source.deliver(np.empty((0, 1), np.float32))
        if failure:
            source.fail(failure)
        return lambda: None

    return start


def live(start: Start) -> Opener:
    return lambda folder, stack: LiveSource("fake", RATE, start, VirtualClock())


def child(script: str) -> Opener:
    """Return an opener of a process that writes ``SOUND`` from the file ``raw``."""

    def opened(folder: Path, stack: ExitStack) -> AudioSource:
        (folder / "raw").write_bytes(SOUND.astype("<f4").tobytes())
        start = start_capture_process(["sh", "-c", f"cat '{folder}/raw'; {script}"], 1)
        return LiveSource("child", RATE, start, VirtualClock())

    return opened


def array(times: int) -> Opener:
    return lambda folder, stack: ArraySource(np.tile(SOUND, times), RATE, VirtualClock())


def file(*, speed: float = 0.0, repeat: bool = False) -> Opener:
    def opened(folder: Path, stack: ExitStack) -> AudioSource:
        path = write(folder / "tone.flac", SOUND, RATE, "flac")
        return FileSource(str(path), VirtualClock(), speed=speed, repeat=repeat)

    return opened


def stream(codec: str = "", *, times: int = 1, part: float = 1.0, hang: bool = False) -> Opener:
    """Return an opener of a stream whose server sends a part of a file, and then closes or hangs."""

    def opened(folder: Path, stack: ExitStack) -> AudioSource:
        name = "tone.mp3" if codec else "tone.wav"
        content = write(folder / name, np.tile(SOUND, times), RATE, *filter(None, [codec])).read_bytes()
        answer = Answer(content[: round(part * len(content))], length=part == 1 and not hang, hang=hang)
        server = stack.enter_context(web_server({name: answer}))
        return StreamSource(server.url(name), VirtualClock())

    return opened


def reconnecting(inner: Opener) -> Opener:
    """Return an opener of a reconnecting source that cannot be opened a second time."""

    def opened(folder: Path, stack: ExitStack) -> AudioSource:
        clock = VirtualClock()
        sources = [inner(folder, stack)]

        def open_source() -> AudioSource:
            if sources:
                return sources.pop()
            raise SourceError("no such device")

        def wait(seconds: float) -> None:
            clock.now += seconds

        return ReconnectingSource(open_source, clock, policy=POLICY, jitter=lambda: 1.0, wait=wait)

    return opened


def named(inner: Opener) -> Opener:
    return lambda folder, stack: NamedSource(inner(folder, stack), "a name of its own")


CASES = [
    SourceCase("array", is_live=False, ends=True, whole=array(1), endless=array(60)),
    SourceCase("file", is_live=False, ends=True, whole=file(), endless=file(repeat=True)),
    SourceCase(
        "played file", is_live=True, ends=True, whole=file(speed=1), endless=file(speed=1, repeat=True),
    ),
    SourceCase(
        "live", is_live=True, ends=False, whole=live(delivering()), endless=live(start_idle),
        failing=live(delivering(failure="the device is gone")), failure="the device is gone",
        losing=live(delivering(lost=LOST)),
    ),
    SourceCase(
        "process", is_live=True, ends=False, whole=child("exec sleep 60"), endless=child("exec sleep 60"),
        failing=child("echo the server is gone >&2; exit 1"), failure="child ended: the server is gone",
    ),
    SourceCase(
        "stream", is_live=True, ends=True, whole=stream(), endless=stream("libmp3lame", times=9, hang=True),
        failing=stream(part=0.6), failure="closed the connection",
    ),
    SourceCase(
        "reconnecting", is_live=True, ends=False, whole=reconnecting(live(delivering())),
        endless=reconnecting(live(start_idle)), failing=reconnecting(live(delivering(failure="unplugged"))),
        failure="fake did not come back: no such device", losing=reconnecting(live(delivering(lost=LOST))),
    ),
    SourceCase(
        "reconnecting file", is_live=False, ends=True, whole=reconnecting(file()),
        endless=reconnecting(file(repeat=True)),
    ),
    SourceCase(
        "named", is_live=True, ends=False, whole=named(live(delivering())), endless=named(live(start_idle)),
        failing=named(live(delivering(failure="unplugged"))), failure="unplugged",
        losing=named(live(delivering(lost=LOST))),
    ),
]  # fmt: skip

each_source = pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)


@each_source
def test_the_sound_comes_in_order_and_whole(case: SourceCase, tmp_path: Path) -> None:
    with ExitStack() as stack:
        check_sound(case, case.whole(tmp_path, stack))


@each_source
def test_close_on_another_thread_ends_the_blocks_soon(case: SourceCase, tmp_path: Path) -> None:
    with ExitStack() as stack:
        check_close(case.endless(tmp_path, stack))


@pytest.mark.parametrize("case", [c for c in CASES if c.is_live and not c.ends], ids=lambda case: case.name)
def test_a_stall_is_an_empty_block(case: SourceCase, tmp_path: Path) -> None:
    with ExitStack() as stack:
        check_stall(case.endless(tmp_path, stack))


@pytest.mark.parametrize("case", [c for c in CASES if c.failing], ids=lambda case: case.name)
def test_a_failure_comes_after_what_was_received(case: SourceCase, tmp_path: Path) -> None:
    assert case.failing is not None
    with ExitStack() as stack:
        check_failure(case, case.failing(tmp_path, stack))


@pytest.mark.parametrize("case", [c for c in CASES if c.losing], ids=lambda case: case.name)
def test_lost_samples_are_a_jump(case: SourceCase, tmp_path: Path) -> None:
    assert case.losing is not None
    with ExitStack() as stack:
        check_loss(case.losing(tmp_path, stack))
