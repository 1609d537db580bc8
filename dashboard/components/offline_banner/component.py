"""Banner that is shown while the dashboard's server is unreachable, in place of Streamlit's dialog."""

from __future__ import annotations

from dashboard.components.assets import register_component
from dashboard.i18n.translator import Translator


def prepare_offline_banner(translator: Translator) -> None:
    """Load the banner into this browser tab. The browser shows the banner when the server is unreachable."""
    mount = register_component("offline_banner", isolate_styles=False)
    mount(key="offline_banner", data=translator("common.away"))
