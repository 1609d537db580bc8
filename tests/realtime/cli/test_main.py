"""Commands and their error messages: one sentence, an exit code, never a traceback."""

from __future__ import annotations

import argparse
import json
import re
import shlex
import signal
import socket
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest

from models.manifest import ModelManifest
from realtime.cli.main import COMMANDS
from tests.support.audio import tone, write
from tests.support.cli import (
    RATE,
    command_error,
    copy_model,
    count_windows,
    format_window_seconds,
    main_error,
    run_command,
    run_main,
)
from tests.support.protocol import VALIDATOR
from tests.support.waiting import at_most


@pytest.mark.parametrize(
    ("words", "error"),
    [
        (("run", "--sauce", "mic"), "overheard run: unknown option --sauce; did you mean --source?"),
        (("run", "--sauce=mic"), "overheard run: unknown option --sauce=mic; did you mean --source?"),
        (("run", "--sour", "mic"), "overheard run: unknown option --sour; did you mean --source?"),
        (("run", "mic"), "overheard run: unexpected argument 'mic'; "
         "`overheard run --help` describes the command"),
        (("evaluate", "live", "--sed", "1"),
         "overheard evaluate: unknown option --sed; did you mean --seed?"),
        (("train", "studdy"),
         "overheard train: argument COMMAND: invalid choice: 'studdy'; did you mean study?"),
        (("library", ".", "--out", "x", "--engine", "rey"),
         "overheard library: argument --engine: invalid choice: 'rey'; did you mean ray?"),
        (("analyse", "song.mp3"), "overheard: no command 'analyse'; did you mean analyze?"),
        (("--verbose",), "overheard: unknown option --verbose; `overheard --help` lists the commands"),
        (("analyze",), "overheard analyze: the following arguments are required: FILE; "
         "`overheard analyze --help` describes the command"),
    ],
)  # fmt: skip
def test_a_mistyped_argument_gets_one_sentence_with_a_suggestion(words: tuple[str, ...], error: str) -> None:
    assert main_error(*words) == error


def test_help_groups_and_describes_the_commands() -> None:
    done = run_command("--help")
    assert done.returncode == 0
    for line in ("listen and watch:", "files:", "music library:", "model:", "  run         Analyze what"):
        assert f"\n{line}" in done.stdout
    for group in COMMANDS.values():
        for command in group:
            assert re.search(rf"^  {command.name} +{re.escape(command.summary)}$", done.stdout, re.MULTILINE)


def all_parsers() -> dict[str, argparse.ArgumentParser]:
    """Return the parsers of all commands and subcommands by the name that a user types."""
    parsers = {}
    for command in (command for group in COMMANDS.values() for command in group):
        parser = import_module(command.module).build_parser()
        parsers[parser.prog] = parser
        for action in parser._actions:
            if isinstance(action, argparse._SubParsersAction):
                parsers |= {each.prog: each for each in action.choices.values()}
    return parsers


def test_every_option_has_a_help_text_and_a_placeholder_of_its_own() -> None:
    for prog, parser in all_parsers().items():
        assert prog.startswith("overheard ")
        for action in parser._actions:
            if isinstance(action, argparse._SubParsersAction):
                continue
            assert action.help, (prog, action)
            assert action.nargs == 0 or action.metavar or not action.option_strings, (prog, action)
            assert action.metavar not in ("VALUE", "DIR", "MANIFEST"), (prog, action)


def test_every_help_can_be_printed_and_its_examples_can_be_parsed() -> None:
    examples = 0
    for prog, parser in all_parsers().items():
        text = parser.format_help()
        assert text.startswith(f"usage: {prog}")
        for line in text.partition("\nexamples:\n")[2].splitlines():
            argv = shlex.split(line, comments=True)
            argv = argv[argv.index("overheard") + 1 :]
            argv = argv[: argv.index(">")] if ">" in argv else argv
            module = import_module(modules()[argv[0]])
            module.build_parser().parse_args(argv[1:])
            examples += 1
    assert examples > 30


def modules() -> dict[str, str]:
    return {command.name: command.module for group in COMMANDS.values() for command in group}


def test_a_missing_and_an_unknown_command_are_refused() -> None:
    assert run_main().returncode == 2
    assert main_error("sing").startswith(
        "overheard: no command 'sing'; there are analyze, completion, dashboard, devices"
    )


