"""Print what hostile inputs and faults do to a running analyzer: ``python -m tests.support.fuzzing.faults``.

Each row states the input, what happens, and the time until the analyzer is as before.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import psutil

from tests.support.audio import tone, write
from tests.support.fuzzing.containers import encode
from tests.support.fuzzing.inputs import corpus_size, make_input
from tests.support.fuzzing.running import Tally, open_targets, try_input
from tests.support.fuzzing.watch import Watch, processes
from tests.support.hostile import REFERRING_TEXTS, caf
from tests.support.sound_servers import ListenProcess, get_state, run_listen
from tests.support.stream_servers import Answer, web_server
from tests.support.waiting import wait_until

OTHER = "demonstration"
"""Source beside the bad one, which has to go on."""

LAYOUTS = {
    "four channels without a place": [0, 0, 0, 0],
    "two left channels": [1, 1],
    "four unused channels": [0xFFFFFFFF] * 4,
    "6.1 channels": [1, 2, 3, 4, 5, 6, 9],
}

KINDS_OF_SINGLE_INPUTS = ("answers", "containers", "playlists", "titles")

SINGLE_INPUTS = (
    "2000000000 Hz.wav", "4294967295 Hz.wav", "65 channels.wav", "cover.mp3", "bomb", "huge chunk",
    "long header",
    "many headers", "cookies", "itself", "itself.m3u", "many.m3u", "bomb.xspf", "external.xspf", "key.m3u8",
    "long", "fields", "escapes",
)  # fmt: skip
"""Unchanged inputs that have a row of their own."""


class Row(NamedTuple):
    """Row of the table."""

    fault: str
    result: str
    seconds: float
    counted: str


@contextlib.contextmanager
def listening(*sources: str) -> Iterator[ListenProcess]:
    """Run ``overheard listen`` with these sources and the demonstration."""
    with tempfile.TemporaryDirectory() as folder:
        environment = os.environ | {"XDG_DATA_HOME": folder, "XDG_CONFIG_HOME": folder}
        words = [word for source in (*sources, "demo") for word in ("--source", source)]
        with contextlib.redirect_stdout(sys.stderr), run_listen(environment, *words) as overheard:
            yield overheard  # the log follows at the end


def odd_layouts(folder: Path) -> Iterator[Row]:
    """Files whose layout of channels crashed the program, beside another source."""
    for name, labels in LAYOUTS.items():
        path = folder / f"{name}.caf"
        path.write_bytes(caf(labels, seconds=6))
        with listening(str(path)) as overheard:
            began = time.monotonic()
            first = overheard.until(
                lambda message: (
                    message["source"] == path.name  # noqa: B023 - called in this round only
                    and (message["type"] == "estimate" or message.get("state") in ("ENDED", "FAILED"))
                )
            )
            seconds = time.monotonic() - began
            overheard.estimate(OTHER)
            result = f"{get_state(first)} {first.get('detail', '')}".strip()
            yield Row(f"file with {name}", f"{result}; the other source goes on", seconds, "")


def killed_decoder() -> Row:
    """Crash of the decoder of a station, beside another source."""
    sound, headers = encode("mp3", "libmp3lame", 20), {"Content-Type": "audio/mpeg"}
    music = Answer(sound, headers=headers, length=False, hang=True)
    with web_server({"radio": music}) as server, listening(server.url("radio")) as overheard:
        name = server.url("radio")
        overheard.estimate(name)
        for process in list(processes(psutil.Process(overheard.process.pid))):
            parent = process.parent()
            if parent is not None and "decoder_server" in " ".join(parent.cmdline()):
                process.send_signal(signal.SIGSEGV)
        began = time.monotonic()
        lost = overheard.until(
            lambda message: message["source"] == name and get_state(message) == "RECOVERING"
        )
        overheard.estimate(name)
        seconds = time.monotonic() - began
        overheard.estimate(OTHER)
        health = overheard.until(lambda message: message["type"] == "health" and message["source"] == name)
        return Row("SIGSEGV in a station's decoder", f"RECOVERING: {lost['detail']}", seconds,
                   f"reconnects {health['reconnects']}, gaps {health['gaps']}")  # fmt: skip


def referring_station(watch: Watch) -> Row:
    """Station that turns into a description of ports, after it was a station."""
    music = Answer(encode("mp3", "libmp3lame", 8), headers={"Content-Type": "audio/mpeg"}, length=False)
    sdp = Answer(REFERRING_TEXTS["sdp"].encode(), headers={"Content-Type": "audio/mpeg"}, length=False)
    with web_server({"radio": music}) as server:
        name = server.url("radio")
        watch.reset()
        with listening(name) as overheard:
            overheard.estimate(name)
            server.answers["radio"] = sdp
            asked = len(server.requests)
            wait_until(lambda: len(server.requests) > asked + 1, 60)
            refused = overheard.until(
                lambda message: message["source"] == name and "not audio" in message.get("detail", "")
            )
            ports = len(watch.udp)
            server.answers["radio"] = music
            began = time.monotonic()
            overheard.estimate(name)
            return Row("station that sends SDP from some time on", f"RECOVERING: {refused['detail']}",
                       time.monotonic() - began, f"UDP ports opened: {ports}")  # fmt: skip


def master_playlist() -> Row:
    """HLS with several variants, one of which is chosen."""
    segment = encode("mpegts", "aac", 4)
    media = "#EXTM3U\n#EXT-X-TARGETDURATION:4\n" + "".join(f"#EXTINF:4,\n{{0}}{n}.ts\n" for n in range(3))
    variants = {"low": 24_000, "middle": 128_000, "high": 320_000, "video": 1_700_000}
    master = "#EXTM3U\n" + "".join(
        f'#EXT-X-STREAM-INF:BANDWIDTH={bandwidth},CODECS="{"avc1.42c01e," * (name == "video")}mp4a.40.2"\n'
        f"{name}.m3u8\n"
        for name, bandwidth in variants.items()
    )
    answers = {"master.m3u8": Answer(master.encode())}
    for name in variants:
        answers[f"{name}.m3u8"] = Answer((media.format(name) + "#EXT-X-ENDLIST\n").encode())
        answers |= {f"{name}{number}.ts": Answer(segment) for number in range(3)}
    with web_server(answers) as server, listening(server.url("master.m3u8")) as overheard:
        began = time.monotonic()
        overheard.estimate(server.url("master.m3u8"))
        seconds = time.monotonic() - began
        wait_until(lambda: len(server.requests) >= 5)
        paths = [path.lstrip("/") for path, _ in server.requests]
        fetched = sum(len(answers[path].body) for path in paths if path in answers)
        everything = sum(len(answer.body) for answer in answers.values())
        chosen = sorted({path[:-4] for path in paths if path.endswith(".ts")})
        return Row("HLS with four variants, one of them video", f"one is fetched: {chosen[0]}", seconds,
                   f"{fetched:,} bytes of {everything:,}")  # fmt: skip


def silent_connections() -> Row:
    """Connections that send nothing."""
    with listening() as overheard, contextlib.ExitStack() as stack:
        port = int(overheard.address.rpartition(":")[2])
        for _ in range(400):
            stack.enter_context(socket.create_connection(("127.0.0.1", port), 30))
        began = time.monotonic()
        with socket.create_connection(("127.0.0.1", port), 30) as client:
            client.sendall(b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
            status = client.recv(100)[9:12].decode()
        seconds = time.monotonic() - began
        overheard.estimate(OTHER)
        return Row("400 silent connections to the analyzer", f"another client gets {status}", seconds, "")


def killed_analyzer(folder: Path) -> Row:
    """``kill -9`` of the analyzer while it decodes."""
    path = write(folder / "long.wav", tone(440, 60), 22_050)
    with contextlib.suppress(Exception), listening(str(path)) as overheard:
        overheard.estimate(path.name)
        below = [
            each
            for each in processes(psutil.Process(overheard.process.pid))
            if each.pid != overheard.process.pid
        ]
        began = time.monotonic()
        overheard.process.kill()
        overheard.process.wait()
        _, alive = psutil.wait_procs(below, 30)
        seconds = time.monotonic() - began
        ended = f"{len(below) - len(alive)} of {len(below)} processes below it end"
        return Row("kill -9 of the analyzer", ended, seconds, "")
    raise RuntimeError("the analyzer was not killed")


def mute_sound_server() -> Row:
    """Sound server that takes connections and never answers."""
    with socket.create_server(("127.0.0.1", 0), backlog=100) as server:
        began = time.monotonic()
        done = subprocess.run(
            [sys.executable, "-m", "realtime.cli", "devices"],
            capture_output=True, text=True, check=True, timeout=120,
            env=os.environ | {"PULSE_SERVER": f"tcp:127.0.0.1:{server.getsockname()[1]}"},
        )  # fmt: skip
        seconds, answer = time.monotonic() - began, done.stdout.splitlines()[1].strip()
        return Row("sound server that does not answer", f"`devices`: {answer}", seconds, "")


def single_inputs(watch: Watch) -> Iterator[Row]:
    """Inputs that took much time or memory, each by itself."""
    with open_targets(KINDS_OF_SINGLE_INPUTS) as (targets, _):
        for kind, target in targets.items():
            inputs = [make_input(kind, number) for number in range(corpus_size(kind))]
            target(inputs[0])  # starts the decoders' server
            for tried in inputs:
                if tried.name not in SINGLE_INPUTS:
                    continue
                tally = Tally()
                report = try_input(tried, target, watch, tally)
                result = report or ", ".join(tally.outcomes)
                yield Row(
                    f"{kind}: {tried.name}",
                    result,
                    tally.seconds,
                    f"largest decoder {watch.peak_bytes >> 20} MiB",
                )


def main() -> int:
    """Print the table row by row."""
    os.environ |= {"OVERHEARD_BROWSER": "no", "no_proxy": "*"}
    table = sys.stdout
    print("| input or fault | what happens | seconds | counted |\n|---|---|---|---|")
    with tempfile.TemporaryDirectory() as name, Watch() as watch:
        folder = Path(name)
        tables: tuple[Callable[[], Iterator[Row]], ...] = (
            lambda: odd_layouts(folder),
            lambda: iter([killed_decoder()]),
            lambda: iter([referring_station(watch)]),
            lambda: iter([master_playlist()]),
            lambda: iter([silent_connections()]),
            lambda: iter([killed_analyzer(folder)]),
            lambda: iter([mute_sound_server()]),
            lambda: single_inputs(watch),
        )
        for rows in tables:
            for row in rows():
                print(
                    f"| {row.fault} | {row.result} | {row.seconds:.1f} | {row.counted} |",
                    file=table,
                    flush=True,
                )
    return 0


if __name__ == "__main__":
    sys.exit(main())
