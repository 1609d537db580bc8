"""What a client may ask for beside listening: controls, held against the schema before anything else."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Protocol

from realtime.protocol.messages import Message, schema

if TYPE_CHECKING:
    from jsonschema import Draft202012Validator

UNPRIVILEGED = (
    "only clients with the control token may do this; set OVERHEARD_TOKEN to the same secret for the "
    "analyzer and the dashboard, or start both with `overheard run`"
)
NO_HISTORY = "the history is off; --history auto on the analyzer's side keeps one"
HISTORY_ACTIONS = ("correct", "forget")


class SourceController(Protocol):
    """Whoever can change what is listened to; everything is called on the server's event loop."""

    async def control(self, control: Message) -> str:
        """Do what a valid control asks for and return a sentence; an OverheardError says why not."""
        ...

    def sources_message(self) -> Message:
        """What may be listened to and what is."""
        ...


class HistoryEndpoint(Protocol):
    """The history as clients see it; both block and are called on threads of their own."""

    def page(self, rest: str) -> tuple[int, str]:
        """HTTP status and JSON of ``/history`` (empty ``rest``) or of the session of that number."""
        ...

    def act(self, control: Mapping[str, Any]) -> str:
        """Do what ``correct`` and ``forget`` ask for and return a sentence; a HistoryError says why not."""
        ...


def parse_control(request: str | bytes) -> Message | None:
    """A control of the schema; None for anything else."""
    if isinstance(request, bytes):
        return None
    try:
        control: Any = json.loads(request)
        if not isinstance(control, dict) or control.get("type") != "control":
            return None
        if not _validator().is_valid(control):
            return None
    except (ValueError, RecursionError):
        return None
    # The schema's integers may be written as 3.0.
    return {key: int(value) if isinstance(value, float) else value for key, value in control.items()}


@lru_cache(maxsize=1)
def _validator() -> Draft202012Validator:
    from jsonschema import Draft202012Validator  # only who is controlled needs it

    return Draft202012Validator({"$ref": "#/$defs/control", "$defs": schema()["$defs"]})


def parse_subscribe(request: str | bytes) -> bool | None:
    """Whether spectrum is wanted; None for anything but the schema's ``subscribe`` as text."""
    if isinstance(request, bytes):
        return None
    try:
        fields: Any = json.loads(request)
    except (ValueError, RecursionError):  # a kilobyte of opening brackets is enough for the latter
        return None
    if not isinstance(fields, dict) or fields.keys() != {"type", "spectrum"} or fields["type"] != "subscribe":
        return None
    wanted = fields["spectrum"]
    return wanted if isinstance(wanted, bool) else None
