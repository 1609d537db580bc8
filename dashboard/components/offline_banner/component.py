"""A message while the dashboard's server is unreachable, in place of Streamlit's dialog."""

from __future__ import annotations

from dashboard.components.assets import register_component
from dashboard.i18n.translator import Translator


def show_offline_banner(words: Translator) -> None:
    """Prepare the message for this tab."""
    mount = register_component("offline_banner", isolate_styles=False)
    mount(key="offline_banner", data=words("common.away"))
