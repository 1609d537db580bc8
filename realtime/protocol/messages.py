"""Messages that the server sends over the websocket, as typed structs.

``messages.schema.json`` beside this file is generated from these structs. ``VERSION`` rises if a client
has to change. New fields do not change the version, and have a default for messages of older servers.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import lru_cache
from typing import Annotated, Any, Literal, TypeAlias

import msgspec
from msgspec import Meta, Struct

from realtime.protocol.codes import ResponseCode, StateCode
from realtime.protocol.estimate import StreamState

VERSION: Literal[2] = 2

Count: TypeAlias = Annotated[int, Meta(ge=0)]
Probability: TypeAlias = Annotated[float, Meta(ge=0, le=1)]
Coordinate: TypeAlias = Annotated[float, Meta(ge=-1, le=1)]
Level: TypeAlias = Annotated[float, Meta(le=3.1)]
SourceName: TypeAlias = Annotated[str, Meta(min_length=1, max_length=120)]
ControlId: TypeAlias = Annotated[
    str, Meta(min_length=1, max_length=40, description="Chosen by the client and returned in the response.")
]

Title: TypeAlias = Annotated[
    str,
    Meta(
        description="Title that a station or a media player reports, from a player as 'artist - song'. Empty "
        "if none is known."
    ),
]
Artist: TypeAlias = Annotated[
    str,
    Meta(description="Artist in the title. Empty if the title is not known in parts, as those of stations."),
]
Song: TypeAlias = Annotated[
    str, Meta(description="Song in the title. Empty if the title is not known in parts.")
]

ESTIMATE_STATES = [state.value for state in StreamState if state.has_estimate]


class Message(Struct, frozen=True, kw_only=True, tag_field="type"):
    """Fields of every message that the server sends."""

    version: Annotated[Literal[2], Meta(description="Version of the protocol.")]
    seq: Annotated[
        Count,
        Meta(
            description="Rises by one with every message of a source. A message that did not arrive "
            "leaves a gap. A hello has the number of the last message before the hello."
        ),
    ]
    source: Annotated[str, Meta(description="Name of the source.")]
    captured_at: Annotated[
        float, Meta(description="Unix seconds of the last audio sample that the message is based on.")
    ]

    @property
    def kind(self) -> str:
        """Value of ``type`` in the message's JSON."""
        return str(self.__struct_config__.tag)


class NotStreamBound(Message, frozen=True, kw_only=True):
    """Fields of a message that belongs to no source."""

    seq: Literal[0]
    source: Literal[""]


class TagProbability(Struct, frozen=True, kw_only=True):
    """Word that describes the music."""

    name: Annotated[str, Meta(description="Name of one of the hello's tags.")]
    probability: Probability


class MoodPayload(Struct, frozen=True, kw_only=True):
    """Place of the music in Russell's circumplex of affect (1980)."""

    valence: Annotated[Coordinate, Meta(description="From unpleasant, -1, to pleasant, 1.")]
    arousal: Annotated[Coordinate, Meta(description="From sleepy, -1, to aroused, 1.")]


class EstimatePayload(Struct, frozen=True, kw_only=True):
    """Smoothed genre probabilities after one window."""

    label: Annotated[
        str | None,
        Meta(
            description="The most probable genre. Null before any music was recognized. In NOT_MUSIC and "
            "SILENT it is the genre of the last music."
        ),
    ]
    stable_label: Annotated[
        str | None,
        Meta(description="Genre for headlines. It follows label after another genre has kept its lead."),
    ]
    confidence: Annotated[Probability, Meta(description="Probability of label.")]
    probabilities: Annotated[
        dict[str, Probability], Meta(description="Probability of each genre; all are 0 before any music.")
    ]
    state: Annotated[StreamState, Meta(extra_json_schema={"enum": ESTIMATE_STATES})]
    music: Annotated[
        Probability | None,
        Meta(description="Smoothed probability of music; null if the model does not estimate it."),
    ]
    tags: Annotated[
        list[TagProbability],
        Meta(
            description="Words that describe the music, the most probable first. Empty if no music plays or "
            "if the model has no tags."
        ),
    ] = []
    mood: Annotated[
        MoodPayload | None,
        Meta(description="Null if no music plays, or if the model has no tags of the kind mood."),
    ] = None

    def __post_init__(self) -> None:
        """Reject a state that estimates do not have.

        Raises
        ------
        ValueError
            If ``state.has_estimate`` is false.
        """
        if not self.state.has_estimate:
            raise ValueError(
                f"no estimate has state {self.state}; the states are {', '.join(ESTIMATE_STATES)}"
            )

    def genre_weights(self) -> Mapping[str, float]:
        """Map the genres that the estimate counts for to their probabilities.

        In LISTENING, the estimate counts for its stable label alone, even if another label leads already. In
        UNSURE, the estimate counts for all genres. The mapping is empty if no music plays.
        """
        if self.state is StreamState.LISTENING and self.stable_label is not None:
            return {self.stable_label: self.probabilities.get(self.stable_label, self.confidence)}
        return self.probabilities if self.state is StreamState.UNSURE and self.label is not None else {}


