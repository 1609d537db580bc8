"""The shipped model's genres, written out: a test that read them from the manifest could not miss one."""

from __future__ import annotations

GENRES = ("blues", "classical", "country", "disco", "hiphop", "jazz", "metal", "pop", "reggae", "rock")
