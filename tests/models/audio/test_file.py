"""Decoding of whole files, equal to the live path."""

from __future__ import annotations

import wave
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from models.audio.file import AudioFile, decode_file
from models.audio.isolated import IsolatedAudioFile
from models.audio.samples import Samples
from models.errors import AudioError
from realtime.config import Settings
from realtime.pipeline.analyzer import Analyzer
from realtime.sources import FileSource
from tests.support.audio import tone, write
from tests.support.classifier import LoudestRowClassifier
from tests.support.clock import VirtualClock

RATE = 22_050


def live(path: Path) -> Samples:
    """Return all samples that the analyzer of the live path receives, at the model's rate."""
    parts: list[Samples] = []
    source = FileSource(str(path), VirtualClock())
    analyzer = Analyzer(
        LoudestRowClassifier(),
        Settings(),
        source.sample_rate,
        VirtualClock(),
        keep=lambda samples, _: parts.append(samples),
    )
    for block in source.blocks():
        list(analyzer.process(block))
    list(analyzer.flush())
    return np.concatenate(parts)


@pytest.mark.parametrize(
    ("suffix", "codec", "rate", "channels"),
    [(".wav", "pcm_s16le", RATE, 1), (".mp3", "libmp3lame", 44_100, 2), (".opus", "libopus", 48_000, 1)],
)
def test_training_gets_the_samples_of_the_live_path(
    tmp_path: Path, suffix: str, codec: str, rate: int, channels: int
) -> None:
    """Training once used another resampler and did not clip the overshoots of lossy codecs."""
    loud = np.sign(tone(440, 3, rate)) * np.float32(0.999)
    sound = np.stack([loud, tone(2_000, 3, rate)], axis=1) if channels == 2 else loud
    path = write(tmp_path / f"a{suffix}", sound, rate, codec)
    decoded = decode_file(str(path), RATE)
    assert len(decoded) == pytest.approx(3 * RATE, rel=0.05)
    assert np.array_equal(decoded, live(path))


def test_any_rate_and_channels_become_one_rate_and_mono(tmp_path: Path) -> None:
    stereo = np.stack([tone(440, 2, 44_100), -tone(440, 2, 44_100) / 3], axis=1)
    decoded = decode_file(str(write(tmp_path / "a.wav", stereo, 44_100)), RATE)
    assert len(decoded) == pytest.approx(2 * RATE, abs=50)
    assert np.abs(decoded).max() == pytest.approx(0.1, abs=0.01)  # the right channel takes a third away


def test_messages_show_the_name_that_was_given(tmp_path: Path) -> None:
    path = tmp_path / "secret.txt"
    path.write_text("no audio")
    with pytest.raises(AudioError, match=r"^a file is not audio that FFmpeg can decode"):
        AudioFile(str(path), display_name="a file")


def test_a_file_without_samples_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "empty.wav"
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
    with pytest.raises(AudioError, match=r"empty\.wav contains no audio that FFmpeg can decode"):
        decode_file(str(path), RATE)


@pytest.mark.parametrize("suffix", ["flac", "ogg"])
def test_artist_and_title_come_from_the_tags(suffix: str, tmp_path: Path) -> None:
    """Ogg has its tags in the stream. Text of others is cleaned."""
    import av

    path = tmp_path / f"a.{suffix}"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("flac", rate=22_050, layout="mono")
        container.metadata.update({"ARTIST": "Björk\x1b[31m", "title": " Jóga " + "x" * 500})
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 4096), np.int16), "s16", "mono")
        frame.sample_rate, frame.pts, frame.time_base = 22_050, 0, Fraction(1, 22_050)
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    plain, isolated = AudioFile(str(path)), IsolatedAudioFile(str(path))
    try:
        assert plain.metadata == isolated.metadata
        assert plain.metadata.artist == "Björk [31m"
        assert plain.metadata.title.startswith("Jóga xxx")
        assert len(plain.metadata.title) == 200
    finally:
        plain.close()
        isolated.close()
    file = AudioFile(str(write(tmp_path / "bare.wav", np.zeros(4096), 22_050)))
    assert file.metadata == ("", "")
    file.close()


def test_tags_that_are_not_utf_8_keep_their_letters(tmp_path: Path) -> None:
    """They are read as Windows-1252. Their letters beyond ASCII were once dropped."""
    path = write(tmp_path / "a.wav", np.zeros(4096), 22_050)
    tag = b"IART" + (6).to_bytes(4, "little") + "Björk\0".encode("cp1252")
    with path.open("ab") as file:
        file.write(b"LIST" + (4 + len(tag)).to_bytes(4, "little") + b"INFO" + tag)
    audio = AudioFile(str(path))
    assert audio.metadata.artist == "Björk"
    audio.close()
