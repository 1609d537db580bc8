"""Artists whose music is held out from training for evaluation."""

from __future__ import annotations

import hashlib


def normalize_artist(name: str) -> str:
    """Normalize an artist's name: ignore case, surrounding spaces and a leading "The"."""
    return name.strip().casefold().removeprefix("the ")


def is_held_out_artist(name: str) -> bool:
    """Return True if an artist is held out for evaluation: a third of all artists are, chosen by hash."""
    return bool(name) and int(hashlib.sha1(name.encode()).hexdigest(), 16) % 3 == 0
