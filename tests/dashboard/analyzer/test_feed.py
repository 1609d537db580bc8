"""Feed of the analyzer's messages, connected to a real websocket server."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from msgspec import structs

from dashboard.analyzer.feed import AnalyzerFeed, parse_message
from dashboard.analyzer.snapshot import Snapshot, apply_message
from realtime.protocol import builders
from realtime.protocol.estimate import StreamState
from realtime.protocol.health import Percentiles, PipelineHealth, SourceStatus
from realtime.protocol.messages import (
    AvailableSource,
    HealthMessage,
    HelloMessage,
    SourcesMessage,
    StateMessage,
    encode,
)
from realtime.protocol.requests import Outcome, SourceControl
from realtime.server.websocket import EstimateServer
from tests.support.analyzer_server import FakeAnalyzer
from tests.support.protocol import spectrum_message
from tests.support.websocket_client import BEARER, TOKEN, estimate, hello, http_get, serve, wait_for_clients

PATIENCE_SECONDS = 20.0


def stable_label_of(snapshot: Snapshot) -> str | None:
    """Return the stable label of the newest estimate, or None without an estimate."""
    return None if snapshot.estimate is None else snapshot.estimate.stable_label


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


def state(name: str, seq: int = 1) -> StateMessage:
    return structs.replace(builders.state_message("test", 0.0, StreamState(name)), seq=seq)


def hello_in_state(name: str = "LISTENING", seq: int = 0, **fields: Any) -> HelloMessage:
    return structs.replace(hello("test"), state=StreamState(name), seq=seq, **fields)


def health(gaps: int = 0) -> HealthMessage:
    pipeline = PipelineHealth(9, 0, gaps, 9, 0, 0, 20.0, Percentiles(1, 2, 3))
    return builders.health_message("test", 0.0, pipeline, SourceStatus(), 0)


def changed(message: StateMessage, **fields: Any) -> str:
    """Return the JSON of a message with changed fields, which may be invalid."""
    return json.dumps(json.loads(encode(message)) | fields)


def test_the_snapshot_shows_the_hello_and_then_estimates(analyzer: FakeAnalyzer, feed: AnalyzerFeed) -> None:
    hello = feed.wait_for(lambda snapshot: snapshot.hello is not None, PATIENCE_SECONDS)
    assert (hello.connected, hello.state, stable_label_of(hello)) == (True, StreamState.WARMING_UP, None)
    analyzer.estimate("jazz", 0.8, stable_label="rock")
    received = feed.wait_for(lambda snapshot: snapshot.estimate is not None, PATIENCE_SECONDS)
    assert (received.state, stable_label_of(received), received.source) == (
        StreamState.LISTENING,
        "rock",
        "Test microphone",
    )


def test_a_program_sends_no_origin(analyzer: FakeAnalyzer, feed: AnalyzerFeed) -> None:
    """The analyzer rejects unknown origins, since a page of any site could send a request."""
    assert feed.url == analyzer.url
    assert analyzer.origins == [None]


def test_every_estimate_is_kept_for_a_late_reader(analyzer: FakeAnalyzer, feed: AnalyzerFeed) -> None:
    for genre in ("jazz", "pop", "rock"):
        analyzer.estimate(genre)
        feed.wait_for(lambda snapshot, genre=genre: stable_label_of(snapshot) == genre, PATIENCE_SECONDS)  # type: ignore[misc]
    received = feed.estimates_after(0)
    assert [each.estimate.label for each in received] == ["jazz", "pop", "rock"]
    assert feed.estimates_after(received[1].number) == received[2:]


def test_the_feed_reconnects_to_a_restarted_analyzer(analyzer: FakeAnalyzer, feed: AnalyzerFeed) -> None:
    analyzer.estimate("jazz")
    feed.wait_for(lambda snapshot: stable_label_of(snapshot) == "jazz", PATIENCE_SECONDS)
    analyzer.stop()
    away = feed.wait_for(lambda snapshot: not snapshot.connected, PATIENCE_SECONDS)
    assert stable_label_of(away) == "jazz", "the last genre must stay"
    with FakeAnalyzer(analyzer.port, source="the second") as second:
        second.wait_for_clients(1)
        feed.wait_for(lambda snapshot: snapshot.source == "the second", PATIENCE_SECONDS)
        second.estimate("pop")
        back = feed.wait_for(lambda snapshot: stable_label_of(snapshot) == "pop", PATIENCE_SECONDS)
        assert back.state is StreamState.LISTENING, "the numbers of messages start again after a restart"


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
        changed(state("SILENT"), state="DANCING"),
        changed(state("SILENT"), version=1),
        changed(state("SILENT"), version=3),
        changed(state("SILENT"), seq=-1),
        changed(state("SILENT"), code="dancing"),
    ],
)
def test_malformed_messages_are_ignored(analyzer: FakeAnalyzer, feed: AnalyzerFeed, text: str) -> None:
    analyzer.send_raw(text)
    analyzer.estimate("metal")
    snapshot = feed.wait_for(lambda snapshot: stable_label_of(snapshot) == "metal", PATIENCE_SECONDS)
    assert snapshot.state is StreamState.LISTENING
    assert analyzer.origins == [None], "the feed connected again"
    assert parse_message(text) is None


def test_the_newest_state_wins_in_any_order_of_arrival() -> None:
    """The server queues each type of message by itself, so the types may arrive out of order."""
    ended = apply_message(Snapshot(), state("ENDED", 10))
    late = apply_message(ended, estimate("rock", 9, "test"))
    assert (late.state, stable_label_of(late)) == (StreamState.ENDED, "rock")
    newer = apply_message(late, state("SILENT", 12))
    assert newer.state is StreamState.SILENT
    assert apply_message(newer, hello_in_state()).state is StreamState.LISTENING
    spectrum = structs.replace(spectrum_message(1.0, "test"), seq=13)
    assert apply_message(newer, spectrum).state is StreamState.SILENT


def test_snapshots_do_not_change_under_a_reader() -> None:
    before = Snapshot()
    after = apply_message(before, health(gaps=3))
    assert before == Snapshot()
    assert after.health is not None


def test_the_token_goes_as_a_header_and_the_version_as_a_protocol() -> None:
    with FakeAnalyzer() as fake:
        feed = AnalyzerFeed(fake.url, token=TOKEN)
        fake.wait_for_clients(1)
        feed.close()
        (headers,) = fake.headers
    assert headers.get_all("Authorization") == [BEARER["Authorization"]]
    assert headers.get_all("Sec-WebSocket-Protocol") == ["overheard.2"]


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
    received = feed.wait_for(lambda snapshot: snapshot.title == "So What", PATIENCE_SECONDS)
    assert (received.source, stable_label_of(received), received.state) == (
        first,
        "jazz",
        StreamState.LISTENING,
    )
    analyzer.send("title", title="")
    feed.wait_for(lambda snapshot: not snapshot.title, PATIENCE_SECONDS)


MIC = AvailableSource(name="mic", selected=True, level_dbfs=None, error="")


def test_the_source_that_replaces_the_followed_one_is_followed(
    analyzer: FakeAnalyzer, feed: AnalyzerFeed
) -> None:
    first = analyzer.source
    analyzer.estimate("jazz")
    analyzer.send("title", title="So What")
    analyzer.source = "another"
    analyzer.hello(replaces_source="a third")
    analyzer.estimate("metal")
    analyzer.source = "microphone"
    analyzer.hello(replaces_source=first)
    analyzer.estimate("pop")
    analyzer.source = first
    analyzer.send("state", state="FAILED", detail="the ended source is ignored")
    analyzer.source = "microphone"
    analyzer.send("title", title="the last word")
    now = feed.wait_for(lambda snapshot: snapshot.title == "the last word", PATIENCE_SECONDS)
    assert (now.source, stable_label_of(now), now.state) == ("microphone", "pop", StreamState.LISTENING)
    assert [received.estimate.label for received in feed.estimates_after(0)] == ["jazz", "pop"]


def test_a_new_source_shows_nothing_of_the_old_one() -> None:
    old = Snapshot(source="radio", title="So What", health=health())
    hello = hello_in_state("CONNECTING", replaces_source="radio")
    new = apply_message(old, hello)
    assert (new.source, new.title, new.estimate, new.health) == ("test", "", None, None)
    again = apply_message(replace(old, source="test"), hello)
    assert again.health is not None, "a restart of the same source must keep its health"


def test_the_list_of_sources_is_kept_until_the_connection_is_lost(
    analyzer: FakeAnalyzer, feed: AnalyzerFeed
) -> None:
    sources = builders.sources_message([MIC], False, 0.0)
    analyzer.send_raw(encode(sources))
    analyzer.respond({"id": "1"}, detail="not ours")
    known = feed.wait_for(lambda snapshot: snapshot.sources is not None, PATIENCE_SECONDS)
    assert (known.sources, known.source) == (sources, analyzer.source)
    analyzer.stop()
    feed.wait_for(lambda snapshot: not snapshot.connected and snapshot.sources is None, PATIENCE_SECONDS)


def test_the_real_server_sends_the_list_of_sources() -> None:
    class Controller:
        async def control(self, control: SourceControl) -> Outcome:
            raise AssertionError("the feed controls nothing")

        def sources_message(self) -> SourcesMessage:
            return builders.sources_message([MIC], False, 1.0)

    async def scenario(server: EstimateServer, url: str) -> None:
        feed = AnalyzerFeed(url, token=TOKEN)
        known = await asyncio.to_thread(feed.wait_for, lambda s: s.sources is not None, PATIENCE_SECONDS)
        assert known.sources is not None
        assert known.sources.available == [MIC]
        server.broadcaster.replace("fake", hello("radio"))
        server.broadcaster.publish(estimate("pop", 1, "radio"))
        now = await asyncio.to_thread(feed.wait_for, lambda s: stable_label_of(s) == "pop", PATIENCE_SECONDS)
        assert now.source == "radio"
        await asyncio.to_thread(feed.close)

    serve(scenario, controller=Controller(), token=TOKEN)


def test_a_hello_has_the_title() -> None:
    before = replace(Snapshot(), title="old", artist="old", song="old")
    after = apply_message(
        before, hello_in_state(seq=3, title="Davis - So What", artist="Davis", song="So What")
    )
    assert (after.title, after.artist, after.song) == ("Davis - So What", "Davis", "So What")
    after = apply_message(before, hello_in_state(seq=3))
    assert (after.title, after.artist, after.song) == ("", "", ""), "the old title must go"


def test_a_title_has_its_parts_if_they_are_known() -> None:
    title = builders.title_message("test", 0.0, "Davis - So What", "Davis", "So What")
    after = apply_message(Snapshot(), title)
    assert (after.title, after.artist, after.song) == ("Davis - So What", "Davis", "So What")
    after = apply_message(after, builders.title_message("test", 1.0, "News"))
    assert (after.title, after.artist, after.song) == ("News", "", ""), "the old parts must go"


def test_a_rejection_is_logged_once_without_the_token(caplog: pytest.LogCaptureFixture) -> None:
    """The real server has another token, and the feed keeps retrying."""
    caplog.set_level(logging.DEBUG)
    for name in ("asyncio", "concurrent"):
        caplog.set_level(logging.WARNING, logger=name)

    async def scenario(_server: EstimateServer, url: str) -> None:
        feed = AnalyzerFeed(url, token="wrong-" + TOKEN, jitter=lambda: 0.0)
        text = ""
        async with asyncio.timeout(20):
            while 'reason="token"} 2' not in text:
                _, _, text = await asyncio.to_thread(http_get, url + "/metrics", BEARER)
        await asyncio.to_thread(feed.close)
        assert not feed.snapshot.connected

    serve(scenario, token=TOKEN)
    records = [record for record in caplog.records if record.name == "dashboard.analyzer.feed"]
    warnings = [record.getMessage() for record in records if record.levelno >= logging.WARNING]
    assert len(warnings) == 2
    assert "rejects the connection: 401 this analyzer requires its token" in warnings[0]
    assert "set OVERHEARD_TOKEN" in warnings[1]
    assert TOKEN not in caplog.text


def test_the_real_server_accepts_the_token_of_the_feed() -> None:
    async def scenario(server: EstimateServer, url: str) -> None:
        feed = AnalyzerFeed(url, token=TOKEN)
        await wait_for_clients(server, 1)
        server.broadcaster.publish(estimate("rock", 1, "system"))
        server.broadcaster.publish(estimate("jazz", 1, "mic"))
        known = await asyncio.to_thread(feed.wait_for, lambda s: s.estimate is not None, PATIENCE_SECONDS)
        assert (known.source, stable_label_of(known)) == ("mic", "jazz")
        await asyncio.to_thread(feed.close)

    serve(scenario, sources=("mic", "system"), token=TOKEN)


def test_closing_ends_the_thread_without_an_analyzer() -> None:
    with FakeAnalyzer() as fake:
        url = fake.url
    feed = AnalyzerFeed(url)
    feed.close()
    assert not feed.snapshot.connected
    with pytest.raises(TimeoutError, match="connected=False"):
        feed.wait_for(lambda snapshot: snapshot.connected, 0.01)
