"""The feed against a real websocket server on a port of its own."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from dashboard.analyzer.feed import AnalyzerFeed, parse
from dashboard.analyzer.snapshot import Snapshot, apply_message
from realtime.protocol.estimate import StreamState
from realtime.protocol.messages import schema, sources_message
from realtime.server.websocket import EstimateServer
from tests.support.analyzer_server import FakeAnalyzer, genre_estimate
from tests.support.websocket_client import connected, estimate, get, hello, serve

PATIENCE_SECONDS = 20.0
TOKEN = "a-token-of-the-tests"


@pytest.fixture
def analyzer() -> Iterator[FakeAnalyzer]:
    with FakeAnalyzer() as fake:
        yield fake


@pytest.fixture
def feed(analyzer: FakeAnalyzer) -> Iterator[AnalyzerFeed]:
    feed = AnalyzerFeed(analyzer.url, jitter=lambda: 0.0)
    analyzer.wait_for_clients(1)
    yield feed
    feed.close()


def message(kind: str, seq: int, **fields: Any) -> dict[str, Any]:
    return {"type": kind, "version": 1, "seq": seq, "source": "test", "captured_at": 0.0} | fields


def test_hello_then_estimates(analyzer: FakeAnalyzer, feed: AnalyzerFeed) -> None:
    hello = feed.wait_for(lambda snapshot: snapshot.hello is not None, PATIENCE_SECONDS)
    assert (hello.connected, hello.state, hello.stable_label) == (True, StreamState.WARMING_UP, None)
    analyzer.estimate("jazz", 0.8, stable_label="rock")
    heard = feed.wait_for(lambda snapshot: snapshot.estimate is not None, PATIENCE_SECONDS)
    assert (heard.state, heard.stable_label, heard.source) == (
        StreamState.LISTENING,
        "rock",
        "Test microphone",
    )


def test_a_program_sends_no_origin(analyzer: FakeAnalyzer, feed: AnalyzerFeed) -> None:
    """The analyzer refuses origins that it does not know; a page of any site could send one."""
    assert feed.url == analyzer.url
    assert analyzer.origins == [None]


def test_every_estimate_is_kept_for_whoever_reads_late(analyzer: FakeAnalyzer, feed: AnalyzerFeed) -> None:
    for genre in ("jazz", "pop", "rock"):
        analyzer.estimate(genre)
        feed.wait_for(lambda snapshot, genre=genre: snapshot.stable_label == genre, PATIENCE_SECONDS)  # type: ignore[misc]
    heard = feed.estimates_after(0)
    assert [each.estimate["label"] for each in heard] == ["jazz", "pop", "rock"]
    assert feed.estimates_after(heard[1].number) == heard[2:]


def test_reconnects_to_an_analyzer_that_was_restarted(analyzer: FakeAnalyzer, feed: AnalyzerFeed) -> None:
    analyzer.estimate("jazz")
    feed.wait_for(lambda snapshot: snapshot.stable_label == "jazz", PATIENCE_SECONDS)
    analyzer.stop()
    away = feed.wait_for(lambda snapshot: not snapshot.connected, PATIENCE_SECONDS)
    assert away.stable_label == "jazz", "what was heard last is still worth showing"
    with FakeAnalyzer(analyzer.port, source="the second") as second:
        second.wait_for_clients(1)
        feed.wait_for(lambda snapshot: snapshot.source == "the second", PATIENCE_SECONDS)
        second.estimate("pop")
        back = feed.wait_for(lambda snapshot: snapshot.stable_label == "pop", PATIENCE_SECONDS)
        assert back.state is StreamState.LISTENING, "seq begins anew with a restart"


@pytest.mark.parametrize(
    "text",
    [
        "no json",
        "",
        "[]",
        "null",
        "[" * 100_000,
        '{"type":"estimate"}',
        '{"type":"subscribe","spectrum":true}',
        '{"type":"control","id":"1","action":"pause"}',
        json.dumps(message("state", 9, state="DANCING", detail="")),
        json.dumps(message("state", 9, state="SILENT", detail="") | {"version": 2}),
        json.dumps(message("state", -1, state="SILENT", detail="")),
    ],
)
def test_malformed_messages_are_ignored(analyzer: FakeAnalyzer, feed: AnalyzerFeed, text: str) -> None:
    analyzer.send_raw(text)
    analyzer.estimate("metal")
    snapshot = feed.wait_for(lambda snapshot: snapshot.stable_label == "metal", PATIENCE_SECONDS)
    assert snapshot.state is StreamState.LISTENING
    assert analyzer.origins == [None], "the connection lived through it"
    assert parse(text, Draft202012Validator(schema())) is None


def test_newest_state_wins_whatever_arrives_last() -> None:
    """Each kind of message waits in its own mailbox at the server, so kinds may overtake each other."""
    ended = apply_message(Snapshot(), message("state", 10, state="ENDED", detail=""))
    late = apply_message(
        ended, message("estimate", 9, estimate=genre_estimate("rock", 0.9, "LISTENING", "rock"))
    )
    assert (late.state, late.stable_label) == (StreamState.ENDED, "rock")
    newer = apply_message(late, message("state", 12, state="SILENT", detail=""))
    assert newer.state is StreamState.SILENT
    hello = message("hello", 0, state="LISTENING", estimate=None)
    assert apply_message(newer, hello).state is StreamState.LISTENING
    assert apply_message(newer, message("spectrum", 13)).state is StreamState.SILENT


def test_snapshots_do_not_change_under_a_reader() -> None:
    before = Snapshot()
    after = apply_message(before, message("health", 1, gaps=3))
    assert before == Snapshot()
    assert after.health is not None


def test_the_token_goes_as_a_header_and_the_version_as_a_protocol() -> None:
    with FakeAnalyzer() as fake:
        feed = AnalyzerFeed(fake.url, token="a-token-of-the-tests")
        fake.wait_for_clients(1)
        feed.close()
        (headers,) = fake.headers
    assert headers.get_all("Authorization") == ["Bearer a-token-of-the-tests"]
    assert headers.get_all("Sec-WebSocket-Protocol") == ["overheard.1"]


def test_without_a_token_none_is_sent(analyzer: FakeAnalyzer, feed: AnalyzerFeed) -> None:
    assert feed.url == analyzer.url
    assert "Authorization" not in analyzer.headers[0]


def test_of_several_sources_the_first_is_followed(analyzer: FakeAnalyzer, feed: AnalyzerFeed) -> None:
    first = analyzer.source
    analyzer.estimate("jazz")
    analyzer.source = "another"
    analyzer.hello()
    analyzer.estimate("metal")
    analyzer.send("state", state="FAILED", detail="not ours")
    analyzer.source = first
    analyzer.send("title", title="So What")
    heard = feed.wait_for(lambda snapshot: snapshot.title == "So What", PATIENCE_SECONDS)
    assert (heard.source, heard.stable_label, heard.state) == (first, "jazz", StreamState.LISTENING)
    analyzer.send("title", title="")
    feed.wait_for(lambda snapshot: not snapshot.title, PATIENCE_SECONDS)


SOURCES = {"offered": [{"name": "mic", "playing": True, "level_dbfs": None, "detail": ""}], "paused": False}


def test_whatever_takes_the_place_of_the_source_is_followed(
    analyzer: FakeAnalyzer, feed: AnalyzerFeed
) -> None:
    first = analyzer.source
    analyzer.estimate("jazz")
    analyzer.send("title", title="So What")
    analyzer.source = "another"
    analyzer.hello(replaces="a third")
    analyzer.estimate("metal")
    analyzer.source = "microphone"
    analyzer.hello(replaces=first)
    analyzer.estimate("pop")
    analyzer.source = first
    analyzer.send("state", state="FAILED", detail="what is over is not heard")
    analyzer.source = "microphone"
    analyzer.send("title", title="the last word")
    now = feed.wait_for(lambda snapshot: snapshot.title == "the last word", PATIENCE_SECONDS)
    assert (now.source, now.stable_label, now.state) == ("microphone", "pop", StreamState.LISTENING)
    assert [heard.estimate["label"] for heard in feed.estimates_after(0)] == ["jazz", "pop"]


def test_of_a_new_source_nothing_of_the_old_is_said() -> None:
    old = Snapshot(source="radio", title="So What", health=message("health", 1))
    hello = message("hello", 0, state="CONNECTING", estimate=None, replaces="radio")
    new = apply_message(old, hello)
    assert (new.source, new.title, new.estimate, new.health) == ("test", "", None, None)
    again = apply_message(replace(old, source="test"), hello)
    assert again.health is not None, "the same source, only begun anew"


def test_what_may_be_listened_to_is_kept_while_it_is_known(
    analyzer: FakeAnalyzer, feed: AnalyzerFeed
) -> None:
    told = message("sources", 0, **SOURCES) | {"source": ""}
    analyzer.send_raw(json.dumps(told))
    analyzer.send_raw(json.dumps(told | {"type": "answer", "id": "1", "ok": True, "detail": "not ours"}))
    known = feed.wait_for(lambda snapshot: snapshot.sources is not None, PATIENCE_SECONDS)
    assert (known.sources, known.source) == (told, analyzer.source)
    analyzer.stop()
    feed.wait_for(lambda snapshot: not snapshot.connected and snapshot.sources is None, PATIENCE_SECONDS)


def test_the_real_server_tells_what_may_be_listened_to() -> None:
    class Switches:
        async def control(self, control: dict[str, Any]) -> str:
            raise AssertionError("the feed controls nothing")

        def sources_message(self) -> dict[str, Any]:
            return sources_message(SOURCES["offered"], False, 1.0)  # type: ignore[arg-type]

    async def scenario(server: EstimateServer, url: str) -> None:
        feed = AnalyzerFeed(url, token=TOKEN)
        known = await asyncio.to_thread(feed.wait_for, lambda s: s.sources is not None, PATIENCE_SECONDS)
        assert known.sources is not None
        assert known.sources["offered"] == SOURCES["offered"]
        server.broadcaster.replace("fake", hello("radio"))
        server.broadcaster.publish(estimate("pop", 1, "radio"))
        now = await asyncio.to_thread(feed.wait_for, lambda s: s.stable_label == "pop", PATIENCE_SECONDS)
        assert now.source == "radio"
        await asyncio.to_thread(feed.close)

    serve(scenario, controller=Switches(), token=TOKEN)


def test_a_hello_brings_the_title_along() -> None:
    before = replace(Snapshot(), title="old")
    hello = message("hello", 3, state="LISTENING", estimate=None)
    assert apply_message(before, hello | {"title": "So What"}).title == "So What"
    assert apply_message(before, hello).title == "", "one that says nothing of titles has none"


def test_a_refusal_is_told_once_without_the_token(caplog: pytest.LogCaptureFixture) -> None:
    """The real server, whose token another is; the feed tries again and again all the while."""
    caplog.set_level(logging.DEBUG)
    for name in ("asyncio", "concurrent"):
        caplog.set_level(logging.WARNING, logger=name)
    token = "a-token-of-the-tests"

    async def scenario(_server: EstimateServer, url: str) -> None:
        feed = AnalyzerFeed(url, token="wrong-" + token, jitter=lambda: 0.0)
        text = ""
        async with asyncio.timeout(20):
            while 'reason="token"} 2' not in text:
                _, _, text = await asyncio.to_thread(
                    get, url + "/metrics", {"Authorization": f"Bearer {token}"}
                )
        await asyncio.to_thread(feed.close)
        assert not feed.snapshot.connected

    serve(scenario, token=token)
    told = [record for record in caplog.records if record.name == "dashboard.analyzer.feed"]
    warnings = [record.getMessage() for record in told if record.levelno >= logging.WARNING]
    assert len(warnings) == 2
    assert "refuses: 401 this analyzer wants its token" in warnings[0]
    assert "set OVERHEARD_TOKEN" in warnings[1]
    assert token not in caplog.text


def test_the_real_server_lets_the_feed_in() -> None:
    token = "a-token-of-the-tests"

    async def scenario(server: EstimateServer, url: str) -> None:
        feed = AnalyzerFeed(url, token=token)
        await connected(server, 1)
        server.broadcaster.publish(estimate("rock", 1, "system"))
        server.broadcaster.publish(estimate("jazz", 1, "mic"))
        known = await asyncio.to_thread(feed.wait_for, lambda s: s.estimate is not None, PATIENCE_SECONDS)
        assert (known.source, known.stable_label) == ("mic", "jazz")
        await asyncio.to_thread(feed.close)

    serve(scenario, sources=("mic", "system"), token=token)


def test_closing_ends_the_thread_although_nobody_answers() -> None:
    with FakeAnalyzer() as fake:
        url = fake.url
    feed = AnalyzerFeed(url)
    feed.close()
    assert not feed.snapshot.connected
    with pytest.raises(TimeoutError, match="connected=False"):
        feed.wait_for(lambda snapshot: snapshot.connected, 0.01)