class TagInfo(Struct, frozen=True, kw_only=True):
    """Word that a model knows beside its genres."""

    name: str
    kind: Annotated[str, Meta(description="style, mood, voice, instrument or era.")]


class ModelInfo(Struct, frozen=True, kw_only=True):
    """The model that the analyzer runs."""

    name: str
    version: str
    runtime: Annotated[str, Meta(description="Inference engine and numeric type.")]
    labels: Annotated[list[str], Meta(description="Genres that the model knows.")]
    window_seconds: Annotated[float, Meta(description="Length of the audio of one window.")]
    tags: Annotated[list[TagInfo], Meta(description="Words that estimates may have as tags.")] = []


class SpectrumFormat(Struct, frozen=True, kw_only=True):
    """Format of the spectrum messages."""

    rows: Annotated[int, Meta(ge=1, description="Bands of a column.")]
    column_seconds: Annotated[float, Meta(description="Distance between two columns.")]
    top_hz: Annotated[float, Meta(description="Upper edge of the highest band.")]
    floor_dbfs: Annotated[float, Meta(description="Level of byte 0.")]
    ceiling_dbfs: Annotated[float, Meta(description="Level of byte 255.")]
    colormap: Annotated[
        str,
        Meta(
            description="Colors of the bytes 0 to 255 in the model's input, three bytes RGB each.",
            extra_json_schema={"contentEncoding": "base64"},
        ),
    ]


class StateProperties(Struct, frozen=True, kw_only=True):
    """Properties of one stream state, so that a client needs no lists of states."""

    has_estimate: Annotated[bool, Meta(description="Estimates carry the state.")]
    has_genre: Annotated[bool, Meta(description="The probabilities describe the music that plays.")]
    is_final: Annotated[bool, Meta(description="No message of the source follows.")]
    is_closed: Annotated[bool, Meta(description="The source is closed, so no message need follow.")]
    is_fault: Annotated[bool, Meta(description="The source delivers nothing although it should.")]
    is_silent_source: Annotated[
        bool,
        Meta(description="No audio arrives although it should; the next audio ends the state."),
    ]


class HelloMessage(Message, frozen=True, kw_only=True, tag="hello"):
    """First message of each source: the model, the settings and the present state."""

    model: ModelInfo
    spectrum: SpectrumFormat
    settings: Annotated[dict[str, Any], Meta(description="Settings of the smoothing and of silence.")]
    states: Annotated[
        dict[str, StateProperties], Meta(description="Properties of every stream state, by its name.")
    ]
    state: StreamState
    code: Annotated[StateCode | None, Meta(description="Reason for the state, if there is one.")]
    detail: Annotated[str, Meta(description="Reason for the state as one sentence, often empty.")]
    title: Title
    artist: Artist = ""
    song: Song = ""
    estimate: Annotated[EstimatePayload | None, Meta(description="The newest estimate.")]
    replaces_source: Annotated[
        str | None,
        Meta(description="A client that followed the source of this name follows this one from now on."),
    ]


class EstimateMessage(Message, frozen=True, kw_only=True, tag="estimate"):
    """Estimate after one window."""

    start_seconds: Annotated[float, Meta(ge=0, description="Start of the window in the stream.")]
    end_seconds: Annotated[float, Meta(ge=0, description="End of the window in the stream.")]
    level_dbfs: Annotated[Level, Meta(description="Level of the window in dB of full scale.")]
    has_gap: Annotated[bool, Meta(description="Audio was lost within the window.")]
    inference_ms: Annotated[float, Meta(ge=0, description="Time that the model took.")]
    latency_ms: Annotated[float, Meta(description="From the window's last sample to this message.")]
    estimate: EstimatePayload


class SpectrumMessage(Message, frozen=True, kw_only=True, tag="spectrum"):
    """Newest columns of the spectrum, for clients that subscribed to them."""

    end_seconds: Annotated[float, Meta(description="End of the last column in the stream.")]
    columns: Annotated[int, Meta(ge=1)]
    rows: Annotated[int, Meta(ge=1)]
    data: Annotated[
        str,
        Meta(
            description="Columns of bytes, the oldest first, in each the highest band first. Byte 0 is the "
            "hello's floor_dbfs and byte 255 its ceiling_dbfs.",
            extra_json_schema={"contentEncoding": "base64"},
        ),
    ]
    row_edges_hz: Annotated[
        Annotated[list[Annotated[float, Meta(ge=0)]], Meta(min_length=2)] | None,
        Meta(
            description="Edges of the bands, the lowest first, one more than rows. Null if the bands are "
            "evenly spaced from 0 Hz to the hello's top_hz."
        ),
    ]


