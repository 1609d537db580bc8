"""The contract that every audio source keeps."""

from __future__ import annotations

from realtime.capture import LiveSource
from realtime.capture.live_source import Stop
from tests.support.audio import tone

RATE = 44_100
SOUND = tone(440, 1.0, RATE)


def idle(source: LiveSource) -> Stop:
    return lambda: None
