"""Sound in every container that the program accepts, and in unusual forms."""

from __future__ import annotations

import functools
import io

import av
import numpy as np

from tests.support.hostile import REFERRING_TEXTS, caf, id3_cover, large_picture, wav

ENCODED = {
    "aac": ("adts", "aac"), "ac3": ("ac3", "ac3"), "aiff": ("aiff", "pcm_s16be"), "amr": ("amr",
    "libopencore_amrnb"),
    "au": ("au", "pcm_s16be"), "avi": ("avi", "pcm_s16le"), "caf": ("caf", "alac"), "eac3": ("eac3", "eac3"),
    "flac": ("flac", "flac"), "flv": ("flv", "libmp3lame"), "loas": ("latm", "aac"), "mka": ("matroska",
    "vorbis"),
    "webm": ("webm", "libopus"), "mov": ("mov", "alac"), "m4a": ("mp4", "aac"), "mp3": ("mp3", "libmp3lame"),
    "mpeg": ("mpeg", "mp2"), "ts": ("mpegts", "aac"), "opus": ("ogg", "libopus"), "ogg": ("ogg", "vorbis"),
    "rm": ("rm", "ac3"), "tta": ("tta", "tta"), "voc": ("voc", "pcm_u8"), "w64": ("w64", "pcm_s16le"),
    "adpcm.wav": ("wav", "adpcm_ima_wav"), "alaw.wav": ("wav", "pcm_alaw"), "wv": ("wv", "wavpack"),
}  # fmt: skip
"""Muxer and encoder by suffix. All of them are in PyAV's wheels."""

HEADS = {
    "ape": b"MAC \x96\x0f\0\0\x34\0\0\0\x18\0\0\0" + bytes(8)
    + b"\xd0\x07\0\0\0\x20\1\0\x10\0\2\0\x44\xac\0\0",
    "dsf": b"DSD " + (28).to_bytes(8, "little") + bytes(16) + b"fmt " + (52).to_bytes(8,
    "little") + bytes(40) + b"data",
    "dts": b"\x7f\xfe\x80\x01\xfc\x3c\x3f\xf0\xb5\xe0\x01\x38\x00\x03\xef\x7f" * 64,
    "dtshd": b"DTSHDHDR" + bytes(8) + b"STRMDATA" + bytes(64),
    "iff": b"FORM\0\0\x10\0" + b"8SVXVHDR\0\0\0\x14\0\0\x10\0" + bytes(8)
    + b"\x1f\x40\1\0\0\1\0\0BODY\0\0\x0f\0" + bytes(3_840),
    "mlp": b"\x20\x30\0\0\xf8\x72\x6f\xbb\x11\x2f\xb7\x52" + bytes(2_000),
    "mpc": b"MP+\x07\x40\0\0\0" + bytes(range(256)) * 8,
    "mpc8": b"MPCKSH\x0f" + bytes(16) + b"SE\x03" + bytes(64),
    "mxf": b"\x06\x0e\x2b\x34\x02\x05\x01\x01\x0d\x01\x02\x01\x01\x02\x04\x00" + b"\x83\0\0\x10"
    + bytes(4_096),
    "oma": b"ea3\3\0\0\0\0\0\0EA3\2\0\x60\xff\xff" + bytes(16) + b"\1\0\x20\x30" + bytes(2_000),
    "qoa": b"qoaf\0\0\x10\0\2\0\xac\x44\x10\0\x10\x20" + bytes(4_000),
    "tak": b"tBaK\1\x0a\0\0" + bytes(range(200)),
    "truehd": b"\x20\x30\0\0\xf8\x72\x6f\xba\0\x17\x80\x4f" + bytes(2_000),
    "asf": bytes.fromhex("3026b2758e66cf11a6d900aa0062ce6c") + (5_000).to_bytes(8,
    "little") + b"\5\0\0\0\1\2" + bytes(500),
    "xwma": b"RIFF\0\x10\0\0XWMAfmt "
    b"\x12\0\0\0\x61\1\2\0\x44\xac\0\0\xa0\x0f\0\0\xba\3\x10\0\0\0dpds\4\0\0\0\0\x10\0\0data\0\x10\0\0"
    + bytes(4_096),
}  # fmt: skip
"""Beginnings of containers that the wheels can read but not write."""


@functools.cache
def encode(muxer: str, codec: str, seconds: float = 0.3) -> bytes:
    """Return two tones in a container."""
    speech = "amr" in codec  # has one rate and one channel
    rate, layout = (8_000, "mono") if speech else (48_000, "stereo")
    times = np.arange(int(seconds * rate)) / rate
    channels = [8_000 * np.sin(2 * np.pi * hz * times) for hz in ((440,) if speech else (440, 660))]
    frame = av.AudioFrame.from_ndarray(
        np.stack(channels, axis=1).astype(np.int16).reshape(1, -1), format="s16", layout=layout
    )
    frame.sample_rate = rate
    result = io.BytesIO()
    with av.open(result, "w", format=muxer, options={"fflags": "+bitexact"}) as container:
        stream = container.add_stream(codec, rate=rate, layout=layout, options={"strict": "-2"})
        assert isinstance(stream, av.AudioStream)
        container.metadata.update(title="Tone", artist="Test")
        context = stream.codec_context
        resampler = av.AudioResampler(
            format=context.format, layout=layout, rate=rate, frame_size=context.frame_size or 1_024
        )
        for part in (*resampler.resample(frame), *resampler.resample(None)):
            container.mux(stream.encode(part))
        container.mux(stream.encode(None))
    return result.getvalue()


@functools.cache
def containers() -> dict[str, bytes]:
    """Return files with sound, files that only begin like sound, and files that refer to sound, by name."""
    files = {f"tone.{suffix}": encode(muxer, codec) for suffix, (muxer, codec) in ENCODED.items()}
    files |= {f"head.{suffix}": head for suffix, head in HEADS.items()}
    counts = (0, 1, 3, 64, 65, 4_095)
    files |= {
        f"{channels} channels.wav": wav(channels, seconds=min(0.05, 2 / max(1, channels)))
        for channels in counts
    }
    files |= {f"{rate} Hz.wav": wav(rate=rate) for rate in (0, 1, 4_000, 384_001, 2_000_000_000, 0xFFFFFFFF)}
    files |= {f"mask {mask:x}.wav": wav(8, mask=mask) for mask in (0, 0x33, 0x80000000, 0xFFFFFFFF)}
    layouts: tuple[list[int], ...] = (
        [0, 0, 0, 0],
        [1, 1],
        [1, 2, 3, 4, 5, 6, 9],
        [0xFFFFFFFF] * 4,
        [200, 301],
        [],
        [1 << 16] * 3,
    )
    files |= {f"labels {number}.caf": caf(labels) for number, labels in enumerate(layouts)}
    files |= {
        f"{kind}.txt": text.format(folder="/nowhere", port=9).encode()
        for kind, text in REFERRING_TEXTS.items()
    }
    mp3 = files["tone.mp3"]
    files["cover.mp3"] = id3_cover(large_picture(2_000)) + mp3
    files["chained.opus"] = files["tone.opus"] + encode("ogg", "libopus", 0.1) + files["tone.ogg"]
    files["long.wav"] = wav(seconds=6)
    files["long.mp3"] = encode("mp3", "libmp3lame", 6)
    files["empty.mp3"] = b""
    files["zeros.wav"] = bytes(4_096)
    return files
