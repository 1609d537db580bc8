"""The messages of the websocket: plain dictionaries, built here and nowhere else.

``messages.schema.json`` beside this file is the published form. ``version`` rises when a client
would have to change; fields may be added without.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from dataclasses import asdict
from functools import lru_cache
from importlib.resources import files
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from models.manifest import ModelManifest
from models.spectrogram.spec import WINDOWS, AudioSpec
from models.spectrogram.stft import average_bands, band_edges
from realtime.protocol.estimate import GenreEstimate, StreamState
from realtime.protocol.health import PipelineHealth, SourceStatus

VERSION = 1

Message: TypeAlias = dict[str, Any]

SPECTRUM_ROWS = 128
SPECTRUM_FLOOR_DBFS = -110.0
SPECTRUM_CEILING_DBFS = -10.0


@lru_cache(maxsize=1)
def schema() -> dict[str, Any]:
    """The JSON Schema that every message obeys, in both directions."""
    text = (files("realtime.protocol") / "messages.schema.json").read_text(encoding="utf-8")
    loaded: dict[str, Any] = json.loads(text)
    return loaded


def envelope(kind: str, source: str, captured_at: float) -> Message:
    """What every message begins with; whoever sends it adds ``seq``.

    Parameters
    ----------
    kind : str
        The message's ``type``.
    source : str
        Name of the source it speaks of.
    captured_at : float
        Unix seconds of the last sample it rests on.
    """
    return {"type": kind, "version": VERSION, "source": source, "captured_at": round(captured_at, 3)}


def estimate_payload(estimate: GenreEstimate) -> Message:
    """The ``estimate`` object inside messages and summaries.

    ``music`` is left out where the model does not say whether it is music.
    """
    music = {} if estimate.music is None else {"music": round(estimate.music, 4)}
    return {
        "label": estimate.label,
        "stable_label": estimate.stable_label,
        "confidence": round(estimate.confidence, 4),
        "probabilities": {genre: round(p, 4) for genre, p in estimate.probabilities.items()},
        "state": estimate.state.value,
    } | music


def estimate_message(
    estimate: GenreEstimate,
    source: str,
    manifest: ModelManifest,
    captured_at: float,
    latency_ms: float,
) -> Message:
    """One estimate; ``start_seconds`` and ``end_seconds`` bound its window in the stream."""
    audio = manifest.audio
    return envelope("estimate", source, captured_at) | {
        "start_seconds": round(estimate.position / audio.sample_rate, 3),
        "end_seconds": round((estimate.position + audio.window_samples) / audio.sample_rate, 3),
        "level_dbfs": round(estimate.level_dbfs, 1),
        "has_gap": estimate.has_gap,
        "inference_ms": round(estimate.inference_ms, 2),
        "latency_ms": round(latency_ms, 1),
        "estimate": estimate_payload(estimate),
    }


def hello_message(
    source: str,
    captured_at: float,
    manifest: ModelManifest,
    runtime: str,
    settings: Message,
    state: StreamState,
    detail: str,
    estimate: Message | None,
    replaces: str = "",
) -> Message:
    """The first message a client gets: who speaks, with which model, and where things stand.

    Whoever followed the source ``replaces`` follows this one from now on; empty where it replaces none.
    """
    audio = manifest.audio
    return (
        envelope("hello", source, captured_at)
        | {
            "model": {
                "name": manifest.name,
                "version": manifest.version,
                "runtime": runtime,
                "labels": list(manifest.labels),
                "window_seconds": round(audio.window_seconds, 3),
            },
            "spectrum": {
                "rows": SPECTRUM_ROWS,
                "column_seconds": audio.column_step / audio.sample_rate,
                "top_hz": audio.sample_rate / 2,
                "floor_dbfs": SPECTRUM_FLOOR_DBFS,
                "ceiling_dbfs": SPECTRUM_CEILING_DBFS,
            },
            "settings": settings,
            "state": state.value,
            "detail": detail,
            "estimate": estimate,
        }
        | ({"replaces": replaces} if replaces else {})
    )


def state_message(source: str, captured_at: float, state: StreamState, detail: str) -> Message:
    """The stream's state changed; ``detail`` is one sentence for people."""
    return envelope("state", source, captured_at) | {"state": state.value, "detail": detail}


