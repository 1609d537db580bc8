"""Client id, client secret, access tokens and the key appear only in the requests that need them.

``pytest -s`` prints how much was searched.
"""

from __future__ import annotations

import base64
import gc
import json
import logging
import pickle
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from dashboard.i18n.languages import LANGUAGES
from dashboard.recommendations.domain.tracks import TrackQuery
from dashboard.recommendations.engine.feedback import FeedbackStore, default_feedback_path
from dashboard.recommendations.engine.playlist import Filters
from dashboard.recommendations.engine.rolling_playlist import RollingPlaylist
from dashboard.recommendations.providers.registry import ProviderGroup
from dashboard.recommendations.providers.youtube.client import YouTubeProvider
from dashboard.recommendations.service import RecommendationService
from tests.support.cli import run_command
from tests.support.services.all import Services, finish_searches, minute_of, page_data, running
from tests.support.services.faulty_http import EVERYWHERE
from tests.support.services.spotify import HTML, Fault, error_response
from tests.support.services.spotify_searches import CLIENT_ID, CLIENT_SECRET, SEARCH, TOKEN
from tests.support.services.youtube import GOOD_KEY

BASIC = base64.b64encode(f"{CLIENT_ID}:{CLIENT_SECRET}".encode()).decode()
SECRETS = (CLIENT_ID, CLIENT_SECRET, BASIC, "test-access-token", GOOD_KEY)
"""Prefix of the fake service's tokens."""

ECHO = f"{CLIENT_SECRET} test-access-token-0 {GOOD_KEY} {BASIC}"
"""Secrets that a server might write into its errors."""

SPOTIFY_FAULTS = (
    None, error_response(400, ECHO), error_response(401, ECHO), error_response(403, ECHO),
    error_response(429, ECHO, Retry_After="5"),
    error_response(500, ECHO), Fault(200, HTML, "text/html"), Fault(200, f'{{"error":"{ECHO}"}}'.encode()),
    Fault(302, headers=(("Location", f"/v1/{CLIENT_SECRET}"),)), Fault(manner="close"),
    Fault(200, b'{"tracks":', manner="cut"),
)  # fmt: skip
YOUTUBE_FAULTS = (
    "", "400", "401", "403", "429", "500", "html", "cut", "redirect", "array", "deep",
    json.dumps({"error": {"code": 400, "message": ECHO, "errors": [{"reason": ECHO}]}}),
    "400 " + json.dumps({"error": {"code": 400, "message": ECHO, "errors": [{"reason": ECHO}]}}),
)  # fmt: skip
LOGGERS = ("spotipy", "spotipy.client", "spotipy.oauth2", "urllib3", "requests", "dashboard")


@pytest.fixture
def services(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Services]:
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")  # where spotipy's usual cache would be
    with running(tmp_path) as started:
        yield started


class Searched:
    """Texts that were searched, by kind, and the secrets found in them."""

    def __init__(self) -> None:
        self.count: dict[str, int] = {}
        self.size = 0
        self.found: list[str] = []

    def look(self, kind: str, *texts: str) -> None:
        for text in texts:
            self.count[kind] = self.count.get(kind, 0) + 1
            self.size += len(text)
            self.found += [f"{kind}: {secret}" for secret in SECRETS if secret in text]


def representations(root: object) -> list[str]:
    """Return ``repr`` and attributes of a dashboard object and of all objects that it holds."""
    pending, seen, texts = [root], set[int](), []
    while pending:
        one = pending.pop()
        if id(one) in seen or isinstance(one, type):
            continue
        seen.add(id(one))
        if type(one).__module__.startswith("dashboard"):
            texts += [repr(one), str(one), repr(getattr(one, "__dict__", ""))]
        if type(one).__module__.startswith("dashboard") or isinstance(one, dict | list | tuple):
            pending += gc.get_referents(one)
    return texts


