"""Restrict FFmpeg to audio containers, and to the protocol with which each location is read.

FFmpeg selects the container by the content. Some of its containers refer to other files and addresses
(concat, DASH, HLS, IMF, lists of pictures), open network ports (SDP) or open devices. None of those is
accepted.
"""

from __future__ import annotations

import contextlib
import functools
import os
from typing import Final

SOUND_FORMATS: Final = (
    "aac", "ac3", "aiff", "amr", "ape", "asf", "au", "avi", "caf", "dsf", "dts", "dtshd", "eac3", "flac",
    "flv", "iff", "loas", "matroska", "mlp", "mov", "mp3", "mpc", "mpc8", "mpeg", "mpegts", "mxf", "ogg",
    "oma", "qoa", "rm", "tak", "truehd", "tta", "voc", "w64", "wav", "wv", "xwma",
)  # fmt: skip
"""FFmpeg's names of the accepted containers, none of which refers to other files or addresses."""

NO_PROTOCOL: Final = "none"
"""Value of ``protocol_whitelist`` for content from a Python file. FFmpeg then opens nothing itself."""


@functools.cache
def _audio_decoders() -> str:
    """Return FFmpeg's names of all decoders of audio, separated by commas."""
    import av.codec

    names = set()
    for name in av.codec.codecs_available:
        with contextlib.suppress(ValueError):  # the name of an encoder
            codec = av.codec.Codec(name, "r")
            if codec.type == "audio":
                names.add(codec.name)
    return ",".join(sorted(names))


def restriction_options(*protocols: str, more_formats: tuple[str, ...] = ()) -> dict[str, str]:
    """Return the options of FFmpeg that accept ``SOUND_FORMATS`` and these protocols only.

    They are for ``container_options`` of ``av.open``. With ``options``, they would be options of each decoder
    too. Pictures are not decoded, since a cover of 1 MB may have 1 GB of pixels.

    Parameters
    ----------
    protocols : str
        FFmpeg's names of protocols. Without a name FFmpeg opens nothing itself.
    more_formats : tuple of str
        Containers that are accepted too.
    """
    return {
        "codec_whitelist": _audio_decoders(),
        "format_whitelist": ",".join(SOUND_FORMATS + more_formats),
        "protocol_whitelist": ",".join(protocols) or NO_PROTOCOL,
    }


def file_location(path: str) -> str:
    """Return a path as a location of FFmpeg, in which a colon does not separate a protocol."""
    return "file:" + os.path.abspath(path)
