"""Component that sets the language of the HTML document, which screen readers and hyphenation follow."""

from __future__ import annotations

from dashboard.components.assets import register_component


def set_document_language(language: str) -> None:
    """Set the document's language, an ISO 639-1 code. Streamlit itself always declares English."""
    register_component("document_language")(key="document_language", data=language)
