"""No text as the address of a receiver leads to another error than one sentence."""

from __future__ import annotations

from hypothesis import example, given
from hypothesis import strategies as st

from models.common.urls import redact_to_host
from realtime.clock import SystemClock
from realtime.config import OutputSettings
from realtime.errors import SettingsError
from realtime.outputs.mqtt import MqttAddress
from realtime.outputs.webhook import WebhookSender, prepare_request

PARTS = st.lists(
    st.sampled_from(
        ["http://", "https://", "mqtt://", "mqtts://", "u:p@", "[", "]", "::1", "host", ".", ":", "80"]
    )
    | st.sampled_from(
        ["/", "?", "#", "%", "%zz", "%00", "@", "\x00", "\n", " ", "\udce9", "ä", "ß", "\uff19", "\u3002"]
    )
    | st.text(max_size=3),
    max_size=8,
).map("".join)


@given(st.sampled_from(["http://", "https://", ""]), PARTS)
@example("http://", "u:p@[bad")
def test_a_webhook_is_refused_or_a_request_can_be_prepared(scheme: str, rest: str) -> None:
    try:
        settings = OutputSettings(webhook=scheme + rest)
    except ValueError:
        return
    if settings.webhook:
        WebhookSender(settings.webhook, SystemClock())
        redact_to_host(settings.webhook)
        _, target, headers = prepare_request(settings.webhook, None)
        assert target.isascii()
        assert not set(target) & set(" \r\n\0")
        assert all(value.isascii() for value in headers.values())


@given(st.sampled_from(["mqtt://", "mqtts://", ""]), PARTS)
@example("mqtt://", "u:p@[bad/topic")
def test_a_broker_is_refused_or_can_be_named(scheme: str, rest: str) -> None:
    try:
        settings = OutputSettings(mqtt=scheme + rest)
        assert not settings.mqtt or MqttAddress.parse(settings.mqtt).name
    except (ValueError, SettingsError):
        return
