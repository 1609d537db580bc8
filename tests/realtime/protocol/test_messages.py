from __future__ import annotations

import base64
import json
from dataclasses import replace

import jsonschema
import numpy as np
import numpy.typing as npt
import pytest

from models.spectrogram.spec import AudioSpec
from models.spectrogram.stft import band_columns
from realtime.protocol import messages
from realtime.protocol.estimate import GenreEstimate, StreamState
from realtime.protocol.health import Percentiles, PipelineHealth, SourceStatus
from realtime.protocol.messages import Message
from tests.support.classifier import manifest

ESTIMATE = GenreEstimate(
    "jazz", "jazz", 0.71234, {"blues": 0.18766, "jazz": 0.71234, "rock": 0.1}, StreamState.LISTENING,
    position=11_520, captured_at=1.0, level_dbfs=-18.23, has_gap=False, inference_ms=4.567,
)  # fmt: skip
HEALTH = PipelineHealth(10, 0, 0, 5, 0, 0, 80.0, Percentiles(6.0, 7.0, 8.0))
OCTAVES = AudioSpec(
    n_fft=256, column_step=1_334, columns=83, hop_columns=8, window="tukey", row_break_hz=1_000
)


def rows_of(message: Message) -> npt.NDArray[np.uint8]:
    """The picture in a spectrum message, (columns, rows)."""
    stored = np.frombuffer(base64.b64decode(message["data"]), np.uint8)
    return stored.reshape(message["columns"], message["rows"])


def valid(message: Message) -> Message:
    """The message as a client gets it, held against the published schema."""
    sent: Message = json.loads(messages.encode(message | {"seq": 1}))
    jsonschema.Draft202012Validator(messages.schema()).validate(sent)
    return sent


def test_the_schema_is_a_schema() -> None:
    jsonschema.Draft202012Validator.check_schema(messages.schema())


def test_every_message_obeys_the_schema() -> None:
    hello = messages.hello_message(
        "mic", 1.0, manifest(), "litert 2", {"half_life_seconds": 3.0}, StreamState.LISTENING, "",
        messages.estimate_payload(ESTIMATE),
    )  # fmt: skip
    assert valid(hello)["model"]["labels"] == ["blues", "jazz", "rock"]
    estimate = valid(messages.estimate_message(ESTIMATE, "mic", manifest(), 1.7e9, 12.34))
    assert estimate["estimate"]["probabilities"] == {"blues": 0.1877, "jazz": 0.7123, "rock": 0.1}
    assert (estimate["start_seconds"], estimate["end_seconds"]) == (0.522, 5.492)
    assert valid(messages.title_message("radio", 1.0, "So What"))["title"] == "So What"
    assert "replaces" not in hello
    after = messages.hello_message(
        "mic", 1.0, manifest(), "litert 2", {}, StreamState.CONNECTING, "", None, replaces="radio"
    )
    assert valid(after)["replaces"] == "radio"
    for state in StreamState:
        assert valid(messages.state_message("mic", 1.0, state, "why"))["state"] == state.value
    assert (
        valid(messages.health_message("mic", 1.0, HEALTH, SourceStatus("USB"), 3))["latency_ms"]["p95"] == 7.0
    )


@pytest.mark.parametrize("level", [None, -12.5, -120])
def test_what_is_of_no_stream_obeys_the_schema_too(level: float | None) -> None:
    offered = [{"name": "mic", "playing": False, "level_dbfs": level, "detail": "it is gone"}]
    sources = messages.sources_message(offered, True, 1.7e9)
    answer = messages.answer_message("7", False, "nothing is paused", 1.7e9)
    for message in (sources, answer):
        jsonschema.Draft202012Validator(messages.schema()).validate(message)
        assert (message["source"], message["seq"]) == ("", 0)
        with pytest.raises(jsonschema.ValidationError):
            valid(message | {"source": "mic", "seq": 1})
    with pytest.raises(jsonschema.ValidationError):
        valid(sources | {"seq": 0, "offered": [offered[0] | {"level_dbfs": "loud"}]})


def test_music_is_sent_where_the_model_says_it() -> None:
    payload = messages.estimate_payload(ESTIMATE)
    assert "music" not in payload
    talk = replace(ESTIMATE, state=StreamState.NOT_MUSIC, music=0.123456)
    sent = valid(messages.estimate_message(talk, "mic", manifest(), 1.7e9, 12.34))
    assert (sent["estimate"]["music"], sent["estimate"]["state"]) == (0.1235, "NOT_MUSIC")
    assert sent["version"] == 1
    with pytest.raises(jsonschema.ValidationError):
        valid(messages.estimate_message(replace(talk, music=1.5), "mic", manifest(), 1.7e9, 12.34))


def test_a_message_that_lacks_its_envelope_is_refused() -> None:
    message = messages.state_message("mic", 1.0, StreamState.SILENT, "")
    del message["source"]
    with pytest.raises(jsonschema.ValidationError):
        valid(message)


def test_nan_is_never_sent() -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        messages.encode({"x": float("nan")})


def test_spectrum_columns_keep_their_order_and_level() -> None:
    """A full-scale tone reads 0 dBFS; rows go from high to low, columns from old to new."""
    columns = np.full((2, 256), -200.0, np.float32)
    full_scale = 20 * np.log10(2_048 / 4)  # half of a Hann window's sum
    columns[1, :2] = full_scale - 60  # the lowest row of the newest column, at -60 dBFS
    message = valid(messages.spectrum_message("mic", 1.0, 5.0, columns, AudioSpec()))
    stored = rows_of(message)
    assert stored[1, -1] == pytest.approx(255 * 50 / 100, abs=1)
    assert not stored[0].any()
    assert not stored[1, :-1].any()
    assert "row_edges_hz" not in message


@pytest.mark.parametrize("spec", [OCTAVES, replace(OCTAVES, image_size=96), replace(OCTAVES, window="hann")])
def test_a_tone_stands_at_its_frequency_and_level(spec: AudioSpec) -> None:
    """Bin 10 of 128 lies at 861 Hz, where rows are narrower than bins: some hold nothing else."""
    hz, amplitude = 10 * spec.sample_rate / spec.n_fft, 0.01
    sine = amplitude * np.sin(2 * np.pi * hz * np.arange(spec.n_fft) / spec.sample_rate)
    columns = band_columns(sine.astype(np.float32), spec)
    message = valid(messages.spectrum_message("mic", 1.0, 5.0, columns, spec))
    lowest_first = rows_of(message)[0, ::-1]
    assert lowest_first.max() == pytest.approx(255 * (110 + 20 * np.log10(amplitude)) / 100, abs=1)
    edges = message["row_edges_hz"]
    assert len(edges) == message["rows"] + 1
    brightest = int(lowest_first.argmax())
    assert (edges[brightest] + edges[brightest + 1]) / 2 == pytest.approx(
        hz, abs=spec.sample_rate / spec.n_fft
    )


def test_edges_are_those_of_the_pictures_rows() -> None:
    """With a break of 1,000 Hz the edge at a share x of the height is 1000 (12.025**x - 1) Hz."""
    message = valid(messages.spectrum_message("mic", 1.0, 5.0, np.zeros((1, 256), np.float32), OCTAVES))
    edges = message["row_edges_hz"]
    assert (edges[0], edges[-1]) == (0, 11_025)
    assert edges == pytest.approx(1_000 * (12.025 ** np.linspace(0, 1, 129) - 1), abs=0.01)
    assert message["version"] == 1
    with pytest.raises(jsonschema.ValidationError):
        valid(message | {"row_edges_hz": [-1.0, 5.0]})
