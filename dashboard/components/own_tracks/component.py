"""Tracks of the user's own library, which the page plays from its own server."""

from __future__ import annotations

from typing import Any

from dashboard.components.assets import register_component


def show_tracks(data: dict[str, Any]) -> None:
    """Show the tracks. While one plays, the browser keeps the list as it is."""
    mount = register_component("own_tracks")
    mount(key="own_tracks_list", data=data)
