"""Replacing, pausing and measuring sources with real files, sockets and a real history."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import shutil
import socket
import sqlite3
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from websockets.asyncio.client import connect

from realtime.errors import SourceError
from tests.support.audio import tone, write
from tests.support.source_switching import (
    SPEED,
    Client,
    Response,
    RunningManager,
    run_manager,
    silent_host,
)
from tests.support.websocket_client import BEARER, TOKEN, http_get

RATE = 22_050


@pytest.fixture(scope="module")
def recordings(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make files that the fake classifier calls blues, jazz and rock, and one that ends soon."""
    folder = tmp_path_factory.mktemp("sounds")
    for name, hz in (("low", 300), ("middle", 5_500), ("high", 9_500)):
        write(folder / f"{name}.wav", tone(hz, 200), RATE)
    write(folder / "short.wav", tone(300, 8), RATE)
    (folder / "other").mkdir()
    write(folder / "other" / "low.wav", tone(300, 60), RATE)
    return folder


@pytest.fixture
def sounds(recordings: Path, tmp_path: Path) -> Path:
    """Return a folder with those files and one that is not audio."""
    folder = tmp_path / "sounds"
    shutil.copytree(recordings, folder, copy_function=os.link)
    (folder / "text.wav").write_text("no sound at all")
    return folder


def selected(name: str) -> Response:
    """Return the response to the selection of a source that did not play before."""
    return Response(True, "source_selected", f"listening to {name}")


def selected_already(name: str) -> Response:
    return Response(True, "source_already_selected", f"{name} is selected already")


def analysis_threads() -> set[threading.Thread]:
    return {thread for thread in threading.enumerate() if thread.name == "analysis"}


# ---- a change -----------------------------------------------------------------------------------------


def test_a_change_reaches_clients_within_seconds_and_ends_the_old_source(sounds: Path) -> None:
    before = analysis_threads()

    async def scenario(client: Client, running: RunningManager) -> None:
        await client.genre("blues", "low.wav")
        began = time.monotonic()
        assert await client.request("select_source", name="middle.wav") == selected("middle.wav")
        kinds = [(m["type"], m["source"], m.get("state"), m.get("detail")) for m in client.seen]
        ended = kinds.index(("state", "low.wav", "ENDED", "changed to middle.wav"))
        assert client.seen[ended]["code"] == "source_changed", "the page must show a change, not an end"
        hello = next(m for m in client.seen if m["type"] == "hello" and m["source"] == "middle.wav")
        assert hello["replaces_source"] == "low.wav"
        assert client.seen.index(hello) > ended
        assert [each["selected"] for each in client.last_sources()["available"]] == [False, True]
        assert -30 < client.available("low.wav")["level_dbfs"] < -5, "not the level of the last estimate"
        await client.genre("jazz", "middle.wav")
        print(f"change to the first estimate: {time.monotonic() - began:.2f} s at speed {SPEED:g}")
        assert all(m["source"] != "low.wav" for m in client.seen[ended + 1 :] if m["type"] != "sources")
        assert len(analysis_threads() - before) == 1, "the old worker still runs"
        async with connect(running.url, additional_headers=BEARER) as connection:
            late = Client(connection)
            published = await late.sources()
            assert [m["source"] for m in late.seen] == ["middle.wav", ""]
            assert published["available"] == [
                dict(each, level_dbfs=now["level_dbfs"])
                for each, now in zip(client.last_sources()["available"], published["available"], strict=True)
            ]
        _, _, body = await asyncio.to_thread(http_get, running.url + "/healthz", BEARER)
        assert set(json.loads(body)["sources"]) == {"middle.wav"}
        assert await client.request("select_source", name="low.wav") == selected("low.wav")
        await client.genre("blues", "low.wav")

    published = run_manager(scenario, [sounds / "low.wav"], [sounds / "middle.wav"])
    for name in ("low.wav", "middle.wav"):
        numbers = [m["seq"] for m in published if m["source"] == name]
        restart = numbers.index(1, 1) if 1 in numbers[1:] else len(numbers)
        assert numbers[:restart] == list(range(1, restart + 1))


