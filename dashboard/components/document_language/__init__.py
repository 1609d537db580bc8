"""Component that sets the language of the HTML document."""

from dashboard.components.document_language.component import set_document_language

__all__ = ["set_document_language"]
