"""Names of artists: which are one artist, and who is kept for checking."""

from __future__ import annotations

import hashlib


def normalize_artist(name: str) -> str:
    """An artist's name with case and a leading "The" ignored."""
    return name.strip().casefold().removeprefix("the ")


def is_held_out_artist(name: str) -> bool:
    """Whether an artist is kept for checking on other people's music: a third of them, by hash."""
    return bool(name) and int(hashlib.sha1(name.encode()).hexdigest(), 16) % 3 == 0
