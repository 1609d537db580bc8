"""The published schema: generated from the structs, and documented for clients in other languages."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from realtime.protocol import __main__ as command
from realtime.protocol.schema import ENUMS, FILE_NAME, schema, schema_text


def test_the_file_matches_the_structs() -> None:
    published = (files("realtime.protocol") / FILE_NAME).read_text(encoding="utf-8")
    assert published == schema_text(), "run: python -m realtime.protocol"


def test_the_command_writes_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The file of the package is left alone: a test that writes it would hide that it is outdated."""
    monkeypatch.setattr(command, "__file__", str(tmp_path / "__main__.py"))
    command.main()
    assert capsys.readouterr().out == f"wrote {tmp_path / FILE_NAME}\n"
    assert (tmp_path / FILE_NAME).read_text(encoding="utf-8") == schema_text()


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
