"""Artists whose music is held out from training for evaluation."""

from __future__ import annotations

import hashlib


def normalize_artist(name: str) -> str:
    """Normalize the name of an artist: remove case, surrounding spaces and a leading "The"."""
    return name.strip().casefold().removeprefix("the ")


def is_held_out_artist(name: str) -> bool:
    """Return True for a third of all artists, selected by a hash, who are held out for evaluation."""
    return bool(name) and int(hashlib.sha1(name.encode()).hexdigest(), 16) % 3 == 0