class StateMessage(Message, frozen=True, kw_only=True, tag="state"):
    """Change of the stream's state."""

    state: StreamState
    code: Annotated[StateCode | None, Meta(description="Reason for the state, if there is one.")]
    detail: Annotated[str, Meta(description="Reason for the state as one sentence, often empty.")]


class TitleMessage(Message, frozen=True, kw_only=True, tag="title"):
    """Change of the title that a station or a media player reports."""

    title: Title
    artist: Artist = ""
    song: Song = ""


class LatencyPercentiles(Struct, frozen=True, kw_only=True):
    """Percentiles of recent latencies in milliseconds."""

    p50: float
    p95: float
    p99: float


class HealthMessage(Message, frozen=True, kw_only=True, tag="health"):
    """Counters and latencies of the pipeline and of its source."""

    blocks_received: Annotated[Count, Meta(description="Blocks of audio that the source delivered.")]
    samples_lost: Annotated[Count, Meta(description="Samples missing, at the rate of the source.")]
    gaps: Annotated[Count, Meta(description="Places where samples are missing.")]
    windows: Annotated[Count, Meta(description="Windows analyzed.")]
    windows_skipped: Annotated[Count, Meta(description="Windows that came too late to be analyzed.")]
    overruns: Annotated[Count, Meta(description="Windows that took longer than a hop.")]
    real_time_factor: Annotated[float, Meta(ge=0, description="Seconds of audio per second of work.")]
    latency_ms: Annotated[
        LatencyPercentiles, Meta(description="From a window's last sample to its estimate.")
    ]
    device: Annotated[str, Meta(description="Device or address that the source reads at present.")]
    error: Annotated[str, Meta(description="Reason why no audio arrives, in one sentence; else empty.")]
    reconnects: Annotated[Count, Meta(description="Number of times that the source was reopened.")]
    overflows: Annotated[Count, Meta(description="Losses that the device itself reported.")]
    dropped_blocks: Annotated[Count, Meta(description="Blocks dropped because the analysis was too slow.")]
    drift_ppm: Annotated[
        float | None,
        Meta(
            description="Difference between the clocks of device and machine, positive if the device runs "
            "faster; null if unknown."
        ),
    ]
    clients: Annotated[Count, Meta(description="Websocket clients connected.")]


class AvailableSource(Struct, frozen=True, kw_only=True):
    """A source that a client may select."""

    name: SourceName
    selected: Annotated[
        bool,
        Meta(description="The source is analyzed. During a pause: it will be analyzed after the pause."),
    ]
    level_dbfs: Annotated[Level | None, Meta(description="The last measured level; null if none is known.")]
    error: Annotated[
        str,
        Meta(description="Reason why the source cannot be opened or has failed, a sentence; else empty."),
    ]


class SourcesMessage(NotStreamBound, frozen=True, kw_only=True, tag="sources"):
    """Sources that a client may select, sent at each change to clients that sent the control token."""

    available: list[AvailableSource]
    paused: bool


class ResponseMessage(NotStreamBound, frozen=True, kw_only=True, tag="response"):
    """Response to a control, for the client that sent the control."""

    id: ControlId
    ok: Annotated[bool, Meta(description="True if the control was carried out.")]
    code: ResponseCode
    detail: Annotated[str, Meta(description="Result, or reason and remedy, in one sentence.")]


ServerMessage: TypeAlias = (
    HelloMessage
    | EstimateMessage
    | SpectrumMessage
    | StateMessage
    | TitleMessage
    | HealthMessage
    | SourcesMessage
    | ResponseMessage
)


def encode(message: Struct | Mapping[str, Any]) -> str:
    """Encode one message as one line of JSON. Lone surrogates in texts stay as they are.

    Raises
    ------
    ValueError
        If a number is not finite.
    """
    # msgspec's own encoder would send NaN as null.
    return json.dumps(
        msgspec.to_builtins(message), ensure_ascii=False, allow_nan=False, separators=(",", ":")
    )


@lru_cache(maxsize=1)
def _decoder() -> msgspec.json.Decoder[ServerMessage]:
    return msgspec.json.Decoder(ServerMessage)  # made once, and never by the analyzer, which only encodes


def decode(text: str | bytes) -> ServerMessage:
    """Decode one message of a server.

    Raises
    ------
    ValueError
        If the text is not a message of this version. The error names the wrong field.
    """
    try:
        return _decoder().decode(text)
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
        raise ValueError(f"not a message of protocol version {VERSION}: {error}") from error
