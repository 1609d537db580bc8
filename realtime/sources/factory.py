"""Open audio sources by their description, and name the sources that clients may choose.

A client never sends a description. It chooses among the names of ``SourceOption``. The descriptions, which
may hold a path or an address with a password, stay in this process.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from models.common.text import shorten, storable
from models.common.urls import is_url, redact_url
from realtime.audio.source import AudioSource
from realtime.capture.live_source import LiveSource
from realtime.clock import Clock
from realtime.config import SourceSettings
from realtime.errors import SourceError
from realtime.sources.file import FileSource, demo_source
from realtime.sources.reconnecting import ReconnectingSource
from realtime.sources.watchdog import ReconnectPolicy

logger = logging.getLogger(__name__)

LONGEST_NAME = 120
"""Characters of an offered name: a control that holds it must fit into one small message."""

KINDS = {"system": "system audio", "mic": "microphone"}


@dataclass(frozen=True, slots=True)
class SourceOption:
    """A source that clients may choose: ``name`` for them, ``description`` as ``open_source`` takes it."""

    name: str
    description: str


def available_sources(descriptions: Iterable[str]) -> tuple[SourceOption, ...]:
    """Each description once, with a name that tells nothing of folders, passwords and queries.

    Raises
    ------
    SourceError
        Two have one name, by which clients tell them apart, or an address is none.
    """
    made = [SourceOption(_public_name(each), each) for each in dict.fromkeys(descriptions)]
    names = [offer.name for offer in made]
    for name in names:
        if names.count(name) > 1:
            raise SourceError(f"two sources are called {name}; name each once")
    return tuple(made)


def _public_name(description: str) -> str:
    kind, _, wanted = description.partition(":")
    if is_url(description):
        try:
            name = redact_url(description)
        except ValueError as error:
            raise SourceError(f"the network address is not valid: {type(error).__name__}") from None
    elif description in ("auto", "demo") or (kind in KINDS and (wanted or description == kind)):
        name = description
    else:
        name = Path(description).name or description
    # As the server sends it: otherwise no client could send the name back.
    return shorten(storable(name, "replace"), LONGEST_NAME)


def open_option(
    offer: SourceOption, settings: SourceSettings, clock: Clock
) -> tuple[SourceOption, AudioSource]:
    """Open an offered source; ``auto`` comes with the offer of what it has come to.

    Raises
    ------
    SourceError
        It cannot be opened.
    """
    if offer.description != "auto":
        return offer, open_source(
            offer.description,
            settings.speed,
            clock,
            follow_default=settings.follow_default,
            give_up_seconds=settings.reconnect_timeout_seconds,
        )
    policy = ReconnectPolicy(give_up_seconds=settings.reconnect_timeout_seconds or math.inf)
    kind, source = _open_auto(settings.speed, clock, policy, settings.follow_default)
    return SourceOption(kind, kind), source


def open_source(
    description: str,
    speed: float,
    clock: Clock,
    *,
    follow_default: bool = False,
    give_up_seconds: float = 0.0,
) -> AudioSource:
    """Open what a person asked for; a device or a station is opened again whenever it is lost.

    Parameters
    ----------
    description : str
        ``auto`` (system audio, else a microphone, else the demonstration), ``system``, ``system:NAME`` (of
        an output or an application), ``mic``, ``mic:NAME``, ``demo``, a path or a URL.
    speed : float
        Of files and the demonstration; captured sound has its own.
    follow_default : bool
        Of ``auto``, ``system`` and ``mic``: move with the system's default device.
    give_up_seconds : float
        How long a lost device or station is waited for; 0 means for good.

    Raises
    ------
    SourceError
        It cannot be opened; nothing else is opened instead.
    """
    kind, _, wanted = description.partition(":")
    policy = ReconnectPolicy(give_up_seconds=give_up_seconds or math.inf)
    if description == "auto":
        return _open_auto(speed, clock, policy, follow_default)[1]
    if description == "demo":
        return demo_source(speed, clock)
    if kind in KINDS and (wanted or description == kind):
        return _open_device(kind, wanted, clock, policy, follow=follow_default)
    if not description.strip():
        raise SourceError(
            "the source is empty; name auto, system, system:NAME, mic, mic:NAME, demo, a path or a URL"
        )
    if is_url(description) and speed:
        return _open_stream(description, clock, policy)
    return FileSource(description, clock, speed=speed)


def _open_device(
    kind: str, wanted: str, clock: Clock, policy: ReconnectPolicy, *, auto: bool = False, follow: bool
) -> AudioSource:
    """Open a device; without ``follow`` it is the same one for good, whatever the default becomes."""
    from realtime.capture import platform

    follow = follow and not wanted
    present = wanted
    server = platform.has_sound_server()

    def open_again() -> LiveSource:
        nonlocal present
        if kind == "mic":
            source = platform.open_microphone(present, clock, server=server, follow=follow)
        else:
            source = platform.open_system(present, clock, auto=auto, follow=follow)
        if not follow:
            present = source.status().device  # a part of its name could mean another one later
        return source

    return ReconnectingSource(open_again, clock, name=KINDS[kind] if follow else "", policy=policy)


def _open_stream(url: str, clock: Clock, policy: ReconnectPolicy) -> AudioSource:
    from realtime.network.source import StreamSource

    # The stream notices a stall by itself after 8 s, and says more of it; pieces of HLS come in bursts.
    return ReconnectingSource(
        lambda: StreamSource(url, clock), clock, policy=replace(policy, reopen_seconds=9)
    )


def _open_auto(speed: float, clock: Clock, policy: ReconnectPolicy, follow: bool) -> tuple[str, AudioSource]:
    """System audio, else a microphone, else the demonstration, and which it is; the log says why."""
    for kind, words in KINDS.items():
        try:
            return kind, _open_device(kind, "", clock, policy, auto=True, follow=follow)
        except SourceError as error:
            logger.info("no %s: %s", words, error)
    logger.info("playing the bundled demonstration instead; --source names another source")
    return "demo", demo_source(speed, clock)
