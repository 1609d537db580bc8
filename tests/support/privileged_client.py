"""Server with privileged clients, and a record of what was asked of its controller and history."""

from __future__ import annotations

import asyncio
import json
import threading
from typing import Any

from models.errors import OverheardError
from realtime.config import ServerSettings
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
from realtime.server.broadcaster import Broadcaster
from realtime.server.log_buffer import LogBuffer
from realtime.server.websocket import EstimateServer
from tests.support.protocol import Json
from tests.support.websocket_client import Scenario, hello

TOKEN = "a-token-of-the-tests"
CONTROL_TOKEN = "an-ephemeral-token-of-the-tests"
BEARER = {"Authorization": f"Bearer {CONTROL_TOKEN}"}


class RecordingController:
    """Controller that records its controls. Tests of the source manager use the real one."""

    def __init__(self) -> None:
        self.asked: list[SourceControl] = []

    async def control(self, control: SourceControl) -> Outcome:
        self.asked.append(control)
        if isinstance(control, Resume):
            raise RequestError(ResponseCode.NOTHING_TO_RESUME, "nothing is paused")
        return Outcome(ResponseCode.PAUSED, "done")

    def sources_message(self) -> SourcesMessage:
        return builders.sources_message([AvailableSource(**each) for each in SOURCES], False, 1.0)


class RecordingHistory:
    """History that records its requests, and responds once ``may_answer`` is set."""

    def __init__(self) -> None:
        self.may_answer = threading.Event()
        self.may_answer.set()
        self.asked: list[str] = []

    def read_document(self, rest: str) -> tuple[int, str]:
        self.asked.append(rest)
        assert self.may_answer.wait(10)
        assert threading.current_thread() is not threading.main_thread(), "it may block, so not on the loop's"
        return (404, '{"error": "no session 9"}') if rest == "9" else (200, json.dumps({"rest": rest}))

    def handle_control(self, control: HistoryControl) -> Outcome:
        assert isinstance(control, CorrectLabel)
        if control.segment == 7:
            raise OverheardError("no segment 7 in session 3")
        detail = f"segment {control.segment} is {control.genre}"
        return Outcome(ResponseCode.LABEL_SAVED_WITH_AUDIO, detail)


def serve(
    scenario: Scenario,
    controller: RecordingController | None = None,
    pages: RecordingHistory | None = None,
    log: LogBuffer | None = None,
    control_token: str = CONTROL_TOKEN,
    **settings: Any,
) -> None:
    async def main() -> None:
        server = EstimateServer(
            Broadcaster([hello()]),
            ServerSettings(**settings),
            control_token=control_token,
            controller=controller,
            history=pages,
            log=log,
        )
        port = await server.start("127.0.0.1", 0)
        try:
            await scenario(server, f"ws://127.0.0.1:{port}")
        finally:
            await server.stop()

    asyncio.run(main())


SOURCES: list[Json] = [{"name": "demo", "selected": True, "level_dbfs": -20.5, "error": ""}]
