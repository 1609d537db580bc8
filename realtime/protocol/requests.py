"""Messages that a client sends over the websocket: a subscription, and controls from privileged clients."""

from __future__ import annotations

import json
from typing import Annotated, Any, Literal, NamedTuple, TypeAlias

import msgspec
from msgspec import Meta, Struct

from models.errors import OverheardError
from realtime.protocol.codes import ResponseCode
from realtime.protocol.messages import ControlId, SourceName

RowNumber: TypeAlias = Annotated[int, Meta(ge=1, le=2**53 - 1)]


class Subscribe(
    Struct, frozen=True, kw_only=True, tag_field="type", tag="subscribe", forbid_unknown_fields=True
):
    """Choose what the server sends."""

    spectrum: Annotated[bool, Meta(description="Send spectrum messages.")]


class Control(Struct, frozen=True, kw_only=True, tag_field="action", forbid_unknown_fields=True):
    """Fields of every control."""

    type: Literal["control"] = "control"
    id: ControlId


class Pause(Control, frozen=True, kw_only=True, tag="pause"):
    """Close all sources until they are resumed."""


class Resume(Control, frozen=True, kw_only=True, tag="resume"):
    """Open the paused sources again."""


class MeasureLevels(Control, frozen=True, kw_only=True, tag="measure_levels"):
    """Open each idle source for about a second and measure its level."""


class SelectSource(Control, frozen=True, kw_only=True, tag="select_source"):
    """Analyze another source."""

    name: Annotated[SourceName, Meta(description="Name of an available source.")]


class CorrectLabel(Control, frozen=True, kw_only=True, tag="correct_label"):
    """Correct the genre of a segment of the history."""

    session: RowNumber
    segment: RowNumber
    genre: Annotated[
        Annotated[str, Meta(max_length=100)] | None,
        Meta(description="One of the model's labels; null removes the correction."),
    ]


class DeleteHistory(Control, frozen=True, kw_only=True, tag="delete_history"):
    """Delete all sessions, corrections and audio."""


SourceControl: TypeAlias = Pause | Resume | MeasureLevels | SelectSource
HistoryControl: TypeAlias = CorrectLabel | DeleteHistory
AnyControl: TypeAlias = Pause | Resume | MeasureLevels | SelectSource | CorrectLabel | DeleteHistory
ClientMessage: TypeAlias = Subscribe | AnyControl


class Outcome(NamedTuple):
    """Code and sentence for people about a control that was carried out."""

    code: ResponseCode
    detail: str


class RequestError(OverheardError):
    """Control that cannot be carried out and has changed nothing.

    Parameters
    ----------
    code : ResponseCode
    detail : str
        Reason and remedy, in one sentence.
    """

    def __init__(self, code: ResponseCode, detail: str) -> None:
        super().__init__(detail)
        self.code = code


def decode_request(text: str | bytes) -> ClientMessage | None:
    """Decode one message of a client.

    Returns
    -------
    ClientMessage or None
        None if the message does not match the schema.
    """
    if isinstance(text, bytes):
        return None
    try:
        # JSON Schema allows clients to write an integer as 3.0.
        document: Any = json.loads(text, parse_float=_parse_number)
        if not isinstance(document, dict):
            return None
        if document.get("type") == "subscribe":
            return msgspec.convert(document, Subscribe)
        if "type" in document:
            control: AnyControl = msgspec.convert(document, AnyControl)
            return control
    except (ValueError, RecursionError, msgspec.ValidationError):
        pass
    return None


def _parse_number(digits: str) -> int | float:
    value = float(digits)
    return int(value) if value.is_integer() else value
