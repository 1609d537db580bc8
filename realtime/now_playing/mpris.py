"""Media players on Linux: MPRIS 2 on the session bus.

Players report changes by signals, so nothing is polled. Requests never wait for their replies, so a player
that hangs delays no other player. https://specifications.freedesktop.org/mpris-spec/latest/
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from jeepney import DBusAddress, HeaderFields, MatchRule, Message, MessageType, Properties
from jeepney.bus_messages import message_bus

from realtime.now_playing.players import Player, Song, clean_song
from realtime.now_playing.session_bus import SessionBus

PREFIX = "org.mpris.MediaPlayer2."
PATH = "/org/mpris/MediaPlayer2"
ROOT, PLAYER = "org.mpris.MediaPlayer2", "org.mpris.MediaPlayer2.Player"

BUS = "org.freedesktop.DBus"
"""Sender of the bus's own messages."""

PROXY = PREFIX + "playerctld"
"""Name of a program that repeats what other players report."""

MAX_PLAYERS = 64
"""Players that are watched. A desktop has a handful."""

Variants = Mapping[str, tuple[str, Any]]
"""Properties as D-Bus sends them: signature and value, by name."""


@dataclass(slots=True)
class _Player:
    """Player by its connection, which may own several names."""

    names: set[str] = field(default_factory=set)
    identity: set[str] = field(default_factory=set)
    properties: dict[str, tuple[str, Any]] = field(default_factory=dict)
    song: Song | None = None
    changed: int = 0
    request: int = 0


class MprisPlayers:
    """Players of a session bus, as the bus's messages describe them.

    Parameters
    ----------
    send : callable
        Sends a message and returns its serial number.
    """

    def __init__(self, send: Callable[[Message], int]) -> None:
        self._send = send
        self._players: dict[str, _Player] = {}  # by unique name
        self._replies: dict[int, Callable[[Any], None]] = {}  # by the request's serial number
        self._changes = 0

    def start(self) -> None:
        """Send the first requests of a connection."""
        self._send(message_bus.Hello())
        changes = MatchRule(
            type="signal", interface="org.freedesktop.DBus.Properties", member="PropertiesChanged", path=PATH
        )
        changes.add_arg_condition(0, PLAYER)
        names = MatchRule(type="signal", sender=BUS, member="NameOwnerChanged")
        names.add_arg_condition(0, ROOT, kind="namespace")
        for rule in (changes, names):
            self._send(message_bus.AddMatch(rule))
        self._ask(message_bus.ListNames(), self._add_names)

    def players(self) -> tuple[Player, ...]:
        """Return the present players."""
        return tuple(
            Player((*each.identity, *map(_short_name, each.names)), each.song, each.changed)
            for each in self._players.values()
        )

    def handle(self, message: Message) -> None:
        """Process a message of the bus."""
        # The bus delivers what a client sends to this connection even if no rule matches, so all is checked.
        fields = message.header.fields
        sender, signature = fields.get(HeaderFields.sender), fields.get(HeaderFields.signature)
        if message.header.message_type is MessageType.signal:
            form = (fields.get(HeaderFields.member), signature)
            if sender == BUS and form == ("NameOwnerChanged", "sss"):
                self._change_owner(*message.body)
            elif sender in self._players and form == ("PropertiesChanged", "sa{sv}as"):
                self._change_properties(sender, *message.body)
            return
        handle = self._replies.pop(fields.get(HeaderFields.reply_serial, 0), None)
        answered = message.header.message_type is MessageType.method_return
        if handle is not None and answered and signature in ("as", "s", "a{sv}"):
            handle(message.body[0])

    def _ask(self, request: Message, handle: Callable[[Any], None]) -> int:
        serial = self._send(request)
        self._replies[serial] = handle
        return serial

    def _add_names(self, names: list[str]) -> None:
        for name in names:
            if name.startswith(PREFIX) and len(self._replies) < MAX_PLAYERS:
                self._ask(message_bus.GetNameOwner(name), partial(self._add, name))

    def _add(self, name: str, owner: str) -> None:
        if name == PROXY or (owner not in self._players and len(self._players) >= MAX_PLAYERS):
            return
        player = self._players.setdefault(owner, _Player())
        player.names.add(name)
        if len(player.names) == 1:
            self._ask(Properties(DBusAddress(PATH, owner, ROOT)).get_all(), partial(self._identify, owner))
            self._ask_properties(owner)

    def _ask_properties(self, owner: str) -> None:
        """Ask a player for its properties, unless an earlier request is still open."""
        player = self._players[owner]
        if player.request not in self._replies:
            request = Properties(DBusAddress(PATH, owner, PLAYER)).get_all()
            player.request = self._ask(request, partial(self._update, owner))

    def _identify(self, owner: str, properties: Variants) -> None:
        if owner in self._players and isinstance(properties, dict):
            texts = (_value(properties, name, "s") for name in ("Identity", "DesktopEntry"))
            self._players[owner].identity = {text for text in texts if text}

    def _change_owner(self, name: str, old: str, new: str) -> None:
        if old in self._players:
            self._players[old].names.discard(name)
            if not self._players[old].names:
                del self._players[old]
        if new:
            self._add(name, new)

    def _change_properties(
        self, owner: str, interface: str, changed: Variants, invalidated: list[str]
    ) -> None:
        if interface != PLAYER:
            return
        self._update(owner, changed)
        if not {"Metadata", "PlaybackStatus"}.isdisjoint(invalidated):
            self._ask_properties(owner)

    def _update(self, owner: str, properties: Variants) -> None:
        player = self._players.get(owner)
        if player is None or not isinstance(properties, dict):
            return
        player.properties |= {
            name: properties[name] for name in ("Metadata", "PlaybackStatus") if name in properties
        }
        song = parse_song(player.properties)
        if song != player.song:
            self._changes += 1
            player.song, player.changed = song, self._changes


def parse_song(properties: Variants) -> Song | None:
    """Parse the song in properties of a player, of which any may be missing or have a wrong type.

    Returns
    -------
    Song or None
        None unless the player plays, and names its song.
    """
    if _value(properties, "PlaybackStatus", "s") != "Playing":
        return None
    metadata = _value(properties, "Metadata", "a{sv}") or {}
    artist = _value(metadata, "xesam:artist", "s")  # some players send a text instead of a list
    artists = [artist] if artist else _value(metadata, "xesam:artist", "as") or []
    return clean_song(_value(metadata, "xesam:title", "s") or "", artists)


def _value(properties: Variants, name: str, signature: str) -> Any:
    """Return the value of a property, or None if it is missing or has another type."""
    found, value = properties.get(name, ("", None))
    return value if found == signature else None


def _short_name(name: str) -> str:
    """Return the part of a bus name that names the program, without the number of its instance."""
    return name.removeprefix(PREFIX).partition(".")[0]


def watch(report: Callable[[tuple[Player, ...]], None], closed: threading.Event) -> None:
    """Report the players after each change, until ``closed`` is set.

    Raises
    ------
    OSError
        If there is no session bus, or if the connection to the bus is lost.
    """
    with SessionBus() as bus:
        players = MprisPlayers(bus.send)
        players.start()
        for messages in bus.receive(closed):
            for message in messages:
                players.handle(message)
            report(players.players())
