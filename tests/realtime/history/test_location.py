"""The path of the history."""

from __future__ import annotations

from pathlib import Path

from realtime.history.location import default_path, resolve_path


def test_the_setting_is_resolved_to_a_path(tmp_path: Path) -> None:
    assert default_path() == tmp_path / "overheard" / "history.sqlite"
    assert resolve_path("auto") == resolve_path("") == default_path()
    assert resolve_path("off") is None
    assert resolve_path("~/h.sqlite") == Path.home() / "h.sqlite"
