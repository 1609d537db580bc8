"""Open audio sources by their description, and name the sources that clients may select.

A client never sends a description. It selects the name of a ``SourceOption``. The descriptions, which may
contain a path or an address with a password, stay in this process.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from models.common.text import replace_surrogates, shorten
from models.common.urls import is_url, redact_url
from realtime.audio.source import AudioSource
from realtime.clock import Clock
from realtime.config import SourceSettings
from realtime.errors import SourceError
from realtime.sources.file import FileSource, open_demo
from realtime.sources.playlist import read_playlist, resolve_file_url
from realtime.sources.watchdog import ReconnectPolicy

if TYPE_CHECKING:
    from realtime.capture import LiveSource

logger = logging.getLogger(__name__)

MAX_NAME_LETTERS = 120
"""Maximum length of an option's name. A request with the name must fit into one small message."""

STREAM_REOPEN_SECONDS = 9.0
"""Seconds without audio after which a stream counts as lost.

The value is above the stream's own timeout of 8 s, whose message is more specific. HLS segments arrive in
bursts.
"""

DEVICE_NAMES = {"system": "system audio", "mic": "microphone"}
"""Kinds of captured sources, by the first word of their description."""


@dataclass(frozen=True, slots=True)
class SourceOption:
    """Source that clients may select.

    Attributes
    ----------
    name : str
        Name for clients.
    description : str
        Description for ``open_source``.
    """

    name: str
    description: str


def available_sources(descriptions: Iterable[str]) -> tuple[SourceOption, ...]:
    """Create an option for each description. Names of options contain no folders, passwords or queries.

    Raises
    ------
    SourceError
        If two options have the same name, or if an address is invalid.
    """
    options = [SourceOption(_public_name(each), each) for each in dict.fromkeys(descriptions)]
    names = [option.name for option in options]
    for name in names:
        if names.count(name) > 1:
            raise SourceError(f"two sources are called {name}; name each source once")
    return tuple(options)


def _public_name(description: str) -> str:
    kind, _, wanted = description.partition(":")
    if is_url(description):
        try:
            name = redact_url(description)
        except ValueError as error:
            raise SourceError(f"the network address is not valid: {type(error).__name__}") from None
    elif description in ("auto", "demo") or (kind in DEVICE_NAMES and (wanted or description == kind)):
        name = description
    else:
        name = Path(resolve_file_url(description)).name or description
    # Names are cleaned here, because clients send the names that they received back.
    return shorten(replace_surrogates(name, "replace"), MAX_NAME_LETTERS)


def open_option(
    option: SourceOption, settings: SourceSettings, clock: Clock
) -> tuple[SourceOption, AudioSource]:
    """Open the source of an option.

    Returns
    -------
    SourceOption
        The same option, or the option that ``auto`` stands for.
    AudioSource

    Raises
    ------
    SourceError
        If the source does not open.
    """
    if option.description != "auto":
        return option, open_source(
            option.description,
            settings.speed,
            clock,
            follow_default=settings.follow_default,
            give_up_seconds=settings.reconnect_timeout_seconds,
            now_playing=settings.now_playing,
        )
    policy = ReconnectPolicy(give_up_seconds=settings.reconnect_timeout_seconds or math.inf)
    kind, source = _open_auto(
        settings.speed, clock, policy, follow=settings.follow_default, now_playing=settings.now_playing
    )
    return SourceOption(kind, kind), source


