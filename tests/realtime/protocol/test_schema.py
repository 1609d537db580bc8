"""The published schema: generated from the structs, and documented for clients in other languages."""

from __future__ import annotations

import subprocess
import sys
from importlib.resources import files
from typing import Any

import jsonschema

from realtime.protocol.schema import ENUMS, FILE_NAME, schema, schema_text
from tests.support.paths import ROOT


def test_the_file_is_what_the_structs_say() -> None:
    published = (files("realtime.protocol") / FILE_NAME).read_text(encoding="utf-8")
    assert published == schema_text(), "run: python -m realtime.protocol"


def test_the_command_writes_the_file() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "realtime.protocol"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert FILE_NAME in done.stdout
    test_the_file_is_what_the_structs_say()


def test_the_schema_is_a_schema() -> None:
    jsonschema.Draft202012Validator.check_schema(schema())


def test_every_definition_state_and_code_is_described() -> None:
    definitions = schema()["$defs"]
    assert [name for name, each in definitions.items() if not each.get("description")] == []
    listed = {
        name: each for name, each in definitions.items() if any("const" in one for one in alternatives(each))
    }
    assert set(listed) == {"stream_state", "state_code", "response_code"}
    for name, enum in zip(("stream_state", "state_code", "response_code"), ENUMS, strict=True):
        described = {one["const"]: one["description"] for one in alternatives(listed[name])}
        assert described == {member.value: member.description for member in enum}
        assert all(sentence.endswith(".") for sentence in described.values())


def alternatives(definition: dict[str, Any]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = definition.get("oneOf", [])
    return found