def test_both_options_print_the_version() -> None:
    assert run_main("--version").stdout.startswith("overheard ")
    assert run_main("-V").stdout == run_main("--version").stdout


def test_analyze_json_ends_with_a_summary(ten_seconds: Path) -> None:
    done = run_command("analyze", "--json", str(ten_seconds), str(ten_seconds))
    assert done.returncode == 0
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    per_file = len(lines) // 2
    for file_lines in (lines[:per_file], lines[per_file:]):
        *estimates, summary = file_lines
        assert len(estimates) == count_windows(10)
        for estimate in estimates:
            VALIDATOR.validate(estimate)
        assert summary["type"] == "summary"
        assert summary["file"] == str(ten_seconds)
        assert summary["label"] == max(summary["probabilities"], key=summary["probabilities"].__getitem__)
        assert sum(summary["probabilities"].values()) == pytest.approx(1, abs=1e-3)
        assert summary["seconds"] == 10.0
        assert summary["real_time_factor"] > 1


def test_analyze_prints_a_timeline(tmp_path: Path) -> None:
    sound = np.concatenate([tone(440, 8), np.zeros(8 * RATE)])
    done = run_main("analyze", str(write(tmp_path / "two.wav", sound, RATE)))
    assert done.returncode == 0
    assert "(silence)" in done.stdout
    assert "16.00 s of audio" in done.stdout


def test_silence_has_no_genre(tmp_path: Path) -> None:
    done = run_main("analyze", "--json", str(write(tmp_path / "s.wav", np.zeros(8 * RATE), RATE)))
    *estimates, summary = map(json.loads, done.stdout.splitlines())
    assert done.returncode == 0
    assert {(row["estimate"]["label"], row["estimate"]["state"]) for row in estimates} == {(None, "SILENT")}
    assert (summary["label"], summary["confidence"]) == (None, 0.0)


def test_one_bad_file_of_several_is_reported_and_the_rest_are_done(tmp_path: Path, ten_seconds: Path) -> None:
    done = run_main("analyze", "--json", str(tmp_path / "no.wav"), str(ten_seconds))
    assert done.returncode == 2
    assert "no.wav does not exist" in done.stderr
    assert "1 of 2 files could not be analyzed" in done.stderr
    assert json.loads(done.stdout.splitlines()[-1])["file"] == str(ten_seconds)


def test_short_sound_is_refused_with_both_lengths(tmp_path: Path) -> None:
    error = main_error("analyze", str(write(tmp_path / "short.wav", tone(440, 3.2), RATE)))
    assert error == (
        "overheard analyze: short.wav contains 3.20 s of audio, but one window needs "
        f"{format_window_seconds()} s"
    )


def test_exactly_one_window_is_enough(tmp_path: Path) -> None:
    samples = tone(440, 6)[: ModelManifest.load().audio.window_samples]
    done = run_main("analyze", "--json", str(write(tmp_path / "exact.wav", samples, RATE)))
    assert done.returncode == 0
    assert len(done.stdout.splitlines()) == 2


@pytest.mark.parametrize("rate", [8_000, 11_025, 48_000, 192_000])
@pytest.mark.parametrize("channels", [1, 8])
def test_files_of_any_rate_and_number_of_channels_are_analyzed(
    tmp_path: Path, rate: int, channels: int
) -> None:
    samples = np.repeat(tone(440, 6, rate)[:, np.newaxis], channels, axis=1)
    done = run_main("analyze", "--json", str(write(tmp_path / "a.wav", samples, rate)))
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout.splitlines()[-1])["seconds"] == pytest.approx(6, abs=0.01)


def test_nan_and_clipped_samples_are_handled(tmp_path: Path) -> None:
    samples = tone(440, 6, amplitude=50.0)
    samples[1_000:2_000] = np.nan
    samples[3_000] = np.inf
    done = run_main("analyze", "--json", str(write(tmp_path / "a.wav", samples, RATE, "pcm_f32le")))
    assert done.returncode == 0, done.stderr
    json.loads(done.stdout.splitlines()[-1], parse_constant=lambda name: pytest.fail(name))


