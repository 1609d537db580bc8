"""Limits that the MQTT publisher and the webhook sender share."""

from __future__ import annotations

from typing import Final

MAX_QUEUED_MESSAGES: Final = 100
"""Messages that may wait for a receiver. If there are more, the oldest message is dropped and counted."""

MAX_BACKOFF_SECONDS: Final = 60.0
"""Longest pause between two attempts, unless a server requests a longer pause."""
