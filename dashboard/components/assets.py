"""What the browser draws by itself: Streamlit components of markup, style and script that lie here."""

from __future__ import annotations

from importlib.resources import files


def text_of(name: str) -> str:
    """A file of this folder."""
    return (files(__name__) / name).read_text(encoding="utf-8")