@pytest.mark.parametrize("hop", ["-1", "nan", "inf"])
def test_an_invalid_hop_is_refused(ten_seconds: Path, hop: str) -> None:
    error = main_error("analyze", "--hop-seconds", hop, str(ten_seconds))
    assert f"hop_seconds is {float(hop)}; it must lie in 0..3600" in error


def test_an_unknown_device_lists_those_there_are() -> None:
    error = command_error("listen", "--source", "mic:no such microphone", "--port", "0")
    assert "microphone" in error
    assert "there are " in error or "has no microphone" in error or "PortAudio" in error


def test_a_busy_port_names_the_remedy(ten_seconds: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        error = command_error("listen", "--source", str(ten_seconds), "--port", port)
        assert f"cannot listen on 127.0.0.1:{port}" in error
        assert "--port selects another port" in error
        error = command_error("run", "--source", str(ten_seconds), "--port", "0", "--dashboard-port", port)
        assert f"port {port} of the page is taken" in error


def test_a_damaged_or_missing_model_file_is_refused(tmp_path: Path, ten_seconds: Path) -> None:
    manifest, fields = copy_model(tmp_path)
    file = tmp_path / str(fields["file"])
    file.write_bytes(file.read_bytes()[:-1] + b"x")
    assert "the file is damaged or was replaced" in main_error(
        "analyze", "--manifest", str(manifest), str(ten_seconds)
    )
    file.unlink()
    assert "cannot read the model file" in main_error("model", "--manifest", str(manifest))


def test_a_manifest_of_another_model_is_refused(tmp_path: Path) -> None:
    manifest, fields = copy_model(tmp_path)
    labels = fields["labels"]
    assert isinstance(labels, list)
    manifest.write_text(json.dumps(fields | {"labels": labels[:-1]}))
    assert "use the manifest that belongs to the model" in main_error("model", "--manifest", str(manifest))


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"format": 9}, "is not a model manifest of format 1"),
        ({"labels": ["jazz", "jazz"]}, "must be two or more different names"),
        ({"surprise": 1}, "surprise is not a known field"),
        ({"sha256": 5}, "sha256 is 5; it must be of type str"),
        ({"metrics": []}, "metrics is []; it must be of type object"),
        ({"training_data": "GTZAN"}, "training_data is 'GTZAN'; it must be of type array"),
        ({"audio": {"scaling": {"quantile": 2}}}, "the quantile in 0..1"),
        ({"audio": {"scaling": {"band_hz": None}}}, "band_hz is None; it must be of type float"),
        (
            {"audio": {"scaling": {}, "sample_rate": 22050.5}},
            "sample_rate is 22050.5; it must be of type int",
        ),
        ({"audio": {"scaling": {}, "row_break_hz": 20000}}, "row_break_hz is 20000; it must be 0 or more"),
        ({"calibration": {"temperature": 0, "unsure_below": 0.3, "fitted_on": ""}}, "temperature is 0"),
        ({"calibration": {"temperature": 1, "unsure_below": 3, "fitted_on": ""}}, "unsure_below is 3"),
    ],
)
def test_a_wrong_manifest_is_explained(tmp_path: Path, change: dict[str, object], error: str) -> None:
    manifest, fields = copy_model(tmp_path)
    manifest.write_text(json.dumps(fields | change))
    assert error in main_error("model", "--manifest", str(manifest))


def test_files_that_are_no_manifests_are_refused(tmp_path: Path) -> None:
    assert "cannot read the model manifest" in main_error("model", "--manifest", str(tmp_path / "no.json"))
    (tmp_path / "text.json").write_text("hello")
    assert "is not valid JSON" in main_error("model", "--manifest", str(tmp_path / "text.json"))
    (tmp_path / "list.json").write_text("[]")
    assert "is not a model manifest" in main_error("model", "--manifest", str(tmp_path / "list.json"))


def test_a_model_file_with_other_content_is_refused(tmp_path: Path) -> None:
    import hashlib

    manifest, fields = copy_model(tmp_path)
    (tmp_path / str(fields["file"])).write_bytes(b"no flatbuffer at all" * 10)
    digest = hashlib.sha256(b"no flatbuffer at all" * 10).hexdigest()
    manifest.write_text(json.dumps(fields | {"sha256": digest}))
    assert "cannot load" in main_error("model", "--manifest", str(manifest))


