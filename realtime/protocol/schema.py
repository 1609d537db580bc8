"""JSON Schema of the protocol, for clients in other languages.

``python -m realtime.protocol`` generates ``messages.schema.json`` from the structs.
"""

from __future__ import annotations

import json
import re
from functools import lru_cache
from importlib.resources import files
from typing import Any, get_args

import msgspec

from realtime.protocol.codes import ResponseCode, StateCode
from realtime.protocol.described import DescribedEnum
from realtime.protocol.estimate import StreamState
from realtime.protocol.history import HistoryOverview, HistorySession
from realtime.protocol.messages import VERSION, Message, NotStreamBound, ServerMessage
from realtime.protocol.requests import AnyControl, Subscribe

FILE_NAME = "messages.schema.json"
ENUMS: tuple[type[DescribedEnum], ...] = (StreamState, StateCode, ResponseCode)


@lru_cache(maxsize=1)
def schema() -> dict[str, Any]:
    """Read the published schema, which describes the messages in both directions."""
    text = (files("realtime.protocol") / FILE_NAME).read_text(encoding="utf-8")
    loaded: dict[str, Any] = json.loads(text)
    return loaded


def generate_schema() -> dict[str, Any]:
    """Generate the schema from the structs."""
    controls = get_args(AnyControl)
    sent = get_args(ServerMessage)
    documents = (HistoryOverview, HistorySession)
    _, components = msgspec.json.schema_components(
        (Message, NotStreamBound, *sent, Subscribe, *controls, *documents, *ENUMS),
        ref_template="#/$defs/{name}",
    )
    names = {name: _snake_case(name.removesuffix("Message") or name) for name in components}
    definitions = {names[name]: _clean(components[name], names) for name in components}
    for enum in ENUMS:
        definitions[names[enum.__name__]] = {
            "description": (enum.__doc__ or "").strip(),
            "oneOf": [{"const": member.value, "description": member.description} for member in enum],
        }
    for name in ("message", "not_stream_bound"):
        definitions[name]["properties"]["type"] = {"type": "string"}  # each message type defines the value
    for each in (*sent, HistorySession, NotStreamBound):  # a base after the types that derive from it
        base = names[each.__base__.__name__]
        _refer_to_base(definitions[names[each.__name__]], definitions[base], base)
    definitions["control"] = {
        "description": "From a client that sent the control token.",
        "oneOf": [{"$ref": f"#/$defs/{names[each.__name__]}"} for each in controls],
    }
    kinds = [names[each.__name__] for each in (*sent, Subscribe)]
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": f"Overheard protocol, version {VERSION}",
        "description": "Messages of the websocket in both directions. The documents of GET /history and of "
        "GET /history/N are the definitions history_overview and history_session.",
        "oneOf": [{"$ref": f"#/$defs/{kind}"} for kind in (*kinds, "control")],
        "$defs": definitions,
    }


def schema_text() -> str:
    """Return the generated schema as the text of its file."""
    return json.dumps(generate_schema(), indent=2, ensure_ascii=False) + "\n"


def _clean(node: Any, names: dict[str, str]) -> Any:
    """Rename references, write one-valued enums as const, and require every property without a default.

    A property with one value is required too, although it has a default in Python.
    """
    if isinstance(node, list):
        return [_clean(each, names) for each in node]
    if not isinstance(node, dict):
        return node
    cleaned: dict[str, Any] = {}
    for key, value in node.items():
        if key == "$ref":
            cleaned[key] = f"#/$defs/{names[value.removeprefix('#/$defs/')]}"
        elif key == "enum" and len(value) == 1:
            cleaned["const"] = value[0]
        elif key == "properties":
            cleaned[key] = {name: _clean(each, names) for name, each in value.items()}
        elif key not in ("title", "default"):
            cleaned[key] = _clean(value, names)
    if "properties" in cleaned:
        optional = {name for name, each in node["properties"].items() if "default" in each}
        cleaned["required"] = [
            name for name, each in cleaned["properties"].items() if name not in optional or "const" in each
        ]
    return cleaned


def _refer_to_base(definition: dict[str, Any], base: dict[str, Any], name: str) -> None:
    """Replace the properties that the base defines by a reference to the base."""
    inherited = base.get("properties", {})
    own = {key: value for key, value in definition["properties"].items() if inherited.get(key) != value}
    required = [key for key in definition["required"] if key in own]
    description = {"description": definition["description"]} if "description" in definition else {}
    definition.clear()
    definition |= description | {
        "allOf": [{"$ref": f"#/$defs/{name}"}],
        "properties": own,
        "required": required,
    }


def _snake_case(name: str) -> str:
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower()
