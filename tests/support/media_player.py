"""Media player that speaks MPRIS 2 on a session bus, as a process that obeys commands.

``python -m tests.support.media_player NAME...`` owns the names ``org.mpris.MediaPlayer2.NAME`` on the bus of
``DBUS_SESSION_BUS_ADDRESS``, and reads one JSON object a line.
"""

from __future__ import annotations

import json
import os
import select
import signal
import sys
from contextlib import suppress
from typing import Any

from jeepney import DBusAddress, HeaderFields, Message, MessageType, new_method_return, new_signal
from jeepney.bus_messages import message_bus
from jeepney.io.blocking import DBusConnection, open_dbus_connection

PATH = "/org/mpris/MediaPlayer2"
PLAYER = "org.mpris.MediaPlayer2.Player"
EMITTER = DBusAddress(PATH, interface="org.freedesktop.DBus.Properties")


class MediaPlayer:
    """Properties of the player, and its answers."""

    def __init__(self, connection: DBusConnection, names: list[str]) -> None:
        self.connection = connection
        self.root = {"Identity": ("s", names[0].title()), "DesktopEntry": ("s", names[0])}
        self.properties: dict[str, Any] = {"PlaybackStatus": ("s", "Stopped"), "Metadata": ("a{sv}", {})}
        for name in names:
            connection.send(
                message_bus.RequestName(f"org.mpris.MediaPlayer2.{name}")
            )  # a reply would be waited for without answering

    def obey(self, command: dict[str, Any]) -> None:
        """Carry out a command: a change of properties, a signal, or a fault."""
        if command.get("fault") == "hang":
            os.kill(os.getpid(), signal.SIGSTOP)
        elif command.get("fault") == "nonsense":
            for signature, body in (("s", (PLAYER,)), ("sa{sv}as", (PLAYER, {"Metadata": ("s", "?")}, []))):
                self.connection.send(new_signal(EMITTER, "PropertiesChanged", signature, body))
            metadata = {"xesam:title": ("i", 7), "xesam:artist": ("a{sv}", {})}
            changed = {"PlaybackStatus": ("u", 1), "Metadata": ("a{sv}", metadata)}
            self.connection.send(new_signal(EMITTER, "PropertiesChanged", "sa{sv}as", (PLAYER, changed, [])))
        elif command.get("fault") == "flood":
            self.flood(command["count"])
        else:
            self.change(dict(command["properties"]), silently=command.get("silently", False))

    def change(self, properties: dict[str, Any], silently: bool = False) -> None:
        """Change properties. The signal of a silent change has no values."""
        self.properties |= properties
        body = (PLAYER, {}, list(properties)) if silently else (PLAYER, properties, [])
        self.connection.send(new_signal(EMITTER, "PropertiesChanged", "sa{sv}as", body))

    def flood(self, count: int) -> None:
        """Send one signal many times."""
        body: tuple[str, dict[str, Any], list[str]] = (PLAYER, {"Rate": ("d", 1.0)}, [])
        message = new_signal(EMITTER, "PropertiesChanged", "sa{sv}as", body)
        self.connection.sock.sendall(message.serialise(serial=1) * count)

    def answer(self, message: Message) -> None:
        """Answer ``GetAll``."""
        if message.header.message_type is MessageType.method_call:
            assert message.header.fields[HeaderFields.member] == "GetAll"
            found = self.properties if message.body[0] == PLAYER else self.root
            self.connection.send(new_method_return(message, "a{sv}", (found,)))


def main() -> None:
    """Serve the player until the standard input ends."""
    connection = open_dbus_connection()
    player = MediaPlayer(connection, sys.argv[1:])
    print("ready", flush=True)
    while True:
        with suppress(TimeoutError):
            while True:  # the connection reads ahead, so the socket alone does not show that a message came
                player.answer(connection.receive(timeout=0))
        ready = select.select([sys.stdin, connection.sock], [], [])[0]
        if sys.stdin in ready:
            line = sys.stdin.readline()
            if not line:
                return
            player.obey(json.loads(line))
            print("done", flush=True)


if __name__ == "__main__":
    main()
