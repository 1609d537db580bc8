"""Check JSON documents against types, with errors that name the place, the value and what is expected."""

from __future__ import annotations

import re
from typing import Any, TypeVar

import msgspec

T = TypeVar("T")

MAX_VALUE_LETTERS = 60
"""Letters of a wrong value that an error shows."""

# Patterns, which ``re`` compiles and keeps at the first error.
_PLACE = r"(?s)(?P<what>.*?)(?: - at `\$\.?(?P<path>.*)`)?"
_TYPE = r"(?s)Expected `(?P<wanted>[^`]*)`(?:, got `[^`]*`|(?P<limit>.*))"
_FIELD = r"Object (?P<how>missing required|contains unknown) field `(?P<name>[^`]*)`"
_STEP = r"\[(\d+|\.\.\.)\]|([^.\[]+)"


def convert(document: object, kind: type[T], *, allow_unknown: bool = False) -> T:
    """Convert a JSON value, as ``json.loads`` returns it, to a struct, a dataclass or a list of these.

    Parameters
    ----------
    document : object
    kind : type
    allow_unknown : bool
        Ignore fields that the type does not have. Otherwise they are errors.

    Raises
    ------
    ValueError
        If the value does not fit. The message has the path, the value found and the value expected.
    """
    try:
        found = msgspec.convert(document, kind)
    except msgspec.ValidationError as error:
        raise ValueError(_describe(str(error), document)) from error
    if not allow_unknown:  # msgspec itself forbids unknown fields of structs only
        unknown = _unknown_field(document, msgspec.to_builtins(found, enc_hook=str))
        if unknown is not None:
            raise ValueError(f"{unknown} is not a known field")
    return found


def _describe(message: str, document: object) -> str:
    place = re.fullmatch(_PLACE, message)
    what, path = (place["what"], place["path"] or "") if place else (message, "")
    if field := re.fullmatch(_FIELD, what):
        name = f"{path}.{field['name']}" if path else field["name"]
        return f"{name} is {'missing' if field['how'].startswith('missing') else 'not a known field'}"
    subject = f"{path or 'the document'} is {_shorten(_value_at(path, document))}"
    if wanted := re.fullmatch(_TYPE, what):
        return f"{subject}; it must be of type {wanted['wanted']}{wanted['limit'] or ''}"
    if what.startswith("Invalid"):
        return f"{subject}; {what[0].lower()}{what[1:]}"
    return f"{path}: {what}" if path else what  # the type's own check has a complete message


def _value_at(path: str, document: object) -> object:
    value: Any = document
    for index, name in re.findall(_STEP, path):
        try:
            value = value[int(index)] if index else value[name]
        except (KeyError, IndexError, TypeError, ValueError):
            return document
    return value


def _shorten(value: object) -> str:
    text = repr(value)
    return text if len(text) <= MAX_VALUE_LETTERS else f"{text[:MAX_VALUE_LETTERS]}..."


def _unknown_field(document: object, known: object, path: str = "") -> str | None:
    """Find a field of the document that the converted value lacks."""
    pairs: list[tuple[str, object, object]] = []
    if isinstance(document, dict) and isinstance(known, dict):
        for name, value in document.items():
            if name not in known:
                return f"{path}{name}"
            pairs.append((f"{path}{name}.", value, known[name]))
    elif isinstance(document, list) and isinstance(known, list | tuple):
        pairs += [
            (f"{path[:-1]}[{number}].", value, each)
            for number, (value, each) in enumerate(zip(document, known, strict=True))
        ]
    found = (_unknown_field(value, each, name) for name, value, each in pairs)
    return next((name for name in found if name is not None), None)
