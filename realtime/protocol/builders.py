"""Build the server's messages from the values of the pipeline, rounded for the wire.

Messages of a source are built with ``seq`` 0. ``realtime.control.sequencer`` or ``realtime.monitoring``
sets the number when a message is published.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from typing import Any, Literal, TypedDict

import numpy as np
import numpy.typing as npt

from models.manifest import ModelManifest
from models.mood import Mood
from models.spectrogram.image import colormap
from models.spectrogram.spec import AudioSpec
from realtime.protocol.codes import ResponseCode, StateCode
from realtime.protocol.estimate import GenreEstimate, StreamState
from realtime.protocol.health import PipelineHealth, SourceStatus
from realtime.protocol.messages import (
    VERSION,
    AvailableSource,
    EstimateMessage,
    EstimatePayload,
    HealthMessage,
    HelloMessage,
    LatencyPercentiles,
    ModelInfo,
    MoodPayload,
    ResponseMessage,
    SourcesMessage,
    SpectrumFormat,
    SpectrumMessage,
    StateMessage,
    StateProperties,
    TagInfo,
    TagProbability,
    TitleMessage,
)
from realtime.protocol.spectrum import (
    CEILING_DBFS,
    FLOOR_DBFS,
    SPECTRUM_ROWS,
    spectrum_bytes,
    spectrum_edges_hz,
)


class _Header(TypedDict):
    """Fields that every message of a source has."""

    version: Literal[2]
    seq: int
    source: str
    captured_at: float


def _header(source: str, captured_at: float) -> _Header:
    return {"version": VERSION, "seq": 0, "source": source, "captured_at": round(captured_at, 3)}


def state_properties() -> dict[str, StateProperties]:
    """Map each stream state to its properties."""
    return {
        state.value: StateProperties(
            has_estimate=state.has_estimate,
            has_genre=state.has_genre,
            is_final=state.is_final,
            is_closed=state.is_closed,
            is_fault=state.is_fault,
            is_silent_source=state.is_silent_source,
        )
        for state in StreamState
    }


def hello_message(
    source: str, captured_at: float, manifest: ModelManifest, runtime: str, settings: Mapping[str, Any]
) -> HelloMessage:
    """Build the hello of a source that is being opened.

    Parameters
    ----------
    source : str
    captured_at : float
        Unix seconds.
    manifest : ModelManifest
    runtime : str
        Runtime of the classifier.
    settings : mapping
        Settings that a client may show.
    """
    audio = manifest.audio
    return HelloMessage(
        **_header(source, captured_at),
        model=ModelInfo(
            name=manifest.name,
            version=manifest.version,
            runtime=runtime,
            labels=list(manifest.labels),
            window_seconds=round(audio.window_seconds, 3),
            tags=[TagInfo(name=tag.name, kind=tag.kind) for tag in manifest.tags],
        ),
        spectrum=SpectrumFormat(
            rows=SPECTRUM_ROWS,
            column_seconds=audio.column_step / audio.sample_rate,
            top_hz=audio.sample_rate / 2,
            floor_dbfs=FLOOR_DBFS,
            ceiling_dbfs=CEILING_DBFS,
            colormap=base64.b64encode(colormap().tobytes()).decode("ascii"),
        ),
        settings=dict(settings),
        states=state_properties(),
        state=StreamState.CONNECTING,
        code=None,
        detail="",
        title="",
        estimate=None,
        replaces_source=None,
    )


def estimate_payload(estimate: GenreEstimate) -> EstimatePayload:
    """Build the ``estimate`` object inside messages and summaries."""
    return EstimatePayload(
        label=estimate.label,
        stable_label=estimate.stable_label,
        confidence=round(estimate.confidence, 4),
        probabilities={genre: round(p, 4) for genre, p in estimate.probabilities.items()},
        state=estimate.state,
        music=None if estimate.music is None else round(estimate.music, 4),
        tags=[TagProbability(name=name, probability=round(p, 4)) for name, p in estimate.tags],
        mood=mood_payload(estimate.mood),
    )


def mood_payload(mood: Mood | None) -> MoodPayload | None:
    """Build the ``mood`` object inside estimates and summaries."""
    if mood is None:
        return None
    return MoodPayload(valence=round(mood.valence, 4), arousal=round(mood.arousal, 4))


def estimate_message(
    estimate: GenreEstimate,
    source: str,
    manifest: ModelManifest,
    captured_at: float,
    latency_ms: float,
) -> EstimateMessage:
    """Build the message of one estimate. ``captured_at`` is in Unix seconds."""
    audio = manifest.audio
    return EstimateMessage(
        **_header(source, captured_at),
        start_seconds=round(estimate.position / audio.sample_rate, 3),
        end_seconds=round((estimate.position + audio.window_samples) / audio.sample_rate, 3),
        level_dbfs=round(estimate.level_dbfs, 1),
        has_gap=estimate.has_gap,
        inference_ms=round(estimate.inference_ms, 2),
        latency_ms=round(latency_ms, 1),
        estimate=estimate_payload(estimate),
    )


def spectrum_message(
    source: str,
    captured_at: float,
    end_seconds: float,
    decibel_columns: npt.NDArray[np.float32],
    audio: AudioSpec,
) -> SpectrumMessage:
    """Build the message of the newest spectrum columns.

    Parameters
    ----------
    source : str
    captured_at : float
        Unix seconds.
    end_seconds : float
        End of the last column in the stream.
    decibel_columns : (columns, rows) float32
        Output of ``models.spectrogram.stft.band_columns``, lowest frequency first.
    audio : AudioSpec
        Geometry of the columns.
    """
    levels = spectrum_bytes(decibel_columns, audio)
    return SpectrumMessage(
        **_header(source, captured_at),
        end_seconds=round(end_seconds, 3),
        columns=len(levels),
        rows=SPECTRUM_ROWS,
        data=base64.b64encode(levels.tobytes()).decode("ascii"),
        row_edges_hz=list(spectrum_edges_hz(audio)) if audio.row_break_hz else None,
    )


def state_message(
    source: str, captured_at: float, state: StreamState, detail: str = "", code: StateCode | None = None
) -> StateMessage:
    """Build the message of a changed state. ``detail`` is one sentence for people."""
    return StateMessage(**_header(source, captured_at), state=state, code=code, detail=detail)


def title_message(
    source: str, captured_at: float, title: str, artist: str = "", song: str = ""
) -> TitleMessage:
    """Build the message of a title. The title is empty if station or player no longer report one.

    Parameters
    ----------
    source : str
    captured_at : float
        Unix seconds.
    title : str
    artist, song : str
        Parts of the title, both empty if they are unknown.
    """
    return TitleMessage(**_header(source, captured_at), title=title, artist=artist, song=song)


def health_message(
    source: str, captured_at: float, health: PipelineHealth, status: SourceStatus, clients: int
) -> HealthMessage:
    """Build the message of the pipeline's counters and latencies, and of its source."""
    latency = health.latency_ms
    return HealthMessage(
        **_header(source, captured_at),
        blocks_received=health.blocks_received,
        samples_lost=health.samples_lost,
        gaps=health.gaps,
        windows=health.windows,
        windows_skipped=health.windows_skipped,
        overruns=health.overruns,
        real_time_factor=health.real_time_factor,
        latency_ms=LatencyPercentiles(p50=latency.p50, p95=latency.p95, p99=latency.p99),
        device=status.device,
        error=status.error,
        reconnects=status.reconnects,
        overflows=status.overflows,
        dropped_blocks=status.dropped_blocks,
        drift_ppm=status.drift_ppm,
        clients=clients,
    )


def sources_message(available: Sequence[AvailableSource], paused: bool, now: float) -> SourcesMessage:
    """Build the message of the sources that a client may select. ``now`` is in Unix seconds."""
    return SourcesMessage(
        version=VERSION,
        seq=0,
        source="",
        captured_at=round(now, 3),
        available=list(available),
        paused=paused,
    )


def response_message(
    control_id: str, ok: bool, code: ResponseCode, detail: str, now: float
) -> ResponseMessage:
    """Build the response to the control with the given ``id``. ``now`` is in Unix seconds."""
    return ResponseMessage(
        version=VERSION,
        seq=0,
        source="",
        captured_at=round(now, 3),
        id=control_id,
        ok=ok,
        code=code,
        detail=detail,
    )
