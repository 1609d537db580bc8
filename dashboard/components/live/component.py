"""The live part of the page. It opens its own websocket, so nothing on it waits for Streamlit."""

from __future__ import annotations

import time
from collections.abc import Sequence

from dashboard.analyzer.snapshot import ReceivedEstimate
from dashboard.components.assets import register_component
from dashboard.i18n.translator import Translator
from dashboard.viewmodels.live import live_data


def show_live(analyzer: str, token: str, words: Translator, past: Sequence[ReceivedEstimate]) -> None:
    """Mount the live part; later runs only change its language or its connection.

    Parameters
    ----------
    analyzer : str
        The websocket that the browser connects to.
    token : str
        The analyzer's token, empty if it needs none. Every reader of the page receives it.
    words : Words
        The reader's language.
    past : sequence of Heard
        The estimates that this server received before the page was opened, oldest first.
    """
    mount = register_component("live")
    mount(key="live", data=live_data(analyzer, token, words, past, time.monotonic()))
