"""Decoders in processes of their own."""

from __future__ import annotations

import errno
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import psutil
import pytest

from models.audio import decoder_process
from models.audio.decoder_process import CAN_FORK, DecoderCrashError, DecoderProcess, share_server
from models.audio.decoder_server import MAX_REQUEST_BYTES
from models.audio.isolated import FILE_JOB, IsolatedAudioFile
from models.errors import AudioError
from tests.support.audio import tone, write
from tests.support.waiting import wait_until

RATE = 22_050
WAYS = [pytest.param(True, marks=pytest.mark.skipif(not CAN_FORK, reason="needs Linux")), False]


@pytest.fixture(scope="module")
def long(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Arguments of a decoder with more audio than the connection buffers."""
    path = write(tmp_path_factory.mktemp("sound") / "long.wav", tone(440, 40, RATE), RATE)
    return {"location": str(path), "display_name": "long"}


def children() -> set[psutil.Process]:
    return set(psutil.Process().children(recursive=True))


@pytest.fixture(autouse=True)
def no_decoder_remains(tmp_path: Path) -> Iterator[None]:
    """Start the server before a test, and fail if a decoder lives after the test."""
    with closing(IsolatedAudioFile(str(write(tmp_path / "first.wav", tone(440, 0.1), RATE)))):
        pass
    wait_until(lambda: len(children()) <= 1)
    yield
    wait_until(lambda: len(children()) <= 1)


def begin(decoder: DecoderProcess) -> Iterator[object]:
    """Read until the decoder waits, because nobody takes more of its audio."""
    messages = decoder.messages()
    next(messages)
    next(messages)
    return messages


@pytest.mark.parametrize("fork", WAYS)
@pytest.mark.parametrize("how", ["SIGSEGV", "SIGABRT", "SIGBUS", "SIGFPE", "SIGKILL"])
def test_a_crash_ends_one_decoder_and_no_other(how: str, fork: bool, long: dict[str, str]) -> None:
    before = children()
    with closing(DecoderProcess(FILE_JOB, long, "bad.mp3", fork=fork)) as bad:
        bad_messages = begin(bad)
        (process,) = children() - before
        with closing(DecoderProcess(FILE_JOB, long, "good.mp3", fork=fork)) as good:
            good_messages = begin(good)
            process.send_signal(signal.Signals[how])
            with pytest.raises(DecoderCrashError, match=rf"^bad.mp3 crashed the decoder \({how}\)$"):
                list(bad_messages)
            assert sum(1 for _ in good_messages) > 300


@pytest.mark.skipif(sys.platform != "linux", reason="needs Linux")
@pytest.mark.parametrize("fork", WAYS)
def test_closing_ends_the_decoder_and_a_read_on_another_thread(fork: bool) -> None:
    read, write_end = os.pipe()  # a file without an end, in which the decoder waits
    decoder = DecoderProcess(
        FILE_JOB, {"location": f"/proc/{os.getpid()}/fd/{read}", "display_name": "x"}, "x", fork=fork
    )
    received: list[object] = []
    reader = threading.Thread(target=lambda: received.extend(decoder.messages()))
    reader.start()
    wait_until(lambda: len(children()) > 1)
    decoder.close()
    decoder.close()
    reader.join(10)
    assert not reader.is_alive()
    assert received == []
    os.close(read)
    os.close(write_end)


@pytest.mark.parametrize("fork", WAYS)
def test_errors_of_a_decoder_are_errors_here(fork: bool, tmp_path: Path) -> None:
    path = tmp_path / "no.wav"
    path.write_text("no sound")
    for job, expected in (
        (FILE_JOB, "it is not audio that FFmpeg can decode"),
        ("os:path", "it failed: TypeError"),  # an error in the program itself
    ):
        decoder = DecoderProcess(job, {"location": str(path), "display_name": "it"}, "it", fork=fork)
        with closing(decoder), pytest.raises(AudioError, match=expected):
            list(decoder.messages())


def test_a_decoder_receives_no_secret(monkeypatch: pytest.MonkeyPatch, long: dict[str, str]) -> None:
    monkeypatch.setenv("SPOTIFY_CLIENT_SECRET", "hidden")
    monkeypatch.setenv("SSL_CERT_FILE", "/authorities")
    before = children()
    with closing(DecoderProcess(FILE_JOB, long, "x", fork=False)) as decoder:
        begin(decoder)
        (process,) = children() - before
        assert process.environ()["SSL_CERT_FILE"] == "/authorities"
        assert "hidden" not in str(process.environ())


@pytest.mark.skipif(not CAN_FORK, reason="needs Linux")
def test_the_server_is_started_again_after_its_end(long: dict[str, str]) -> None:
    (server,) = children()
    with ExitStack() as stack:
        decoder = stack.enter_context(closing(DecoderProcess(FILE_JOB, long, "x")))
        messages = begin(decoder)
        server.kill()
        server.wait()
        assert sum(1 for _ in messages) > 300, "a decoder goes on without the server"
    with closing(DecoderProcess(FILE_JOB, long, "x")) as decoder:
        assert sum(1 for _ in decoder.messages()) > 300


CHILD = """
import sys
from models.audio.decoder_process import DecoderProcess, use_server
from models.audio.isolated import FILE_JOB
use_server(int(sys.argv[1]))
for line in sys.stdin:
    decoder = DecoderProcess(FILE_JOB, {long!r}, "x")
    messages = decoder.messages(); next(messages); next(messages)
    print("ready", flush=True)
"""


@pytest.mark.skipif(not CAN_FORK, reason="needs Linux")
def test_a_server_that_could_not_start_is_not_shared(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its dead connection was once shared ever after, so that each child started a server of its own."""
    server = decoder_process._Server()

    def fail(*_: object, **__: object) -> None:
        raise OSError(errno.EMFILE, "Too many open files")

    with monkeypatch.context() as patched:
        patched.setattr(subprocess, "Popen", fail)
        with pytest.raises(OSError, match="Too many"):
            server.share()
    with (
        closing(server),
        socket.socket(fileno=os.dup(server.share())) as control,
        pytest.raises(BlockingIOError),  # a connection whose peer is gone reads as ended
    ):
        control.recv(1, socket.MSG_DONTWAIT)


@pytest.mark.skipif(not CAN_FORK, reason="needs Linux")
def test_child_processes_share_one_server_while_it_runs(long: dict[str, str]) -> None:
    (server,) = children()
    descriptor = share_server()
    assert descriptor is not None
    command = [sys.executable, "-c", CHILD.format(long=long), str(descriptor)]
    with ExitStack() as stack:
        processes = [
            stack.enter_context(
                subprocess.Popen(
                    command, pass_fds=[descriptor], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
                )
            )
            for _ in range(2)
        ]

        def start_decoders() -> None:
            for process in processes:
                print("start", file=process.stdin, flush=True)
                assert process.stdout is not None
                assert process.stdout.readline() == "ready\n"

        start_decoders()
        assert len(server.children()) == 2
        start_decoders()
        wait_until(lambda: len(server.children()) == 2)  # each child replaces its decoder
        processes[0].kill()
        wait_until(lambda: len(server.children()) == 1)
        server.kill()
        server.wait()
        del processes[0]
        start_decoders()
        assert len(psutil.Process(processes[0].pid).children()) == 1, "a server of its own"


@pytest.mark.skipif(not CAN_FORK, reason="needs Linux")
def test_an_end_without_an_exit_code_is_not_called_a_crash(long: dict[str, str]) -> None:
    (server,) = children()
    with closing(DecoderProcess(FILE_JOB, long, "x")) as decoder:
        messages = begin(decoder)
        (process,) = children() - {server}
        server.kill()
        server.wait()
        process.kill()
        with pytest.raises(AudioError, match=r"^x cannot be decoded: its decoder did not start") as caught:
            list(messages)
    assert not isinstance(caught.value, DecoderCrashError)


@pytest.mark.skipif(not CAN_FORK, reason="needs Linux")
def test_a_decoder_that_hangs_ends_when_it_is_closed_without_the_server() -> None:
    (server,) = children()
    read, write_end = os.pipe()  # a file without an end, in which the decoder waits
    arguments = {"location": f"/proc/{os.getpid()}/fd/{read}", "display_name": "x"}
    decoder = DecoderProcess(FILE_JOB, arguments, "x")
    wait_until(lambda: len(children()) > 1)
    (process,) = children() - {server}
    server.kill()
    server.wait()
    decoder.close()
    _, alive = psutil.wait_procs([process], timeout=20)
    assert alive == []
    os.close(read)
    os.close(write_end)


@pytest.mark.skipif(not CAN_FORK, reason="needs Linux")
def test_a_server_that_ends_before_a_request_is_sent_is_started_again(
    long: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (server,) = children()
    server.kill()
    server.wait()
    monkeypatch.setattr(decoder_process._server()._process, "poll", lambda: None)  # as if it ran at the check
    with closing(DecoderProcess(FILE_JOB, long, "x")) as decoder:
        assert sum(1 for _ in decoder.messages()) > 300


@pytest.mark.parametrize("fork", WAYS)
def test_arguments_that_are_too_long_are_refused(fork: bool) -> None:
    location = "a" * MAX_REQUEST_BYTES
    with pytest.raises(AudioError, match=r"^a{199}… cannot be decoded: its location and the environment"):
        DecoderProcess(FILE_JOB, {"location": location, "display_name": "x"}, location, fork=fork)


@pytest.mark.skipif(not CAN_FORK, reason="needs Linux")
@pytest.mark.parametrize("content", [b"{", b"[]", b"{}", b'{"job": "no.such:job"}'])
def test_a_bad_request_does_not_end_the_server(content: bytes, long: dict[str, str]) -> None:
    before = children()
    for end in os.pipe():
        decoder_process._server().send(content, [end, end])
        os.close(end)
    with closing(DecoderProcess(FILE_JOB, long, "x")) as decoder:
        assert sum(1 for _ in decoder.messages()) > 300
    assert before <= children()


@pytest.mark.parametrize("fork", WAYS)
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_decoders_end_with_the_program(how: signal.Signals, fork: bool, long: dict[str, str]) -> None:
    program = (
        "import sys\n"
        "from models.audio.decoder_process import DecoderProcess\n"
        "from models.audio.isolated import FILE_JOB\n"
        f"decoder = DecoderProcess(FILE_JOB, {long!r}, 'x', fork={fork})\n"
        "messages = decoder.messages(); next(messages); next(messages)\n"
        "print('ready', flush=True); sys.stdin.read()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        started = psutil.Process(process.pid).children(recursive=True)
        assert len(started) == 1 + fork
        process.send_signal(how)
    _, alive = psutil.wait_procs(started, timeout=20)
    assert alive == []


@pytest.mark.parametrize("fork", WAYS)
def test_a_signal_to_the_process_group_does_not_reach_decoders(fork: bool, long: dict[str, str]) -> None:
    """A stop of the whole group once ended a decoder first, and the program then failed with its loss."""
    with closing(DecoderProcess(FILE_JOB, long, "x", fork=fork)) as decoder:
        begin(decoder)
        groups = {os.getpgid(process.pid) for process in children()}
        assert groups
        assert os.getpgid(0) not in groups


def test_many_decoders_leave_no_descriptor_behind(tmp_path: Path) -> None:
    path = str(write(tmp_path / "t.wav", tone(440, 0.5), RATE))
    (server,) = children()
    before = psutil.Process().num_fds(), server.num_fds()
    for number in range(30):
        with closing(IsolatedAudioFile(path)) as file:
            if number % 2:
                list(file.blocks())
    wait_until(lambda: (psutil.Process().num_fds(), server.num_fds()) == before)
