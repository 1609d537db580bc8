"""Genres of the shipped model. They are not read from the manifest, where a missing genre would pass."""

from __future__ import annotations

GENRES = ("blues", "classical", "country", "disco", "hiphop", "jazz", "metal", "pop", "reggae", "rock")
