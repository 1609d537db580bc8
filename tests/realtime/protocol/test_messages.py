"""Messages of the protocol, and the display spectrum."""

from __future__ import annotations

import base64
import json
from dataclasses import replace

import jsonschema
import msgspec
import numpy as np
import numpy.typing as npt
import pytest
from msgspec import structs

from models.mood import Mood
from models.spectrogram.spec import AudioSpec
from models.spectrogram.stft import band_columns
from realtime.protocol import builders, messages
from realtime.protocol.codes import ResponseCode, StateCode
from realtime.protocol.estimate import GenreEstimate, StreamState
from realtime.protocol.health import Percentiles, PipelineHealth, SourceStatus
from realtime.protocol.messages import AvailableSource, Message, SpectrumMessage, StateProperties
from tests.support.classifier import TAGS, manifest
from tests.support.protocol import VALIDATOR, Json, as_json

ESTIMATE = GenreEstimate(
    "jazz", "jazz", 0.71234, {"blues": 0.18766, "jazz": 0.71234, "rock": 0.1}, StreamState.LISTENING,
    position=11_520, captured_at=1.0, level_dbfs=-18.23, has_gap=False, inference_ms=4.567,
)  # fmt: skip
HEALTH = PipelineHealth(10, 0, 0, 5, 0, 0, 80.0, Percentiles(6.0, 7.0, 8.0))


OCTAVES = AudioSpec(
    n_fft=256, column_step=1_334, columns=83, hop_columns=8, window="tukey", row_break_hz=1_000
)


def rows_of(message: SpectrumMessage) -> npt.NDArray[np.uint8]:
    """Return the columns of a spectrum message, (columns, rows) uint8."""
    stored = np.frombuffer(base64.b64decode(message.data), np.uint8)
    return stored.reshape(message.columns, message.rows)


def check_valid(message: Message) -> Json:
    """Return a message as a client receives it. The decoder must accept what the schema accepts."""
    sent = as_json(structs.replace(message, seq=1))
    assert messages.decode(json.dumps(sent)) == structs.replace(message, seq=1)
    return sent


def test_every_message_obeys_the_schema() -> None:
    hello = builders.hello_message("mic", 1.0, manifest(), "litert 2", {"half_life_seconds": 3.0})
    assert check_valid(hello)["model"]["labels"] == ["blues", "jazz", "rock"]
    assert check_valid(hello)["replaces_source"] is None
    after = structs.replace(hello, replaces_source="radio", estimate=builders.estimate_payload(ESTIMATE))
    assert check_valid(after)["replaces_source"] == "radio"
    estimate = check_valid(builders.estimate_message(ESTIMATE, "mic", manifest(), 1.7e9, 12.34))
    assert estimate["estimate"]["probabilities"] == {"blues": 0.1877, "jazz": 0.7123, "rock": 0.1}
    assert (estimate["start_seconds"], estimate["end_seconds"]) == (0.522, 5.492)
    assert check_valid(builders.title_message("radio", 1.0, "So What"))["title"] == "So What"
    named = check_valid(
        builders.title_message("system", 1.0, "Miles Davis - So What", "Miles Davis", "So What")
    )
    assert (named["artist"], named["song"]) == ("Miles Davis", "So What")
    for state in StreamState:
        for code in (None, *StateCode):
            sent = check_valid(builders.state_message("mic", 1.0, state, "why", code))
            assert (sent["state"], sent["code"]) == (state.value, code)
    health = builders.health_message("mic", 1.0, HEALTH, SourceStatus("USB", error="gone"), 3)
    assert check_valid(health)["latency_ms"]["p95"] == 7.0
    assert (check_valid(health)["device"], check_valid(health)["error"]) == ("USB", "gone")


def test_a_client_needs_no_list_of_states() -> None:
    """Each page once had its own lists of states, which no test compared with those of the analyzer."""
    sent = check_valid(builders.hello_message("mic", 1.0, manifest(), "litert 2", {}))
    assert list(sent["states"]) == [state.value for state in StreamState]
    for state in StreamState:
        assert sent["states"][state] == {
            name: getattr(state, name) for name in StateProperties.__struct_fields__
        }