@pytest.mark.parametrize(
    ("name", "reason"),
    [("text.wav", "is not audio that FFmpeg can decode"), ("gone.wav", "gone.wav does not exist")],
)
def test_a_source_that_cannot_be_opened_leaves_the_old_one_running(
    sounds: Path, name: str, reason: str
) -> None:
    async def scenario(client: Client, running: RunningManager) -> None:
        await client.genre("blues", "low.wav")
        response = await client.request("select_source", name=name)
        assert (response.ok, response.code) == (False, "source_unavailable")
        assert reason in response.detail
        assert reason in client.available(name)["error"]
        assert [each["selected"] for each in client.last_sources()["available"]] == [True, False]
        before = len(client.seen)
        await client.genre("blues", "low.wav")
        assert all(m["type"] not in ("hello", "state") for m in client.seen[before:])
        write(sounds / name, tone(9_500, 100), RATE)
        assert (await client.request("select_source", name=name)).ok
        assert client.available(name)["error"] == ""
        await client.genre("rock", name)

    run_manager(scenario, [sounds / "low.wav"], [sounds / name])


def test_only_available_names_can_be_selected(sounds: Path) -> None:
    """Paths, addresses and similar names get an error, open nothing and change nothing."""

    async def scenario(client: Client, running: RunningManager) -> None:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            listener.setblocking(False)
            address = f"http://127.0.0.1:{listener.getsockname()[1]}/x.mp3"
            for name in (str(sounds / "middle.wav"), "/etc/passwd", "../middle.wav", address, "LOW.WAV",
                         " low.wav", "mic", "auto", "low.wav\x00"):  # fmt: skip
                ok, code, detail = await client.request("select_source", name=name)
                assert (ok, code) == (False, "unknown_source"), name
                assert (
                    detail == "there is no source with this name; the available sources are low.wav, high.wav"
                ), name
            with pytest.raises(BlockingIOError):  # nothing has connected
                listener.accept()
        assert {m["source"] for m in running.published} == {"low.wav"}
        assert await client.request("select_source", name="low.wav") == selected_already("low.wav")

    run_manager(scenario, [sounds / "low.wav"], [sounds / "high.wav"])


def test_one_change_at_a_time_and_stopping_waits_for_none(sounds: Path) -> None:
    with silent_host() as address:

        async def scenario(client: Client, running: RunningManager) -> None:
            await client.genre("blues", "low.wav")
            await client.connection.send(client.control("select_source", name=address))
            response = await client.request("select_source", name="middle.wav")
            assert response == (False, "busy", "another change is in progress; try again in a moment")
            assert (await client.request("measure_levels")).code == "busy"
            # The old source plays on meanwhile. Then run_manager measures how long stopping takes.
            await client.genre("blues", "low.wav")

        run_manager(scenario, [sounds / "low.wav"], [address, sounds / "middle.wav"])


def test_of_several_sources_the_first_is_changed(sounds: Path) -> None:
    async def scenario(client: Client, running: RunningManager) -> None:
        await client.genre("blues", "low.wav")
        assert (await client.request("select_source", name="high.wav")).ok
        await client.genre("rock", "high.wav")
        await client.genre("jazz", "middle.wav")
        assert running.manager.names == ["high.wav", "middle.wav"]
        async with connect(running.url, additional_headers=BEARER) as connection:
            late = Client(connection)
            await late.sources()
            assert [m["source"] for m in late.seen] == ["high.wav", "middle.wav", ""]
        assert await client.request("select_source", name="middle.wav") == selected_already("middle.wav")

    run_manager(scenario, [sounds / "low.wav", sounds / "middle.wav"], [sounds / "high.wav"])


def test_a_second_source_is_selected_in_its_own_slot(sounds: Path) -> None:
    """Such a selection once failed for a paused source and for one that had ended."""

    async def scenario(client: Client, running: RunningManager) -> None:
        await client.state("ENDED")
        assert await client.request("select_source", name="short.wav") == selected("short.wav")
        assert running.manager.names == ["low.wav", "short.wav"]
        await client.genre("blues", "short.wav")
        assert (await client.request("pause")).ok
        assert await client.request("select_source", name="short.wav") == selected("short.wav")
        assert running.manager.names == ["low.wav", "short.wav"]
        assert client.last_sources()["paused"] is False
        await client.genre("blues", "low.wav")
        await client.genre("blues", "short.wav")

    run_manager(scenario, [sounds / "low.wav", sounds / "short.wav"])


def test_auto_keeps_the_name_of_its_option(sounds: Path) -> None:
    """The source was once open, but the page showed no source as selected."""

    async def scenario(client: Client, running: RunningManager) -> None:
        assert (await client.request("select_source", name="auto")).ok
        assert client.available("auto")["selected"]
        assert await client.request("select_source", name="auto") == selected_already("auto")

    run_manager(scenario, [sounds / "low.wav"], ["auto"])


