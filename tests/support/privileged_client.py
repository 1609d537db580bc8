"""Server with a controller and a history that record the requests of privileged clients."""

from __future__ import annotations

import json
import threading
from typing import Any

from models.errors import OverheardError
from realtime.protocol import builders
from realtime.protocol.codes import ResponseCode
from realtime.protocol.messages import AvailableSource, SourcesMessage
from realtime.protocol.requests import (
    CorrectLabel,
    HistoryControl,
    Outcome,
    RequestError,
    Resume,
    SourceControl,
)
from tests.support.protocol import Json
from tests.support.websocket_client import Scenario, serve

CONTROL_TOKEN = "an-ephemeral-token-of-the-tests"
BEARER = {"Authorization": f"Bearer {CONTROL_TOKEN}"}


class RecordingController:
    """Controller that records controls. Tests of the source manager use the real one."""

    def __init__(self) -> None:
        self.controls: list[SourceControl] = []

    async def control(self, control: SourceControl) -> Outcome:
        self.controls.append(control)
        if isinstance(control, Resume):
            raise RequestError(ResponseCode.NOTHING_TO_RESUME, "nothing is paused")
        return Outcome(ResponseCode.PAUSED, "done")

    def sources_message(self) -> SourcesMessage:
        return builders.sources_message([AvailableSource(**each) for each in SOURCES], False, 1.0)


class RecordingHistory:
    """History that records requests, and responds once ``may_respond`` is set."""

    def __init__(self) -> None:
        self.may_respond = threading.Event()
        self.may_respond.set()
        self.requests: list[str] = []

    def read_document(self, rest: str) -> tuple[int, str]:
        self.requests.append(rest)
        assert self.may_respond.wait(10)
        assert threading.current_thread() is not threading.main_thread(), (
            "it may block, so it must not run on the event loop"
        )
        return (404, '{"error": "no session 9"}') if rest == "9" else (200, json.dumps({"rest": rest}))

    def handle_control(self, control: HistoryControl) -> Outcome:
        assert isinstance(control, CorrectLabel)
        if control.segment == 7:
            raise OverheardError("no segment 7 in session 3")
        detail = f"segment {control.segment} is {control.genre}"
        return Outcome(ResponseCode.LABEL_SAVED_WITH_AUDIO, detail)


def serve_privileged(
    scenario: Scenario,
    controller: RecordingController | None = None,
    history: RecordingHistory | None = None,
    control_token: str = CONTROL_TOKEN,
    **options: Any,
) -> None:
    """Run a scenario against a server whose clients control the sources if they have the control token."""
    serve(scenario, controller=controller, history=history, control_token=control_token, **options)


SOURCES: list[Json] = [{"name": "demo", "selected": True, "level_dbfs": -20.5, "error": ""}]
