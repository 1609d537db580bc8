"""Live component. The browser opens its own websocket, so that no update waits for Streamlit."""

from __future__ import annotations

import time
from collections.abc import Sequence

from dashboard.analyzer.snapshot import ReceivedEstimate
from dashboard.components.assets import register_component
from dashboard.i18n.translator import Translator
from dashboard.viewmodels.live import live_data


def show_live(analyzer: str, token: str, translator: Translator, past: Sequence[ReceivedEstimate]) -> None:
    """Mount the live component. Later runs of the script only change its language or its connection.

    Parameters
    ----------
    analyzer : str
        Websocket address that the browser connects to.
    token : str
        Token for the analyzer, empty if the analyzer needs none. Every user of the page receives it.
    translator : Translator
        Texts in the user's language.
    past : sequence of ReceivedEstimate
        Estimates that this server received before the page was opened, oldest first.
    """
    mount = register_component("live")
    mount(key="live", data=live_data(analyzer, token, translator, past, time.monotonic()))