def test_a_file_that_has_ended_can_be_restarted(sounds: Path) -> None:
    async def scenario(client: Client, running: RunningManager) -> None:
        ended = await client.state("ENDED")
        await asyncio.wait_for(running.manager.finished.wait(), 5)
        published = await client.sources()
        assert [each["selected"] for each in published["available"]] == [False]
        response = await client.request("pause")
        assert response == (False, "nothing_to_pause", "there is nothing to pause: all sources have ended")
        assert (await client.request("select_source", name="short.wav")).ok
        hello = next(m for m in reversed(client.seen) if m["type"] == "hello")
        assert (hello["source"], hello["seq"], hello["replaces_source"]) == ("short.wav", ended["seq"], None)
        await client.genre("blues", "short.wav")

    run_manager(scenario, [sounds / "short.wav"])


def test_sources_of_one_name_are_refused_before_anything_is_left_open(sounds: Path) -> None:
    async def never(client: Client, running: RunningManager) -> None:
        raise AssertionError("the sources must be refused before a client is served")

    with pytest.raises(SourceError, match=r"two sources are called low\.wav; name each source once"):
        run_manager(never, [sounds / "low.wav"], [sounds / "other" / "low.wav"])


# ---- pause and resume ---------------------------------------------------------------------------------


def test_a_pause_closes_the_source_and_a_resume_opens_it_again(sounds: Path) -> None:
    before = analysis_threads()

    async def scenario(client: Client, running: RunningManager) -> None:
        await client.genre("blues", "low.wav")
        assert await client.request("resume") == (False, "nothing_to_resume", "nothing is paused")
        assert await client.request("pause") == (True, "paused", "paused; the source is closed")
        paused = next(m for m in client.seen if m["type"] == "state" and m["state"] == "PAUSED")
        assert not analysis_threads() - before, "a worker still reads a source"
        published = client.last_sources()
        assert (published["paused"], client.available("low.wav")["selected"]) == (True, True)
        assert await client.request("pause") == (True, "already_paused", "already paused")
        assert await client.request("measure_levels") == (
            False, "paused_now", "sources stay closed during a pause; resume before you measure levels",
        )  # fmt: skip
        after = client.seen[client.seen.index(paused) + 1 :]
        assert {m["type"] for m in after} <= {"sources", "response"}, "an estimate came during the pause"
        status, _, body = await asyncio.to_thread(http_get, running.url + "/healthz", BEARER)
        assert (status, json.loads(body)["sources"]) == (200, {"low.wav": "PAUSED"})
        async with connect(running.url, additional_headers=BEARER) as connection:
            hello = await Client(connection).until(lambda m: m["type"] == "hello")
            assert hello["state"] == "PAUSED"
        assert not running.manager.finished.is_set()
        assert await client.request("resume") == (True, "resumed", "listening to low.wav")
        hello = next(m for m in reversed(client.seen) if m["type"] == "hello")
        assert (hello["seq"], hello["state"]) == (paused["seq"], "CONNECTING")
        assert (await client.genre("blues", "low.wav"))["seq"] > paused["seq"]
        assert client.last_sources()["paused"] is False

    published = run_manager(scenario, [sounds / "low.wav"])
    assert [m["seq"] for m in published] == list(range(1, len(published) + 1)), (
        "the numbers must continue through the pause"
    )


def test_selecting_a_source_ends_a_pause(sounds: Path) -> None:
    async def scenario(client: Client, running: RunningManager) -> None:
        await client.genre("blues", "low.wav")
        await client.request("pause")
        assert not (await client.request("select_source", name="text.wav")).ok
        assert client.last_sources()["paused"] is True, "the failure ended the pause"
        assert (await client.request("select_source", name="middle.wav")).ok
        assert client.last_sources()["paused"] is False
        hellos = {m["source"]: m["replaces_source"] for m in client.seen if m["type"] == "hello"}
        assert hellos == {"low.wav": None, "middle.wav": "low.wav", "high.wav": None}
        await client.genre("jazz", "middle.wav")
        await client.genre("rock", "high.wav")

    run_manager(
        scenario, [sounds / "low.wav", sounds / "high.wav"], [sounds / "middle.wav", sounds / "text.wav"]
    )


# ---- levels -------------------------------------------------------------------------------------------


