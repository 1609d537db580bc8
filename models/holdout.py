"""Artists whose music is held out from training for evaluation."""

from __future__ import annotations

import hashlib

QUARTER_COLLECTIONS = frozenset({"songs"})
"""Collections, named as their tables, of which a quarter of the artists is held out."""


def normalize_artist(name: str) -> str:
    """Normalize the name of an artist: remove case, surrounding spaces and a leading "The"."""
    return name.strip().casefold().removeprefix("the ")


def is_held_out_artist(name: str, collection: str = "") -> bool:
    """Return True if an artist of a collection is held out for evaluation, as a hash of the name decides.

    A third of the artists is held out, and a quarter in ``QUARTER_COLLECTIONS``.
    """
    if collection in QUARTER_COLLECTIONS:
        return bool(name) and _hash(f"check{normalize_artist(name)}") % 4 == 0
    return bool(name) and _hash(name) % 3 == 0


def is_validation_artist(name: str) -> bool:
    """Return True for a fifth of all artists, selected by a hash, whose music calibrates models."""
    return bool(name) and _hash(f"valid{normalize_artist(name)}") % 5 == 0


def _hash(text: str) -> int:
    return int(hashlib.sha1(text.encode()).hexdigest(), 16)
