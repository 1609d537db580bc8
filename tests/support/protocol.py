"""Messages of the protocol as structs, and as the JSON that clients receive."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, TypeAlias

from jsonschema import Draft202012Validator
from msgspec import Struct

from realtime.protocol.estimate import StreamState
from realtime.protocol.messages import (
    VERSION,
    EstimateMessage,
    EstimatePayload,
    SpectrumMessage,
    TagProbability,
    encode,
)
from realtime.protocol.schema import schema

Json: TypeAlias = dict[str, Any]
"""Message as decoded JSON."""

VALIDATOR = Draft202012Validator(schema())
"""Validates any message against the published schema."""


def as_json(message: Struct) -> Json:
    """Return a message as a client receives it. The message must match the published schema."""
    sent: Json = json.loads(encode(message))
    VALIDATOR.validate(sent)
    return sent


def validate_definition(name: str, document: object) -> None:
    """Validate a document of a page against its definition in the schema."""
    Draft202012Validator({"$ref": f"#/$defs/{name}", "$defs": schema()["$defs"]}).validate(document)


def estimate_message(
    label: str | None,
    *,
    stable: str | None = None,
    state: str = "LISTENING",
    probabilities: dict[str, float] | None = None,
    confidence: float = 0.9,
    source: str = "fake",
    seq: int = 1,
    captured_at: float = 2.0,
    start_seconds: float = 0.0,
    end_seconds: float = 5.0,
    level_dbfs: float = -20.0,
    tags: Mapping[str, float] | None = None,
) -> EstimateMessage:
    """Return an estimate whose stable label is ``label`` unless ``stable`` is given."""
    return EstimateMessage(
        version=VERSION,
        seq=seq,
        source=source,
        captured_at=captured_at,
        start_seconds=start_seconds,
        end_seconds=end_seconds,
        level_dbfs=level_dbfs,
        has_gap=False,
        inference_ms=8.0,
        latency_ms=40.0,
        estimate=EstimatePayload(
            label=label,
            stable_label=stable or label,
            confidence=confidence,
            probabilities=probabilities or {},
            state=StreamState(state),
            music=None,
            tags=[TagProbability(name=name, probability=p) for name, p in (tags or {}).items()],
        ),
    )


def spectrum_message(end_seconds: float, source: str = "fake") -> SpectrumMessage:
    """Return a spectrum of one silent column."""
    return SpectrumMessage(
        version=VERSION, seq=1, source=source, captured_at=2.0, end_seconds=end_seconds, columns=1, rows=1,
        data="AA==", row_edges_hz=None,
    )  # fmt: skip
