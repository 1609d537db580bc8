"""Check JSON documents against types, with errors that contain the path, the value and the expected type."""

from __future__ import annotations

import re
from typing import Any, TypeVar

import msgspec

T = TypeVar("T")

MAX_VALUE_LETTERS = 60
"""Letters of a wrong value in an error. Longer values are cut."""

# Patterns of msgspec's messages. ``re`` compiles and caches them at the first error.
_MESSAGE = r"(?s)(?P<problem>.*?)(?: - at `\$\.?(?P<path>.*)`)?"
_TYPE = r"(?s)Expected `(?P<expected>[^`]*)`(?:, got `[^`]*`|(?P<limit>.*))"
_FIELD = r"Object (?P<fault>missing required|contains unknown) field `(?P<name>[^`]*)`"
_STEP = r"\[(\d+|\.\.\.)\]|([^.\[]+)"


def convert(document: object, kind: type[T], *, allow_unknown: bool = False) -> T:
    """Convert a result of ``json.loads`` to a struct, a dataclass or a list of these.

    Parameters
    ----------
    document : object
    kind : type
    allow_unknown : bool
        Ignore fields that the type does not have. Otherwise they are errors.

    Raises
    ------
    ValueError
        If the value does not fit. The message has the path, the actual value and the expected type.
    """
    try:
        converted = msgspec.convert(document, kind)
    except msgspec.ValidationError as error:
        raise ValueError(_describe(str(error), document)) from error
    if not allow_unknown:  # msgspec itself forbids unknown fields of structs only
        unknown = _find_unknown(document, msgspec.to_builtins(converted, enc_hook=str))
        if unknown is not None:
            raise ValueError(f"{unknown} is not a known field")
    return converted


def _describe(message: str, document: object) -> str:
    """Rewrite a message of msgspec as a sentence about the value in the document."""
    parts = re.fullmatch(_MESSAGE, message)
    problem, path = (parts["problem"], parts["path"] or "") if parts else (message, "")
    if field := re.fullmatch(_FIELD, problem):
        name = f"{path}.{field['name']}" if path else field["name"]
        return f"{name} is {'missing' if field['fault'].startswith('missing') else 'not a known field'}"
    subject = f"{path or 'the document'} is {_shorten(_get_value(path, document))}"
    if mismatch := re.fullmatch(_TYPE, problem):
        return f"{subject}; it must be of type {mismatch['expected']}{mismatch['limit'] or ''}"
    if problem.startswith("Invalid"):
        return f"{subject}; {problem[0].lower()}{problem[1:]}"
    return f"{path}: {problem}" if path else problem  # errors of ``__post_init__`` are complete sentences


def _get_value(path: str, document: object) -> object:
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


def _find_unknown(document: object, known: object, path: str = "") -> str | None:
    """Find a field of the document that the converted value does not have. Return its path or None."""
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
    unknown = (_find_unknown(value, each, name) for name, value, each in pairs)
    return next((name for name in unknown if name is not None), None)