def title_message(source: str, captured_at: float, title: str) -> Message:
    """What a station says that it plays; empty when it says nothing any more."""
    return envelope("title", source, captured_at) | {"title": title}


def sources_message(offered: Sequence[Message], paused: bool, now: float) -> Message:
    """What may be listened to and what is, for trusted clients.

    Parameters
    ----------
    offered : sequence of Message
        ``name``, ``playing``, ``level_dbfs`` (None: never measured, or it cannot be opened) and ``detail``.
    paused : bool
    now : float
        Unix seconds.
    """
    return envelope("sources", "", now) | {"seq": 0, "offered": list(offered), "paused": paused}


def answer_message(number: str, ok: bool, detail: str, now: float) -> Message:
    """The reply to the control whose ``id`` is ``number``; ``detail`` is one sentence for people."""
    return envelope("answer", "", now) | {"seq": 0, "id": number, "ok": ok, "detail": detail}


def health_message(
    source: str, captured_at: float, health: PipelineHealth, status: SourceStatus, clients: int
) -> Message:
    """Counters and latencies of the pipeline and of its source."""
    told = asdict(status)
    del told["title"]  # has a message of its own
    return envelope("health", source, captured_at) | asdict(health) | told | {"clients": clients}


def spectrum_message(
    source: str,
    captured_at: float,
    end_seconds: float,
    decibel_columns: npt.NDArray[np.float32],
    audio: AudioSpec,
) -> Message:
    """The newest spectrum columns, for clients that asked for them.

    Parameters
    ----------
    decibel_columns : (columns, rows) float32
        As ``models.spectrogram.stft.band_columns`` gives them, lowest frequency first.
    end_seconds : float
        Where the last column ends in the stream.
    audio : AudioSpec
        The columns' geometry: its window tells their level in dB of a full-scale sine.

    Returns
    -------
    Message
        ``data`` is base64 of (columns, SPECTRUM_ROWS) uint8, oldest column first, in each the
        highest frequency first; 0 is ``floor_dbfs`` and 255 ``ceiling_dbfs``. Where the rows are not
        evenly spaced, ``row_edges_hz`` are their SPECTRUM_ROWS + 1 edges, lowest first.
    """
    full_scale = full_scale_decibels(audio.window, audio.n_fft)
    averaged = average_bands(decibel_columns, np.linspace(0, 1, SPECTRUM_ROWS + 1))
    share = (averaged - full_scale - SPECTRUM_FLOOR_DBFS) / (SPECTRUM_CEILING_DBFS - SPECTRUM_FLOOR_DBFS)
    stored = np.clip(np.round(share * 255), 0, 255).astype(np.uint8)[:, ::-1]
    spacing = {"row_edges_hz": spectrum_edges_hz(audio)} if audio.row_break_hz else {}
    return (
        envelope("spectrum", source, captured_at)
        | {
            "end_seconds": round(end_seconds, 3),
            "columns": len(stored),
            "rows": SPECTRUM_ROWS,
            "data": base64.b64encode(stored.tobytes()).decode("ascii"),
        }
        | spacing
    )


@lru_cache(maxsize=8)
def full_scale_decibels(window: str, n_fft: int) -> float:
    """Decibels of the bin that a sine of amplitude 1 falls on: half of the window's sum."""
    return float(20 * np.log10(WINDOWS[window](n_fft).sum(dtype=np.float64) / 2))


@lru_cache(maxsize=8)
def spectrum_edges_hz(audio: AudioSpec) -> tuple[float, ...]:
    """Edges of the rows of a spectrum message: SPECTRUM_ROWS + 1 frequencies, lowest first."""
    place = np.linspace(0, audio.image_size, SPECTRUM_ROWS + 1)
    edges = np.interp(place, np.arange(audio.image_size + 1), band_edges(audio))
    return tuple((edges * audio.sample_rate / 2).round(2).tolist())


def encode(message: Message) -> str:
    """One message as one line of JSON; NaN is refused rather than sent.

    Raises
    ------
    ValueError
        A number is not finite.
    """
    return json.dumps(message, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