@pytest.mark.parametrize("level", [None, -12.5, -120])
def test_messages_without_a_stream_match_the_schema(level: float | None) -> None:
    available = AvailableSource(name="mic", selected=False, level_dbfs=level, error="it is gone")
    sources = as_json(builders.sources_message([available], True, 1.7e9))
    for code in ResponseCode:
        response = as_json(builders.response_message("7", False, code, "nothing is paused", 1.7e9))
        assert response["code"] == code.value
    for message in (sources, response):
        assert (message["source"], message["seq"]) == ("", 0)
        for wrong in ({"source": "mic"}, {"seq": 1}, {"version": 1}, {"code": "?", "available": "?"}):
            check_refused(message | wrong)
    check_refused(sources | {"available": [sources["available"][0] | {"level_dbfs": "loud"}]})


def check_refused(message: Json) -> None:
    """Assert that the schema and the decoder refuse a message."""
    assert not VALIDATOR.is_valid(message)
    with pytest.raises(ValueError, match="not a message of protocol version 2: "):
        messages.decode(json.dumps(message))


def test_the_probability_of_music_is_sent_if_the_model_has_one() -> None:
    message = builders.estimate_message(ESTIMATE, "mic", manifest(), 1.7e9, 12.34)
    assert check_valid(message)["estimate"]["music"] is None
    talk = replace(ESTIMATE, state=StreamState.NOT_MUSIC, music=0.123456)
    sent = check_valid(builders.estimate_message(talk, "mic", manifest(), 1.7e9, 12.34))
    assert (sent["estimate"]["music"], sent["estimate"]["state"]) == (0.1235, "NOT_MUSIC")
    assert sent["version"] == 2
    check_refused(sent | {"estimate": sent["estimate"] | {"music": 1.5}})


def test_tags_and_mood_are_sent_if_the_model_has_them() -> None:
    message = builders.estimate_message(ESTIMATE, "mic", manifest(), 1.7e9, 12.34)
    sent = check_valid(message)["estimate"]
    assert (sent["tags"], sent["mood"]) == ([], None)
    described = replace(ESTIMATE, tags=(("soul", 0.81239), ("calm", 0.5)), mood=Mood(0.123456, -1.0))
    sent = check_valid(builders.estimate_message(described, "mic", manifest(), 1.7e9, 12.34))
    assert sent["estimate"]["tags"] == [
        {"name": "soul", "probability": 0.8124},
        {"name": "calm", "probability": 0.5},
    ]
    assert sent["estimate"]["mood"] == {"valence": 0.1235, "arousal": -1.0}
    check_refused(sent | {"estimate": sent["estimate"] | {"mood": {"valence": 2, "arousal": 0}}})
    hello = builders.hello_message("mic", 1.0, manifest(tags=TAGS), "litert 2", {})
    assert check_valid(hello)["model"]["tags"][0] == {"name": "guitar", "kind": "instrument"}


def test_messages_of_an_analyzer_that_knows_no_parts_of_titles_are_read() -> None:
    hello = builders.hello_message("mic", 1.0, manifest(), "litert 2", {})
    for message in (hello, builders.title_message("mic", 1.0, "So What")):
        older = as_json(message)
        del older["artist"], older["song"]
        VALIDATOR.validate(older)
        assert messages.decode(json.dumps(older)) == message


def test_messages_of_an_analyzer_that_knows_no_tags_are_read() -> None:
    message = builders.estimate_message(ESTIMATE, "mic", manifest(), 1.7e9, 12.34)
    older = as_json(message)
    for name in ("tags", "mood"):
        del older["estimate"][name]
    VALIDATOR.validate(older)
    assert messages.decode(json.dumps(older)) == message
    hello = builders.hello_message("mic", 1.0, manifest(), "litert 2", {})
    older = as_json(hello)
    del older["model"]["tags"]
    VALIDATOR.validate(older)
    assert messages.decode(json.dumps(older)) == hello


@pytest.mark.parametrize("state", [state for state in StreamState if not state.has_estimate])
def test_an_estimate_has_the_state_of_an_estimate(state: StreamState) -> None:
    sent = check_valid(builders.estimate_message(ESTIMATE, "mic", manifest(), 1.7e9, 12.34))
    check_refused(sent | {"estimate": sent["estimate"] | {"state": state.value}})
    with pytest.raises(ValueError, match=f"no estimate has state {state}; .*LISTENING, UNSURE"):
        builders.estimate_payload(replace(ESTIMATE, state=state))