def follow(services: Services, choices: FeedbackStore, searched: Searched) -> None:
    """Search page data, objects and responses for secrets under every fault."""
    faults = [(spotify, "") for spotify in SPOTIFY_FAULTS] + [(None, fault) for fault in YOUTUBE_FAULTS]
    for number, (of_spotify, of_youtube) in enumerate(faults):
        services.repair()
        if of_spotify is not None:
            services.spotify.faults[SEARCH if number % 2 else TOKEN] = of_spotify
            services.spotify.valid.clear()
        if of_youtube:
            services.youtube.faults[EVERYWHERE] = of_youtube
        fresh = RecommendationService(services.providers(), RollingPlaylist(feedback=choices), services.clock)
        filters = Filters(list(LANGUAGES)[number % 5])
        fresh.update(minute_of("jazz"), filters)
        playlist = finish_searches(fresh, filters)
        data = page_data(
            playlist, fresh.reports, services.clock, fresh.rolling_playlist.feedback.list_artists()
        )
        searched.look("page", json.dumps(data, ensure_ascii=False))
        searched.look("playlist", repr(playlist))
        searched.look("reprs", *representations(fresh))
        for row in playlist.items[:1]:
            fresh.apply("like", row.key)
        services.clock.move(90_000)  # YouTube's next day


def raised(providers: ProviderGroup) -> list[str]:
    """Return tracebacks, as a page or a terminal would show them, of calls that raise."""
    texts = []
    key_with_a_gap = GOOD_KEY + " x"
    for call in (
        lambda: pickle.dumps(providers),
        lambda: providers.search(None),  # type: ignore[arg-type]  # a mistake of the caller's
        lambda: YouTubeProvider(key_with_a_gap, None, None),  # type: ignore[arg-type]
        lambda: providers._live[0]._provider.search(TrackQuery("jazz"), "soon"),  # type: ignore[arg-type]
        lambda: providers._live[1]._provider.search(TrackQuery("pop"), "soon"),  # type: ignore[arg-type]
    ):
        with pytest.raises(Exception, match=r".") as caught:
            call()
        texts.append("".join(traceback.format_exception(caught.value)))
    return texts


def test_no_secret_appears_anywhere(
    services: Services,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    """No log record, page, command output or file holds a secret.

    spotipy's debug records hold the credentials, and its error records hold the server's text. Its default
    cache is a file in the current folder.
    """
    for name in (None, *LOGGERS):
        caplog.set_level(logging.DEBUG, name)
    searched = Searched()
    follow(services, FeedbackStore(default_feedback_path()), searched)
    services.repair()
    providers = services.providers()
    searched.look("reprs", *representations(providers), repr(providers.search(TrackQuery("rock"))))
    searched.look("tracebacks", *raised(providers))
    for number, argv in enumerate((("--json",), (), ())):
        if number == 2:
            services.spotify.faults[TOKEN] = error_response(400, ECHO)
            services.youtube.faults[EVERYWHERE] = "401"
        done = run_command("recommend", "--genre", "jazz", *argv, environment=services.environment)
        assert done.returncode == 0
        searched.look("command", done.stdout, done.stderr)
    for record in caplog.records:
        trace: Any = "".join(traceback.format_exception(*record.exc_info)) if record.exc_info else ""
        searched.look("log", f"{record.getMessage()} {record.args!r} {trace}")
    searched.look("terminal", *capfd.readouterr())
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    searched.look("files", *(path.read_bytes().decode("latin-1") for path in files), *map(str, files))
    with capfd.disabled():
        print(f"\nsearched for {len(SECRETS)} secrets in {searched.count}, {searched.size} letters: "
              f"{len(searched.found)} hits")  # fmt: skip
    assert searched.found == []
    assert {"youtube-budget.sqlite", "choices.json"} == {path.name for path in files}
    assert {"urllib3", "dashboard"} <= {record.name.partition(".")[0] for record in caplog.records}
    assert all(kind in searched.count for kind in ("page", "reprs", "tracebacks", "command", "log", "files"))
    # They did travel, in headers alone.
    assert services.spotify.tokens
    assert all(asked.headers.get("X-Goog-Api-Key") == GOOD_KEY for asked in services.youtube.asked)
    sent = [asked.raw for asked in services.youtube.asked] + [str(each) for each in services.spotify.requests]
    assert not [text for text in sent if any(secret in text for secret in SECRETS)]


def test_the_search_for_secrets_finds_one() -> None:
    class Careless:
        __module__ = "dashboard.careless"

        def __init__(self) -> None:
            self.inner = [{"key": GOOD_KEY}]

    searched = Searched()
    searched.look("reprs", *representations(Careless()))
    assert searched.found
