"""Controls of privileged clients: their schema, responses and recipients."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from msgspec import to_builtins
from msgspec.structs import replace
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosedError
from websockets.typing import Subprotocol

from realtime.protocol.builders import state_message
from realtime.protocol.codes import ResponseCode, StateCode
from realtime.protocol.estimate import StreamState
from realtime.protocol.requests import Control, decode_request
from realtime.protocol.schema import schema
from realtime.server.access import AccessPolicy, HandshakeRequest, is_privileged, reject_client, reject_page
from realtime.server.requests import UNPRIVILEGED
from realtime.server.websocket import EstimateServer
from tests.support.privileged_client import (
    BEARER,
    CONTROL_TOKEN,
    SOURCES,
    RecordingController,
    RecordingHistory,
    serve_privileged,
)
from tests.support.protocol import VALIDATOR
from tests.support.websocket_client import (
    TOKEN,
    check_log,
    estimate,
    hello,
    http_get,
    receive,
    state,
    wait_for_clients,
)


def control(action: str = "pause", number: str = "1", **fields: Any) -> str:
    return json.dumps({"type": "control", "id": number, "action": action} | fields)


async def request(client: ClientConnection, text: str) -> Any:
    """Send a control and return its response. Skip other messages."""
    await client.send(text)
    while True:
        message = await receive(client)
        VALIDATOR.validate(message)
        if message["type"] == "response" and message["id"] == json.loads(text)["id"]:
            return message


# ---- privileged clients ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("token", "control_token", "shown", "privileged", "admitted"),
    [
        ("", "", "", False, True),
        ("", "", "anything", False, True),
        ("", CONTROL_TOKEN, CONTROL_TOKEN, True, True),
        ("", CONTROL_TOKEN, "", False, True),
        ("", CONTROL_TOKEN, "a-stale-token-of-another-run", False, True),
        (TOKEN, CONTROL_TOKEN, TOKEN, True, True),
        (TOKEN, CONTROL_TOKEN, CONTROL_TOKEN, False, False),
        (TOKEN, "", TOKEN, True, True),
        (TOKEN, "", "", False, False),
    ],
)
def test_the_token_makes_a_client_privileged(
    token: str, control_token: str, shown: str, privileged: bool, admitted: bool
) -> None:
    policy = AccessPolicy(token=token, control_token=control_token)
    for handshake in (
        HandshakeRequest("/", authorizations=(f"Bearer {shown}",)),
        HandshakeRequest("/", subprotocols=("overheard.2", f"overheard.token.{shown}")),
    ):
        assert is_privileged(handshake, policy) is privileged
        assert (reject_client(handshake, policy, 0) is None) is admitted
        rejection = reject_page(handshake, policy, needs_token=True, needs_privilege=True)
        assert (rejection is None) is privileged
        if rejection is not None:
            assert rejection.status == 401
            assert all(secret not in rejection.sentence for secret in (token, control_token) if secret)


# ---- valid controls --------------------------------------------------------------------------------

ACTIONS = (
    "select_source", "pause", "resume", "measure_levels", "correct_label", "delete_history",
)  # fmt: skip
PLAIN = ("pause", "resume", "measure_levels", "delete_history")
NUMBERS = st.integers() | st.sampled_from([1, 2.0, 2.5, 2**53, 2**53 - 1, True, -0.0, float("nan")])
ANYTHING = st.none() | st.booleans() | NUMBERS | st.text(max_size=130) | st.lists(st.integers(), max_size=2)
FIELDS = st.fixed_dictionaries(
    {},
    optional={
        "type": st.just("control") | ANYTHING,
        "id": st.text(min_size=1, max_size=41) | ANYTHING,
        "action": st.sampled_from([*ACTIONS, "quit", "Pause"]) | ANYTHING,
        "name": ANYTHING,
        "session": NUMBERS | ANYTHING,
        "segment": NUMBERS | ANYTHING,
        "genre": st.sampled_from(["jazz", None]) | ANYTHING,
        "path": ANYTHING,
    },
)
LIKELY = st.one_of(
    st.builds(lambda action: {"action": action}, st.sampled_from(PLAIN)),
    st.builds(lambda name: {"action": "select_source", "name": name}, st.text(max_size=122)),
    st.builds(
        lambda session, segment, genre: {
            "action": "correct_label", "session": session, "segment": segment, "genre": genre,
        },
        NUMBERS,
        NUMBERS,
        st.sampled_from(["jazz", None, 3]),
    ),
).map(lambda fields: fields | {"type": "control", "id": "x"})  # fmt: skip


@given(
    st.one_of(FIELDS.map(json.dumps), LIKELY.map(json.dumps), st.text(max_size=60), st.binary(max_size=60))
)
@settings(max_examples=400, deadline=None)
def test_a_control_is_taken_exactly_when_the_schema_takes_it(request_text: str | bytes) -> None:
    decoded = decode_request(request_text)
    taken = to_builtins(decoded) if isinstance(decoded, Control) else None
    one = Draft202012Validator({"$ref": "#/$defs/control", "$defs": schema()["$defs"]})
    try:
        valid = isinstance(request_text, str) and one.is_valid(json.loads(request_text))
    except ValueError:
        valid = False
    assert (taken is not None) == valid
    if taken is not None:
        assert all(type(taken[key]) is int for key in ("session", "segment") if key in taken)


def test_every_action_is_a_control() -> None:
    correct = control("correct_label", session=3, segment=2.0, genre=None)
    for text in (*map(control, PLAIN), control("select_source", name="mic")):
        assert to_builtins(decode_request(text)) == json.loads(text)
        VALIDATOR.validate(json.loads(text))
    assert to_builtins(decode_request(correct)) == json.loads(correct) | {"segment": 2}


@pytest.mark.parametrize(
    "request_text",
    [control("quit"), control("burn"), control("levels"), control("source", name="mic"), control("forget"),
     control("pause", name="mic"), control("pause", number=""), control("pause", number="x" * 41),
     control("select_source"), control("select_source", name=""), control("select_source", name=["mic"]),
     control("select_source", name="x" * 121), control("select_source", name="x" * 2_000),
     control("correct_label", session=1, segment=1), control("delete_history", more=1),
     control("correct_label", session=0, segment=1, genre="jazz"),
     control("correct_label", session="1", segment=1, genre="jazz"),
     control("correct_label", session=1, segment=True, genre="jazz"),
     control("correct_label", session=1, segment=1, genre=5),
     '{"type": "control"}', '{"type":"control","id":' + "[" * 900],
)  # fmt: skip
def test_an_invalid_control_ends_the_connection(request_text: str, caplog: pytest.LogCaptureFixture) -> None:
    controller = RecordingController()

    async def scenario(server: EstimateServer, url: str) -> None:
        async with connect(url, additional_headers=BEARER) as client:
            await receive(client)
            await receive(client)
            await client.send(request_text)
            with pytest.raises(
                ConnectionClosedError, match=r"expected a subscribe message or|message too big"
            ):
                await receive(client)
        await wait_for_clients(server, 0)

    serve_privileged(scenario, controller)
    assert not controller.controls
    check_log(caplog)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(FIELDS.map(json.dumps), min_size=1, max_size=4))
def test_fuzzed_controls_change_nothing_that_the_schema_does_not_know(
    caplog: pytest.LogCaptureFixture, sent: list[str]
) -> None:
    controller = RecordingController()

    async def scenario(server: EstimateServer, url: str) -> None:
        async with connect(url, additional_headers=BEARER) as client, connect(url) as other:
            await receive(other)
            for text in sent:
                try:
                    await client.send(text)
                except ConnectionClosedError:
                    break
            server.broadcaster.publish(estimate("jazz"))
            assert (await receive(other))["type"] == "estimate"

    serve_privileged(scenario, controller)
    valid = [each for text in sent if isinstance(each := decode_request(text), Control)]
    assert [control.id for control in controller.controls] == [each.id for each in valid][
        : len(controller.controls)
    ]
    check_log(caplog)


# ---- access ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Bearer a-stale-token-of-another-run"}])
@pytest.mark.parametrize("control_token", ["", CONTROL_TOKEN])
def test_without_the_token_nothing_is_done_and_the_remedy_is_named(
    headers: dict[str, str], control_token: str
) -> None:
    controller = RecordingController()

    async def scenario(server: EstimateServer, url: str) -> None:
        async with connect(url, additional_headers=headers) as client:
            for text in (control("pause"), control("select_source", name="mic"), control("delete_history")):
                response = await request(client, text)
                assert (response["ok"], response["code"]) == (False, "unauthorized")
                assert response["detail"] == UNPRIVILEGED
            server.broadcaster.publish(estimate("jazz"))
            assert (await receive(client))["type"] == "estimate", "the connection must stay open"
            server.broadcaster.publish_sources(controller.sources_message())
            server.broadcaster.publish(estimate("jazz", 2))
            assert (await receive(client))["type"] == "estimate", (
                "only privileged clients may get the list of sources"
            )

    serve_privileged(scenario, controller, RecordingHistory(), control_token=control_token)
    assert not controller.controls


def test_the_response_goes_to_one_client_and_the_sources_to_all_privileged_ones() -> None:
    controller = RecordingController()

    async def scenario(server: EstimateServer, url: str) -> None:
        names = [Subprotocol("overheard.2"), Subprotocol(f"overheard.token.{CONTROL_TOKEN}")]
        async with (
            connect(url, additional_headers=BEARER) as client,
            connect(url, subprotocols=names) as other,
        ):
            for each in (client, other):
                assert (await receive(each))["type"] == "hello"
                message = await receive(each)
                VALIDATOR.validate(message)
                assert message["type"] == "sources"
                assert (message["available"], message["paused"]) == (SOURCES, False)
            assert (await request(client, control("pause")))["ok"] is True
            response = await request(client, control("resume", "other id"))
            assert (response["ok"], response["detail"]) == (False, "nothing is paused")
            assert response["code"] == "nothing_to_resume"
            server.broadcaster.publish_sources(controller.sources_message())
            assert (await receive(other))["type"] == "sources", (
                "the response must go to the other client only"
            )

    serve_privileged(scenario, controller)
    assert [type(control).__name__ for control in controller.controls] == ["Pause", "Resume"]


def test_corrections_go_to_the_history_and_nowhere_else() -> None:
    controller = RecordingController()

    async def scenario(server: EstimateServer, url: str) -> None:
        async with connect(url, additional_headers=BEARER) as client:
            for segment, expected in (
                (2, (True, ResponseCode.LABEL_SAVED_WITH_AUDIO, "segment 2 is jazz")),
                (7, (False, ResponseCode.HISTORY_FAILED, "no segment 7 in session 3")),
            ):
                text = control("correct_label", session=3, segment=segment, genre="jazz")
                response = await request(client, text)
                assert (response["ok"], response["code"], response["detail"]) == expected

    serve_privileged(scenario, controller, RecordingHistory())
    assert not controller.controls


def test_without_a_history_a_correction_says_how_to_have_one() -> None:
    async def scenario(server: EstimateServer, url: str) -> None:
        async with connect(url, additional_headers=BEARER) as client:
            response = await request(client, control("delete_history"))
            assert (response["ok"], response["code"], response["detail"]) == (
                False,
                "history_off",
                "the history is off; start the analyzer with --history auto to record one",
            )

    serve_privileged(scenario)


def test_too_many_controls_end_the_connection_as_other_messages_do() -> None:
    async def scenario(server: EstimateServer, url: str) -> None:
        async with connect(url, additional_headers=BEARER) as client:
            await receive(client)
            for number in range(11):
                await client.send(control("pause", str(number)))
            with pytest.raises(ConnectionClosedError, match="more than 2 messages a second"):
                await request(client, control("pause", "11"))

    serve_privileged(scenario, RecordingController())


# ---- one source in the place of another ---------------------------------------------------------------


def test_a_source_takes_the_place_of_another() -> None:
    async def scenario(server: EstimateServer, url: str) -> None:
        server.broadcaster.add(hello("second"))
        async with connect(url) as client:
            assert [(await receive(client))["source"] for _ in range(2)] == ["fake", "second"]
            last = state_message("fake", 1.0, StreamState.ENDED, "changed to radio", StateCode.SOURCE_CHANGED)
            server.broadcaster.publish(replace(last, seq=4))
            server.broadcaster.replace("fake", hello("radio"))
            server.broadcaster.publish(estimate("jazz", 1, "radio"))
            ended, new, latest = [await receive(client) for _ in range(3)]
            assert (ended["source"], ended["state"], ended["code"]) == ("fake", "ENDED", "source_changed")
            assert ended["detail"] == "changed to radio"
            assert (new["type"], new["source"], new["replaces_source"], new["seq"]) == (
                "hello",
                "radio",
                "fake",
                0,
            )
            VALIDATOR.validate(new)
            assert (latest["source"], latest["seq"]) == ("radio", 1)
            with pytest.raises(ValueError, match="'fake' is unknown"):
                server.broadcaster.publish(estimate("jazz", 5))
            with pytest.raises(ValueError, match="'second' cannot take the place of 'radio'"):
                server.broadcaster.replace("radio", hello("second"))
            with pytest.raises(ValueError, match="'x' cannot take the place of 'fake'"):
                server.broadcaster.replace("fake", hello("x"))
        async with connect(url) as late:
            first, other = await receive(late), await receive(late)
            assert (first["source"], first["seq"], other["source"]) == ("radio", 1, "second")
            assert first["replaces_source"] is None, "a later client has not followed the replaced source"
        _, _, text = await asyncio.to_thread(http_get, url + "/metrics")
        assert 'source="radio"' in text
        assert 'source="fake"' not in text

    serve_privileged(scenario)


def test_a_source_that_begins_anew_keeps_its_name_and_its_numbers() -> None:
    async def scenario(server: EstimateServer, url: str) -> None:
        server.broadcaster.publish(state("PAUSED", 6))
        async with connect(url) as client:
            assert (await receive(client))["state"] == "PAUSED"
            server.broadcaster.replace("fake", replace(hello(), seq=6))
            again = await receive(client)
            assert (again["state"], again["seq"], again["replaces_source"]) == ("CONNECTING", 6, None)

    serve_privileged(scenario)
