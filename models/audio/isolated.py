"""Decode files in a process of its own for each, so that a crash of FFmpeg is an error of one file."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from typing import Any

from models.audio.decoder_process import CAN_FORK, DecoderProcess
from models.audio.decoder_server import Send
from models.audio.file import AudioFile
from models.audio.metadata import FileMetadata
from models.audio.samples import Samples
from models.errors import AudioError

FILE_JOB = "models.audio.isolated:decode_to"

_OWN_FILE = re.compile(r"/dev/stdin|/(?:dev|proc/self)/fd/(\d+)")


def decode_to(send: Send, *, location: str, display_name: str) -> None:
    """Decode a file in the process of a decoder: first its description, then its blocks."""
    file = AudioFile(location, display_name=display_name)
    send(
        {
            "sample_rate": file.sample_rate,
            "duration_seconds": file.duration_seconds,
            "metadata": file.metadata,
        }
    )
    for samples in file.blocks():
        send({}, samples)


def can_share(path: str) -> bool:
    """Return True if other processes can open a path. Only Linux shares the open files of this process."""
    return CAN_FORK or not _OWN_FILE.fullmatch(path)


def shared_path(path: str) -> str:
    """Return a path that other processes can open, also for the open file ``/dev/fd/5`` of this process."""
    own = _OWN_FILE.fullmatch(path)
    return f"/proc/{os.getpid()}/fd/{own[1] or 0}" if own and CAN_FORK else os.path.abspath(path)


class IsolatedAudioFile:
    """``AudioFile`` in a process of its own.

    Parameters
    ----------
    location : str
        See ``AudioFile``.
    display_name : str
        Name of the file in messages. By default it is the location.
    job : str
        Function that decodes the file, see ``DecoderProcess``.
    arguments : mapping, optional
        Arguments of the function. By default location and name.

    Attributes
    ----------
    sample_rate : int
        Hz.
    duration_seconds : float or None
        None if the container does not state its duration.
    metadata : FileMetadata
        Empty for a URL.

    Raises
    ------
    AudioError
        If the file cannot be opened, or if it crashes the decoder.
    """

    def __init__(
        self,
        location: str,
        *,
        display_name: str = "",
        job: str = FILE_JOB,
        arguments: Mapping[str, Any] | None = None,
    ) -> None:
        name = display_name or location
        arguments = arguments or {"location": shared_path(location), "display_name": name}
        self._process = DecoderProcess(job, arguments, name)
        self._messages = self._process.messages()
        try:
            fields = next((fields for fields, _ in self._messages if "sample_rate" in fields), None)
            if fields is None:
                raise AudioError(f"{name} contains no audio that FFmpeg can decode")
        except AudioError:
            self._process.close()
            raise
        self.sample_rate = int(fields["sample_rate"])
        self.duration_seconds: float | None = fields["duration_seconds"]
        self.metadata = FileMetadata(*fields.get("metadata", ()))

    def blocks(self) -> Iterator[Samples]:
        """Decode the file and yield its blocks. The method may be called once.

        Yields
        ------
        (n,) float32, read-only
            Blocks of ``MonoDecoder``.

        Raises
        ------
        AudioError
            If the file contains no audio, or if it crashes the decoder.
        """
        for _, samples in self._messages:
            if len(samples):
                yield samples

    def close(self) -> None:
        """End the decoder."""
        self._process.close()