def test_an_estimate_stands_for_its_stable_genre_or_for_all_or_for_none() -> None:
    body = builders.estimate_payload(replace(ESTIMATE, label="rock", confidence=0.9))
    assert body.genre_weights() == {"jazz": 0.7123}
    assert structs.replace(body, state=StreamState.UNSURE).genre_weights() == body.probabilities
    for state in (StreamState.NOT_MUSIC, StreamState.SILENT):
        assert structs.replace(body, state=state).genre_weights() == {}
    nothing = structs.replace(body, label=None, stable_label=None)
    for state in (StreamState.LISTENING, StreamState.UNSURE):
        assert structs.replace(nothing, state=state).genre_weights() == {}
    assert structs.replace(body, probabilities={}).genre_weights() == {"jazz": 0.9}


def test_a_message_that_lacks_a_field_is_refused() -> None:
    hello = builders.hello_message("mic", 1.0, manifest(), "litert 2", {})
    for message in (hello, builders.state_message("mic", 1.0, StreamState.SILENT)):
        sent = as_json(message)
        for name in sent.keys() - {"artist", "song"}:  # those came later
            check_refused({key: value for key, value in sent.items() if key != name})
        assert messages.decode(json.dumps(sent | {"more": [1]})) == message, "unknown fields must be accepted"


@pytest.mark.parametrize("text", ["", "null", "[]", "{}", '"x"', "[" * 100_000, '{"type": []}', b"\xff"])
def test_invalid_text_is_refused_in_one_sentence(text: str | bytes) -> None:
    with pytest.raises(ValueError, match="not a message of protocol version 2: "):
        messages.decode(text)


def test_nan_is_never_sent() -> None:
    message = builders.estimate_message(ESTIMATE, "mic", manifest(), 1.7e9, float("nan"))
    with pytest.raises(ValueError, match="not JSON compliant"):
        messages.encode(message)


def test_messages_cannot_be_changed() -> None:
    message = builders.state_message("mic", 1.0, StreamState.SILENT)
    with pytest.raises(AttributeError):
        message.seq = 3  # type: ignore[misc]
    assert msgspec.to_builtins(message)["type"] == message.kind == "state"


def test_spectrum_columns_keep_their_order_and_level() -> None:
    """A full-scale tone has 0 dBFS. The highest row and the oldest column come first."""
    columns = np.full((2, 256), -200.0, np.float32)
    full_scale = 20 * np.log10(2_048 / 4)  # half of a Hann window's sum
    columns[1, :2] = full_scale - 60  # the lowest row of the newest column, at -60 dBFS
    message = builders.spectrum_message("mic", 1.0, 5.0, columns, AudioSpec())
    assert check_valid(message)["row_edges_hz"] is None
    stored = rows_of(message)
    assert stored[1, -1] == pytest.approx(255 * 50 / 100, abs=1)
    assert not stored[0].any()
    assert not stored[1, :-1].any()


@pytest.mark.parametrize("spec", [OCTAVES, replace(OCTAVES, image_size=96), replace(OCTAVES, window="hann")])
def test_a_tone_stands_at_its_frequency_and_level(spec: AudioSpec) -> None:
    """Bin 10 of 128 lies at 861 Hz, where rows are narrower than bins: some hold nothing else."""
    hz, amplitude = 10 * spec.sample_rate / spec.n_fft, 0.01
    sine = amplitude * np.sin(2 * np.pi * hz * np.arange(spec.n_fft) / spec.sample_rate)
    columns = band_columns(sine.astype(np.float32), spec)
    message = builders.spectrum_message("mic", 1.0, 5.0, columns, spec)
    edges = check_valid(message)["row_edges_hz"]
    lowest_first = rows_of(message)[0, ::-1]
    assert lowest_first.max() == pytest.approx(255 * (110 + 20 * np.log10(amplitude)) / 100, abs=1)
    assert len(edges) == message.rows + 1
    brightest = int(lowest_first.argmax())
    assert (edges[brightest] + edges[brightest + 1]) / 2 == pytest.approx(
        hz, abs=spec.sample_rate / spec.n_fft
    )


def test_edges_are_those_of_the_pictures_rows() -> None:
    """With a break of 1,000 Hz the edge at a share x of the height is 1000 (12.025**x - 1) Hz."""
    message = check_valid(builders.spectrum_message("mic", 1.0, 5.0, np.zeros((1, 256), np.float32), OCTAVES))
    edges = message["row_edges_hz"]
    assert (edges[0], edges[-1]) == (0, 11_025)
    assert edges == pytest.approx(1_000 * (12.025 ** np.linspace(0, 1, 129) - 1), abs=0.01)
    with pytest.raises(jsonschema.ValidationError):
        VALIDATOR.validate(message | {"row_edges_hz": [-1.0, 5.0]})
    check_refused(message | {"row_edges_hz": [-1.0, 5.0]})
