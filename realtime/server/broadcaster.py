"""Deliver the messages of all sources to the connected clients, each client at its own pace."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from models.common.text import storable
from realtime.protocol import messages
from realtime.protocol.messages import Message
from realtime.server.metrics import Metrics
from realtime.server.outbox import ClientOutbox


class Broadcaster:
    """The newest hello of each source, and the outboxes of all clients.

    Everything here runs on one event loop.

    Parameters
    ----------
    hellos : iterable of Message
        A hello message for each source. Its state, title, estimate and seq follow the published messages.

    Attributes
    ----------
    metrics : Metrics
        Updated with every message.

    Raises
    ------
    ValueError
        If two sources have the same name.
    """

    def __init__(self, hellos: Iterable[Message] = ()) -> None:
        self.metrics = Metrics()
        self._hellos: dict[str, Message] = {}
        self._outboxes: set[ClientOutbox] = set()
        for hello in hellos:
            self.add(hello)

    @property
    def clients(self) -> int:
        """Number of connected clients; may be read on any thread."""
        return len(self._outboxes)

    @property
    def labels(self) -> list[str]:
        """Genres of the models of all sources, with repetitions."""
        return [label for hello in self._hellos.values() for label in hello["model"]["labels"]]

    def connect(self, outbox: ClientOutbox) -> None:
        """Fill an outbox with the hello of every source, and with all later messages until ``disconnect``."""
        for source, hello in self._hellos.items():
            outbox.put(source, "hello", encode_text(hello))
        self._outboxes.add(outbox)

    def disconnect(self, outbox: ClientOutbox) -> None:
        """Stop filling an outbox."""
        self._outboxes.discard(outbox)

    def add(self, hello: Message) -> None:
        """Add a source, and send its hello to the connected clients.

        Raises
        ------
        ValueError
            If there is a source of that name already.
        """
        source = hello["source"]
        if source in self._hellos:
            raise ValueError(f"source {source!r} is served already; each needs a name of its own")
        self._hellos[source] = {"seq": 0} | hello
        self.metrics.update(hello)
        self._publish_hello(hello)

    def replace(self, name: str, hello: Message) -> None:
        """Put a source in the place of another one, or restart the same one, and tell the connected clients.

        Raises
        ------
        ValueError
            If there is no source ``name``, or if a third source has the name of the new one.
        """
        source = hello["source"]
        if name not in self._hellos or (source != name and source in self._hellos):
            raise ValueError(f"{source!r} cannot take the place of {name!r} among {list(self._hellos)}")
        known = {"seq": 0} | {key: value for key, value in hello.items() if key != "replaces"}
        # The order stays, because clients that connect later follow the first source.
        self._hellos = {
            (source if key == name else key): (known if key == name else value)
            for key, value in self._hellos.items()
        }
        self.metrics.forget(name)
        self.metrics.update(hello)
        self._publish_hello(hello if source == name else hello | {"replaces": name})

    def publish(self, message: Message) -> None:
        """Put a numbered message into the outbox of every client that wants its type.

        Raises
        ------
        ValueError
            If its source was never added.
        """
        source, kind = message["source"], message["type"]
        hello = self._hellos.get(source)
        if hello is None:
            raise ValueError(f"source {source!r} is unknown; add(hello) makes it known")
        hello["seq"] = message["seq"]
        if kind == "estimate":
            hello |= {"estimate": message["estimate"], "captured_at": message["captured_at"]}
        elif kind == "state":
            hello |= {"state": message["state"], "detail": message["detail"]}
        elif kind == "title":
            hello["title"] = message["title"]
        self.metrics.update(message)
        self._put(message, (box for box in self._outboxes if kind != "spectrum" or box.wants_spectrum))

    def publish_sources(self, message: Message) -> None:
        """Send the list of available sources to all trusted clients."""
        self._put(message, (outbox for outbox in self._outboxes if outbox.trusted))

    def _publish_hello(self, hello: Message) -> None:
        self._put({"seq": 0} | hello, iter(self._outboxes))

    def _put(self, message: Message, outboxes: Iterator[ClientOutbox]) -> None:
        text = ""
        for outbox in outboxes:
            text = text or encode_text(message)
            outbox.put(message["source"], message["type"], text)


def encode_text(message: Message) -> str:
    """Encode a message as JSON, without the lone surrogates that some file names hold."""
    return storable(messages.encode(message), "replace")