def open_source(
    description: str,
    speed: float,
    clock: Clock,
    *,
    follow_default: bool = False,
    give_up_seconds: float = 0.0,
    now_playing: bool = False,
) -> AudioSource:
    """Open a source. Devices and stations are reopened whenever they are lost.

    Parameters
    ----------
    description : str
        ``auto`` (system audio, else a microphone, else the demonstration), ``system``, ``system:NAME`` (an
        output or an application), ``mic``, ``mic:NAME``, ``demo``, a path or a URL. The first entry of a
        playlist that opens is played.
    speed : float
        Speed of files and of the demonstration. Captured audio has its own pace.
    clock : Clock
    follow_default : bool
        Switch to the new device when the system's default changes, for ``auto``, ``system`` and ``mic``.
    give_up_seconds : float
        Time after which a lost device or station has failed. 0 means never.
    now_playing : bool
        Report the songs of media players as titles, if the source is system audio.

    Raises
    ------
    SourceError
        If the source does not open. No other source is opened instead.
    """
    kind, _, wanted = description.partition(":")
    policy = ReconnectPolicy(give_up_seconds=give_up_seconds or math.inf)
    if description == "auto":
        return _open_auto(speed, clock, policy, follow=follow_default, now_playing=now_playing)[1]
    if description == "demo":
        return open_demo(speed, clock)
    if kind in DEVICE_NAMES and (wanted or description == kind):
        return _open_device(kind, wanted, clock, policy, follow=follow_default, now_playing=now_playing)
    if not description.strip():
        raise SourceError(
            "the source is empty; name auto, system, system:NAME, mic, mic:NAME, demo, a path or a URL"
        )
    location = resolve_file_url(description)
    entries = read_playlist(location)
    if not entries:
        return _open_location(location, speed, clock, policy)
    first_error: SourceError | None = None
    for entry in entries:
        try:
            return _open_location(entry, speed, clock, policy, name=Path(location).name)
        except SourceError as error:
            first_error = first_error or error
    raise SourceError(f"nothing in {location} can be played: {first_error}")


def _open_location(
    location: str, speed: float, clock: Clock, policy: ReconnectPolicy, *, name: str = ""
) -> AudioSource:
    """Open a path or a URL. By default the source has the name of the location."""
    if is_url(location) and speed:
        return _open_stream(location, clock, policy, name)
    return FileSource(location, clock, speed=speed, name=name)


def _open_device(
    kind: str,
    wanted: str,
    clock: Clock,
    policy: ReconnectPolicy,
    *,
    auto: bool = False,
    follow: bool,
    now_playing: bool,
) -> AudioSource:
    """Open a device. Without ``follow`` the same device is used even if the default changes."""
    # Here, because a start with a file or the demo needs neither devices nor reconnection.
    from realtime.capture import platform
    from realtime.sources.reconnecting import ReconnectingSource

    follow = follow and not wanted
    device_name = wanted
    use_server = platform.has_sound_server()

    def open_again() -> LiveSource:
        nonlocal device_name
        if kind == "mic":
            source = platform.open_microphone(device_name, clock, use_server=use_server, follow=follow)
        else:
            source = platform.open_system(device_name, clock, auto=auto, follow=follow)
        if not follow:
            device_name = source.status().device  # a part of the name could match another device later
        return source

    name = DEVICE_NAMES[kind] if follow else ""
    source = ReconnectingSource(open_again, clock, name=name, policy=policy)
    return _add_titles(source) if now_playing and kind == "system" else source


def _add_titles(source: AudioSource) -> AudioSource:
    """Add the titles of media players to system audio, or to an application those of its own player."""
    from realtime.capture.pactl import APPLICATION_PREFIX
    from realtime.now_playing import watch_songs
    from realtime.sources.titled import TitledSource

    device = source.status().device
    is_application = device.startswith(APPLICATION_PREFIX)
    return TitledSource(
        source, watch_songs(device.removeprefix(APPLICATION_PREFIX) if is_application else "")
    )


def _open_stream(url: str, clock: Clock, policy: ReconnectPolicy, name: str) -> AudioSource:
    from realtime.network import StreamSource
    from realtime.sources.reconnecting import ReconnectingSource

    policy = replace(policy, reopen_seconds=STREAM_REOPEN_SECONDS)
    return ReconnectingSource(lambda: StreamSource(url, clock), clock, name=name, policy=policy)


def _open_auto(
    speed: float, clock: Clock, policy: ReconnectPolicy, *, follow: bool, now_playing: bool
) -> tuple[str, AudioSource]:
    """Open system audio, else a microphone, else the demonstration. The reasons are logged."""
    from realtime.capture.pactl import SoundServerHangsError

    for kind, device_name in DEVICE_NAMES.items():
        try:
            return kind, _open_device(
                kind, "", clock, policy, auto=True, follow=follow, now_playing=now_playing
            )
        except SourceError as error:
            logger.info("no %s: %s", device_name, error)
            if isinstance(error, SoundServerHangsError):
                break  # the next request would wait for as long
    logger.info("playing the bundled demonstration instead; --source selects another source")
    return "demo", open_demo(speed, clock)
