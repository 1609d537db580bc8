"""One reader's songs: estimates go in, a session decides, providers are asked in the background."""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Iterable, Mapping
from typing import Any, Protocol

from dashboard.recommendations.engine import Session
from dashboard.recommendations.playlist import Filters, Playlist
from dashboard.recommendations.providers import Answer, Providers
from dashboard.recommendations.tracks import Clock, Status, Track, TrackQuery

logger = logging.getLogger(__name__)

MOST_TRACKS = 2_000
"""Songs of one genre that are kept: more than a day's session asks for."""

FINAL = frozenset({Status.OK, Status.EMPTY, Status.OFF, Status.AUTH, Status.FORBIDDEN, Status.QUOTA})
"""After these a provider would say the same again; after others the question is worth repeating."""


class Estimate(Protocol):
    """What is needed of ``dashboard.feed.Heard``."""

    @property
    def at(self) -> float:
        """Seconds of sound."""
        ...

    @property
    def estimate(self) -> Mapping[str, Any]:
        """The payload of the message."""
        ...


class Follower:
    """A session and its supply of songs; one caller at a time, which never waits for a provider.

    Parameters
    ----------
    providers : Providers
    session : Session
    clock : Clock
    """

    def __init__(self, providers: Providers, session: Session, clock: Clock) -> None:
        self.session = session
        self.calls = 0
        """Requests that were sent in this session."""
        self._providers = providers
        self._clock = clock
        self._pools: dict[str, list[Track]] = {}
        self._answers: queue.SimpleQueue[tuple[TrackQuery, Answer]] = queue.SimpleQueue()
        self._asking: set[TrackQuery] = set()
        self._known: dict[str, set[tuple[str, str]]] = {}
        self._said: dict[str, tuple[str, ...]] = {}
        self._sound_at = float("-inf")
        self._began = clock.monotonic()

    def look(self, heard: Iterable[Estimate], filters: Filters) -> Playlist:
        """Take in what came since the last look; return the list for now."""
        for each in heard:
            self._sound_at = max(self._sound_at, each.at)
            said = each.estimate
            self.session.hear(self._sound_at, said["probabilities"], said["state"])
        if filters != self.session.filters:
            self._said.clear()
        self.session.set_filters(filters)
        self._take_answers()
        for query in self.session.needs(self.now):
            self._ask(query)
        return self.session.offer(self._pools, self.now, self._clock.now().date())

    @property
    def now(self) -> float:
        """Seconds since the session began."""
        return self._clock.monotonic() - self._began

    @property
    def sentences(self) -> tuple[str, ...]:
        """What the providers last said of themselves, for the page."""
        return tuple(dict.fromkeys(said for told in self._said.values() for said in told))

    def act(self, kind: str, key: str) -> None:
        """What the person chose: ``like``, ``pin``, ``skip``, ``ban``; again takes a pin or like back."""
        row = next((row for row in self.session.playlist.rows if row.key == key), None)
        if row is None:
            return  # it has gone meanwhile
        if kind == "like" and not row.liked:
            self.session.like(key)
        elif kind in ("like", "pin"):
            self.session.pin(key, on=kind == "pin" and not row.pinned)
        elif kind == "skip":
            self.session.skip(key)
        elif kind == "ban":
            self.session.ban(key)

    def _ask(self, query: TrackQuery) -> None:
        if self._asking:  # one after the other: together they would take each other's time
            return
        self._asking.add(query)
        threading.Thread(target=self._fetch, args=(query,), name="songs", daemon=True).start()

    def _fetch(self, query: TrackQuery) -> None:
        """Runs on a thread of its own; providers keep their deadline."""
        try:
            self._answers.put((query, self._providers.search(query)))
        except Exception:  # nobody else would hear of it
            logger.exception("the search for songs broke")
            self._answers.put((query, Answer((), {}, frozenset())))

    def _take_answers(self) -> None:
        while not self._answers.empty():
            query, answer = self._answers.get()
            self._asking.discard(query)
            self.calls += answer.calls
            self._said[query.genre] = answer.sentences
            pool, known = self._pools.setdefault(query.genre, []), self._known.setdefault(query.genre, set())
            for track in answer.tracks:
                identity = (track.provider, track.provider_id or track.url)
                if identity not in known and len(pool) < MOST_TRACKS:
                    known.add(identity)
                    pool.append(track)
            if all(each.status in FINAL for each in answer.results.values()):
                self.session.answered(query, len(answer.tracks))
