"""Add the titles of a media player to a source that captures what the player plays."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from typing import Protocol

import numpy as np

from realtime.audio.source import AudioBlock, AudioSource
from realtime.now_playing import Song
from realtime.protocol.health import SourceStatus

AUDIBLE_PEAK = 0.001
"""Peak of a block, -60 dBFS, from which the player may be the one that is heard."""

SILENT_SECONDS = 10.0
"""Silence after which a title is removed. The player is muted, hangs, or plays on another device."""

MISSING_SECONDS = 2.0
"""Time after which the title of a player that no longer plays is removed. Players pause between two songs."""


class SongReader(Protocol):
    """Reader of the current song. Its methods never block."""

    @property
    def song(self) -> Song | None:
        """Current song, or None if no player plays."""
        ...

    def close(self) -> None:
        """Release all resources."""
        ...


class TitledSource:
    """Source whose titles come from a media player, and whose audio comes from another source.

    A title is reported only while sound is heard.

    Parameters
    ----------
    inner : AudioSource
    reader : SongReader
        Closed with the source.
    """

    def __init__(self, inner: AudioSource, reader: SongReader) -> None:
        self._inner, self._reader = inner, reader
        self.name, self.sample_rate, self.is_live = inner.name, inner.sample_rate, inner.is_live
        self._song: Song | None = None
        self._song_at = self._heard_at = -math.inf
        self._shown: Song | None = None

    def blocks(self) -> Iterator[AudioBlock]:
        """Yield the blocks of the inner source."""
        for block in self._inner.blocks():
            self._update(block)
            yield block

    def status(self) -> SourceStatus:
        """Return the status of the inner source with the song as the title."""
        status, song = self._inner.status(), self._shown
        if song is None:
            return status
        parts = (song.artist, song.title) if song.artist else ("", "")
        return replace(status, title=song.line, artist=parts[0], song=parts[1])

    def close(self) -> None:
        """Close the inner source and the reader."""
        self._inner.close()
        self._reader.close()

    def _update(self, block: AudioBlock) -> None:
        now, song = block.captured_at, self._reader.song
        if float(np.abs(block.samples).max(initial=0.0)) >= AUDIBLE_PEAK:
            self._heard_at = now
        if song is not None:
            self._song, self._song_at = song, now
        elif now - self._song_at > MISSING_SECONDS:
            self._song = None
        self._shown = self._song if now - self._heard_at <= SILENT_SECONDS else None
