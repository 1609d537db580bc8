"""Deliver the messages of all sources to the connected clients, each client at its own pace."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from msgspec.structs import replace

from models.common.text import replace_surrogates
from realtime.protocol.messages import (
    EstimateMessage,
    HelloMessage,
    Message,
    SourcesMessage,
    SpectrumMessage,
    StateMessage,
    TitleMessage,
    encode,
)
from realtime.server.metrics import Metrics
from realtime.server.outbox import ClientOutbox


class Broadcaster:
    """Distributor of messages to the outboxes of all clients. It keeps the newest hello of each source.

    All methods must be called on one event loop.

    Parameters
    ----------
    hellos : iterable of HelloMessage
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

    def __init__(self, hellos: Iterable[HelloMessage] = ()) -> None:
        self.metrics = Metrics()
        self._hellos: dict[str, HelloMessage] = {}
        self._outboxes: set[ClientOutbox] = set()
        for hello in hellos:
            self.add(hello)

    @property
    def clients(self) -> int:
        """Number of connected clients. Any thread may read it."""
        return len(self._outboxes)

    @property
    def labels(self) -> list[str]:
        """Genres of the models of all sources, with repetitions."""
        return [label for hello in self._hellos.values() for label in hello.model.labels]

    def connect(self, outbox: ClientOutbox) -> None:
        """Fill an outbox with the hello of every source, and with all later messages until ``disconnect``."""
        for hello in self._hellos.values():
            outbox.put(hello.source, "hello", encode_text(hello))
        self._outboxes.add(outbox)

    def disconnect(self, outbox: ClientOutbox) -> None:
        """Stop filling an outbox."""
        self._outboxes.discard(outbox)

    def add(self, hello: HelloMessage) -> None:
        """Add a source, and send its hello to the connected clients.

        Raises
        ------
        ValueError
            If there is a source with the same name already.
        """
        source = hello.source
        if source in self._hellos:
            raise ValueError(f"source {source!r} is served already; each source needs a unique name")
        self._hellos[source] = hello
        self.metrics.update(hello)
        self._put(hello, iter(self._outboxes))

    def replace(self, name: str, hello: HelloMessage) -> None:
        """Replace a source by another source or by itself, and send the new hello to the connected clients.

        Raises
        ------
        ValueError
            If there is no source ``name``, or if another source has the name of the new one.
        """
        source = hello.source
        if name not in self._hellos or (source != name and source in self._hellos):
            raise ValueError(f"{source!r} cannot take the place of {name!r} among {list(self._hellos)}")
        # The order stays, because clients that connect later follow the first source.
        self._hellos = {
            (source if key == name else key): (hello if key == name else value)
            for key, value in self._hellos.items()
        }
        self.metrics.remove(name)
        self.metrics.update(hello)
        # The stored hello replaces nothing, because later clients have not followed the old source.
        announced = hello if source == name else replace(hello, replaces_source=name)
        self._put(announced, iter(self._outboxes))

    def publish(self, message: Message) -> None:
        """Put a numbered message into the outbox of every client that wants its type.

        Raises
        ------
        ValueError
            If the source of the message was not added.
        """
        hello = self._hellos.get(message.source)
        if hello is None:
            raise ValueError(f"source {message.source!r} is unknown; add(hello) makes it known")
        self._hellos[message.source] = _update_hello(hello, message)
        self.metrics.update(message)
        is_spectrum = isinstance(message, SpectrumMessage)
        self._put(message, (box for box in self._outboxes if box.wants_spectrum or not is_spectrum))

    def publish_sources(self, message: SourcesMessage) -> None:
        """Send the list of available sources to all privileged clients."""
        self._put(message, (outbox for outbox in self._outboxes if outbox.is_privileged))

    def _put(self, message: Message, outboxes: Iterator[ClientOutbox]) -> None:
        text = ""
        for outbox in outboxes:
            text = text or encode_text(message)
            outbox.put(message.source, message.kind, text)


def encode_text(message: Message) -> str:
    """Encode a message as JSON, without the lone surrogates that some file names hold."""
    return replace_surrogates(encode(message), "replace")


def _update_hello(hello: HelloMessage, message: Message) -> HelloMessage:
    """Return the hello for clients that connect after a message."""
    match message:
        case EstimateMessage(estimate=estimate, captured_at=captured_at):
            return replace(hello, seq=message.seq, estimate=estimate, captured_at=captured_at)
        case StateMessage(state=state, code=code, detail=detail):
            return replace(hello, seq=message.seq, state=state, code=code, detail=detail)
        case TitleMessage(title=title, artist=artist, song=song):
            return replace(hello, seq=message.seq, title=title, artist=artist, song=song)
    return replace(hello, seq=message.seq)