def test_the_model_command_names_runtime_and_labels() -> None:
    done = run_command("model")
    assert "runtime       litert " in done.stdout
    assert "SHA-256 verified" in done.stdout
    fields = json.loads(run_main("model", "--json").stdout)
    assert fields["labels"] == [
        "blues", "classical", "country", "disco", "hiphop", "jazz", "metal", "pop", "reggae", "rock",
    ]  # fmt: skip


def test_a_missing_runtime_names_the_package() -> None:
    assert "install the package tflite-runtime" in main_error("model", "--runtime", "tflite-runtime")


def test_unknown_settings_are_errors(ten_seconds: Path) -> None:
    error = command_error("analyze", str(ten_seconds), environment={"OVERHEARD_HALF_LIVE": "3"})
    assert "unknown setting OVERHEARD_HALF_LIVE" in error


def test_the_estimates_that_listen_prints_obey_the_schema(ten_seconds: Path) -> None:
    done = run_command("listen", "--json", "--source", str(ten_seconds), "--speed", "0", "--port", "0")
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(lines) == count_windows(10)
    for line in lines:
        VALIDATOR.validate(line)


def test_a_file_name_that_is_too_long_is_refused(tmp_path: Path) -> None:
    assert "File name too long" in main_error("analyze", str(tmp_path / ("x" * 300)))


def test_page_and_websocket_need_two_ports(ten_seconds: Path) -> None:
    error = command_error("run", "--source", str(ten_seconds), "--port", "18501", "--dashboard-port", "18501")
    assert "cannot share port 18501" in error


def test_ctrl_c_ends_the_wait_for_a_server_that_never_responds() -> None:
    """FFmpeg waits ten seconds for a server, and Ctrl-C must end it at once."""
    with socket.socket() as mute:
        mute.bind(("127.0.0.1", 0))
        mute.listen()
        url = f"http://user:secret@127.0.0.1:{mute.getsockname()[1]}/radio"
        command = [sys.executable, "-m", "realtime.cli", "listen", "--source", url, "--port", "0"]
        process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        mute.settimeout(30)
        connection, _ = mute.accept()
        with connection:
            process.send_signal(signal.SIGINT)
            with at_most(5):
                assert process.wait(timeout=60) == 0
            assert process.communicate()[1] == ""


def test_listen_stops_on_a_signal(ten_seconds: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "realtime.cli", "listen", "--source", str(ten_seconds), "--port", "0"],
        stderr=subprocess.PIPE,
        text=True,
    )
    with process:
        assert process.stderr is not None
        assert "listening to ten.wav; estimates at ws://127.0.0.1:" in process.stderr.readline()
        process.send_signal(signal.SIGINT)
        with at_most(5):
            assert process.wait(timeout=60) == 0
        assert process.stderr.read() == ""


def test_output_into_a_closed_pipe_is_no_fault(ten_seconds: Path) -> None:
    command = f"{sys.executable} -m realtime.cli analyze --json {ten_seconds} {ten_seconds} | head -n 1"
    done = subprocess.run(command, shell=True, capture_output=True, text=True, timeout=60, check=False)
    assert done.stderr == ""
    assert json.loads(done.stdout)["type"] == "estimate"


@pytest.mark.skipif(sys.platform != "linux", reason="needs Linux")
@pytest.mark.parametrize("command", ["analyze", "library", "listen"])
def test_too_little_memory_for_the_libraries_is_one_sentence(command: str, tmp_path: Path) -> None:
    """With 60 MB of addresses, NumPy's advice on broken installations was printed below a traceback."""
    file = write(tmp_path / "tone.wav", tone(440, 6.0), RATE)
    options = {"library": ["--out", str(tmp_path / "table")], "listen": ["--port", "0", "--history", "off"]}
    words = ["--source", str(file)] if command == "listen" else [str(file)]
    limited = 'ulimit -v 60000; exec "$@"'
    done = subprocess.run(
        ["sh", "-c", limited, "sh", sys.executable, "-m", "realtime.cli", command, *words,
         *options.get(command, [])],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 2, done.stderr
    assert done.stderr.count("\n") == 1
    assert "memory that this program may use" in done.stderr
