"""Inputs of each kind: first all unchanged ones, and then changed ones without end."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from random import Random

from tests.support.fuzzing import texts
from tests.support.fuzzing.containers import containers
from tests.support.fuzzing.mutation import keep_on_this_machine, mutate, mutate_json

CORPORA: Mapping[str, Callable[[], dict[str, bytes]]] = {
    "containers": containers,
    "uploads": containers,
    "answers": texts.answers,
    "playlists": texts.playlists,
    "titles": texts.titles,
    "messages": texts.messages,
    "requests": texts.requests,
    "settings": texts.settings,
    "names": texts.names,
}
"""Unchanged inputs by name, for each kind."""

TEXTS_WITH_ADDRESSES = ("answers", "playlists", "names")
"""Kinds whose addresses the program opens."""


@dataclass(frozen=True, slots=True)
class Input:
    """Input of a kind.

    Attributes
    ----------
    kind : str
        Key of ``CORPORA``.
    name : str
        Name of the unchanged input, or of the input that was changed.
    content : bytes
    seed : str
        Seed of all choices that a target makes about this input.
    """

    kind: str
    name: str
    content: bytes
    seed: str

    @property
    def random(self) -> Random:
        """New generator for the choices of a target."""
        return Random(self.seed)


@functools.cache
def _corpus(kind: str) -> tuple[tuple[str, bytes], ...]:
    return tuple(CORPORA[kind]().items())


def corpus_size(kind: str) -> int:
    """Return the number of unchanged inputs."""
    return len(_corpus(kind))


def make_input(kind: str, number: int, seed: int = 0) -> Input:
    """Return the input with a number. The first ``corpus_size`` inputs are unchanged."""
    corpus = _corpus(kind)
    text = f"{kind} {seed} {number}"
    if number < len(corpus):
        return Input(kind, *corpus[number], text)
    random = Random(text)
    name, content = random.choice(corpus)
    if kind in ("messages", "settings") and random.random() < 0.5:
        content = mutate_json(content, random)
    else:
        content = mutate(content, random, [other for _, other in corpus])
    if kind in TEXTS_WITH_ADDRESSES:
        content = keep_on_this_machine(content, texts.HOST)
    return Input(kind, name, content, text)
