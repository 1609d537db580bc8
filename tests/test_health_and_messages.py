from __future__ import annotations

import base64
import json

import jsonschema
import numpy as np
import pytest

from realtime import messages
from realtime.estimates import GenreEstimate, StreamState
from realtime.health import LATENCY_SPAN, LatencyMeter, Percentiles, PipelineHealth
from realtime.messages import Message
from tests.fakes.classifier import manifest

ESTIMATE = GenreEstimate(
    "jazz", "jazz", 0.71234, {"blues": 0.18766, "jazz": 0.71234, "rock": 0.1}, StreamState.LISTENING,
    position=11_520, captured_at=1.0, level_dbfs=-18.23, has_gap=False, inference_ms=4.567,
)  # fmt: skip
HEALTH = PipelineHealth(10, 0, 0, 5, 0, 0, 80.0, Percentiles(6.0, 7.0, 8.0))


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
    for state in StreamState:
        assert valid(messages.state_message("mic", 1.0, state, "why"))["state"] == state.value
    assert valid(messages.health_message("mic", 1.0, HEALTH, 3))["latency_ms"]["p95"] == 7.0


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
    full_scale = 20 * np.log10(2_048 / 4)
    columns[1, :2] = full_scale - 60  # the lowest row of the newest column, at -60 dBFS
    message = valid(messages.spectrum_message("mic", 1.0, 5.0, columns, 2_048))
    stored = np.frombuffer(base64.b64decode(message["data"]), np.uint8).reshape(2, messages.SPECTRUM_ROWS)
    assert stored[1, -1] == pytest.approx(255 * 50 / 100, abs=1)
    assert not stored[0].any()
    assert not stored[1, :-1].any()


def test_latency_percentiles_are_of_the_recent_past() -> None:
    meter = LatencyMeter()
    assert meter.percentiles() == Percentiles(0, 0, 0)
    for value in range(1_000):
        meter.add(value)
    first = 1_000 - LATENCY_SPAN
    assert meter.percentiles().p50 == first + LATENCY_SPAN // 2 - 1
    assert meter.percentiles().p99 == first + 237  # the 238th of 240