def test_levels_of_inactive_sources(sounds: Path) -> None:
    write(sounds / "quiet.wav", np.zeros(20 * RATE, np.float32), RATE)
    sine = 0.5 * np.sin(2 * np.pi * 1_000 * np.arange(20 * RATE) / RATE)
    write(sounds / "sine.wav", sine.astype(np.float32), RATE)

    async def scenario(client: Client, running: RunningManager) -> None:
        await client.genre("blues", "low.wav")
        assert {each["level_dbfs"] for each in client.last_sources()["available"][1:]} == {None}
        assert await client.request("measure_levels") == (True, "levels_measured", "levels measured: 3")
        assert client.available("sine.wav")["level_dbfs"] == pytest.approx(-9.03, abs=0.1)
        assert client.available("quiet.wav")["level_dbfs"] == -120
        gone = client.available("gone.wav")
        assert gone["level_dbfs"] is None
        assert "gone.wav does not exist" in gone["error"]
        assert -30 < client.available("low.wav")["level_dbfs"] < -5, "not the level of the last estimate"
        response = await client.request("measure_levels")
        assert (response.ok, response.code) == (False, "too_frequent")
        assert response.detail.endswith("the shortest interval is 5 s")
        assert {m["source"] for m in running.published} == {"low.wav"}, "a measured source published"

    run_manager(
        scenario, [sounds / "low.wav"], [sounds / name for name in ("sine.wav", "quiet.wav", "gone.wav")]
    )


def test_a_change_cancels_a_measurement(sounds: Path) -> None:
    """The files play in real time, so that the measurement takes a second."""

    async def scenario(client: Client, running: RunningManager) -> None:
        await client.sources()
        levels, change = client.control("measure_levels"), client.control("select_source", name="middle.wav")
        await client.connection.send(levels)
        await client.connection.send(change)
        answers = [await client.until(lambda m: m["type"] == "response") for _ in range(2)]
        responses = {each["id"]: (each["ok"], each["code"], each["detail"]) for each in answers}
        assert responses[json.loads(levels)["id"]] == (
            False,
            "interrupted",
            "a change of the source canceled the measurement",
        )
        assert responses[json.loads(change)["id"]] == selected("middle.wav")

    run_manager(scenario, [sounds / "low.wav"], [sounds / "middle.wav", sounds / "high.wav"], speed=1)


# ---- the history of a change --------------------------------------------------------------------------


def test_a_change_ends_a_session_and_begins_another(sounds: Path, tmp_path: Path) -> None:
    path = tmp_path / "kept" / "history.sqlite"

    async def scenario(client: Client, running: RunningManager) -> None:
        await client.genre("blues", "low.wav")
        assert (await client.request("select_source", name="middle.wav")).ok
        await client.genre("jazz", "middle.wav")
        assert (await client.request("pause")).ok
        assert (await client.request("select_source", name="high.wav")).ok
        await client.genre("rock", "high.wav")
        async with asyncio.timeout(10):
            while True:
                _, _, body = await asyncio.to_thread(http_get, running.url + "/history", BEARER)
                page = json.loads(body)
                if [each["source"] for each in page["sessions"]] == ["high.wav", "middle.wav", "low.wav"]:
                    break
                await asyncio.sleep(0.1)
        assert (page["path"], page["corrections"]) == (str(path), 0)
        assert [session["running"] for session in page["sessions"]] == [True, False, False]
        number = page["sessions"][2]["id"]
        _, _, body = await asyncio.to_thread(http_get, f"{running.url}/history/{number}", BEARER)
        session = json.loads(body)
        assert session["events"][-1]["detail"] == "changed to middle.wav"
        assert {part["genre"] for part in session["segments"]} == {"blues"}
        segment = {"session": number, "segment": session["segments"][0]["number"]}
        assert (await client.request("correct_label", genre="rock", **segment)).ok
        response = await client.request("correct_label", genre="polka", **segment)
        assert (response.ok, response.code) == (False, "unknown_genre")
        assert "blues, jazz, rock" in response.detail
        _, _, body = await asyncio.to_thread(http_get, f"{running.url}/history/{number}", BEARER)
        assert json.loads(body)["segments"][0]["correction"] == "rock"

    run_manager(scenario, [sounds / "low.wav"], [sounds / "middle.wav", sounds / "high.wav"], history=path)
    with sqlite3.connect(path) as history:
        rows = history.execute("SELECT source, ended IS NOT NULL FROM sessions ORDER BY id").fetchall()
    assert rows == [("low.wav", 1), ("middle.wav", 1), ("high.wav", 1)]


def test_the_log_names_each_change(sounds: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, logger="realtime")

    async def scenario(client: Client, running: RunningManager) -> None:
        await client.genre("blues", "low.wav")
        for action, fields in (("select_source", {"name": "high.wav"}), ("pause", {}), ("resume", {})):
            assert (await client.request(action, **fields)).ok

    run_manager(scenario, [sounds / "low.wav"], [sounds / "high.wav"])
    records = [each for each in caplog.records if each.name == "realtime.control.source_manager"]
    assert [each.getMessage() for each in records] == [
        "listening to high.wav instead of low.wav", "paused: all sources are closed", "listening to high.wav",
    ]  # fmt: skip
    assert TOKEN not in caplog.text
