"""Sound in unusual forms: heard, or refused with one sentence."""

from __future__ import annotations

import itertools
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from models.audio.isolated import IsolatedAudioFile
from models.audio.samples import Samples, sanitize_samples
from models.errors import AudioError
from tests.support.audio import tone, write
from tests.support.hostile import caf, id3_cover, large_picture, wav
from tests.support.streams import measure_pitch


def decode(path: Path) -> Samples:
    """Decode a file as ``analyze`` does."""
    with closing(IsolatedAudioFile(str(path), display_name="it")) as file:
        return np.concatenate(list(file.blocks()))


def ffmpeg(*arguments: str) -> None:
    subprocess.run(["ffmpeg", "-v", "error", "-y", *arguments], check=True, timeout=60)


def write_surround(path: Path, layout: str, codec: str) -> None:
    """Write 0.5 s of a tone in the front center."""
    sine = "sine=440:duration=0.5:sample_rate=44100"
    ffmpeg("-f", "lavfi", "-i", sine, "-af", f"aformat=channel_layouts={layout}", "-c:a", codec, str(path))


@pytest.mark.parametrize("channels", [1, 2, 3, 4, 5, 6, 7, 8, 9, 16, 24, 33, 63, 64])
def test_any_number_of_channels_is_heard(channels: int, tmp_path: Path) -> None:
    (tmp_path / "x.wav").write_bytes(wav(channels))
    sound = decode(tmp_path / "x.wav")
    assert len(sound) == 8_820
    assert np.abs(sound - tone(440, 0.2, 44_100)).max() < 0.001


@pytest.mark.parametrize("channels", [0, 65, 128, 255, 512, 1_024, 65_535])
def test_more_channels_than_ffmpeg_converts_are_refused_in_one_sentence(
    channels: int, tmp_path: Path
) -> None:
    (tmp_path / "x.wav").write_bytes(wav(channels, seconds=10 / max(channels, 1_000)))
    with pytest.raises(AudioError, match=r"^it (has channels that FFmpeg cannot convert|contains no audio)"):
        decode(tmp_path / "x.wav")


LABELS = st.sampled_from([*range(50), 200, 301, 400, 0xFFFFFFFF, 1 << 31, *range(1 << 16, (1 << 16) + 8)])


@example([0, 0, 0, 0])  # films of DV cameras
@example([1, 1])
@example([1, 2, 3, 4, 5, 6, 9])
@example([0xFFFFFFFF] * 4)
@settings(max_examples=15, deadline=None)
@given(st.lists(LABELS, min_size=1, max_size=16))
def test_any_layout_of_channels_is_heard(tmp_path_factory: pytest.TempPathFactory, labels: list[int]) -> None:
    """A layout that FFmpeg has no name for damages the memory of PyAV 17.1 to 19.0.1."""
    path = tmp_path_factory.mktemp("layouts") / "x.caf"
    path.write_bytes(caf(labels))
    sound = decode(path)
    assert len(sound) == 8_820
    assert np.abs(sound - tone(440, 0.2, 44_100)).max() < 0.001


@pytest.mark.parametrize("layout", ["6.1", "7.1"])
@pytest.mark.parametrize("suffix", ["mov", "caf", "aiff"])
def test_surround_sound_is_heard(suffix: str, layout: str, tmp_path: Path) -> None:
    """FFmpeg has no name for some layouts that it writes itself."""
    path = tmp_path / f"x.{suffix}"
    write_surround(path, layout, "pcm_s16be")
    sound = decode(path)
    assert len(sound) == 22_050
    assert measure_pitch(sound, 44_100) == pytest.approx(440, abs=2)


@pytest.mark.parametrize("label", [0, 1])
@pytest.mark.parametrize("codec", ["pcm_s24be", "pcm_f32be", "pcm_alaw", "alac", "flac", "ac3"])
def test_the_decoder_of_any_codec_survives_a_layout_without_a_name(
    codec: str, label: int, tmp_path: Path
) -> None:
    """Some decoders keep the layout of the container, and others read a layout from the sound."""
    path = tmp_path / "x.caf"
    write_surround(path, "5.1", codec)
    content = path.read_bytes()
    layout = caf([label] * 6)
    chunk = layout[layout.index(b"chan") : layout.index(b"data")]
    path.write_bytes(content.replace(b"data", chunk + b"data", 1))  # after the layout that FFmpeg wrote
    sound = decode(path)
    assert len(sound) == pytest.approx(22_050, abs=4_096)
    assert measure_pitch(sound, 44_100) == pytest.approx(440, abs=2)


@pytest.mark.parametrize("mask", [0, 1, 3, 0x33, 0x60F, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF])
@pytest.mark.parametrize("channels", [1, 2, 5, 8])
def test_any_mask_of_channels_is_heard(channels: int, mask: int, tmp_path: Path) -> None:
    (tmp_path / "x.wav").write_bytes(wav(channels, mask=mask))
    assert len(decode(tmp_path / "x.wav")) == 8_820


@pytest.mark.parametrize("rate", [1, 3_999, 384_001, 2_000_000_000])
def test_a_rate_that_cannot_be_of_sound_is_refused(rate: int, tmp_path: Path) -> None:
    """FFmpeg would allocate 5 GB for a block at 2 GHz."""
    (tmp_path / "x.wav").write_bytes(wav(rate=rate))
    expected = rf"^it has a sample rate of {rate:,} Hz; 4,000 to 384,000 Hz are supported$"
    with pytest.raises(AudioError, match=expected):
        decode(tmp_path / "x.wav")
    for accepted in (4_000, 384_000):
        (tmp_path / "x.wav").write_bytes(wav(rate=accepted))
        assert len(decode(tmp_path / "x.wav")) == 8_820


def test_a_large_cover_costs_no_memory(tmp_path: Path) -> None:
    """FFmpeg decoded the pixels of a cover to learn the form of the picture."""
    path = write(tmp_path / "x.mp3", tone(440, 1, 44_100), 44_100, "libmp3lame")
    path.write_bytes(id3_cover(large_picture(8_000)) + path.read_bytes())
    program = (
        "import sys; from models.audio.file import AudioFile; file = AudioFile(sys.argv[1]);"
        "assert sum(map(len, file.blocks())) > 44_000;"
        "print(open('/proc/self/status').read().partition('VmHWM:')[2].split()[0])"
    )
    command = [sys.executable, "-c", program, str(path)]
    peak = int(subprocess.run(command, check=True, timeout=60, stdout=subprocess.PIPE).stdout)
    assert peak < 120_000, "kB; the pixels take 192,000 kB"


@pytest.mark.parametrize("suffix", ["mov", "mkv"])
def test_the_first_track_with_a_decoder_is_analyzed(
    suffix: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Films of telephones begin with a track that only the maker of the telephone can decode."""
    sounds = [write(tmp_path / f"{hz}.wav", tone(hz, 2, 44_100), 44_100) for hz in (440, 880)]
    path = tmp_path / f"x.{suffix}"
    inputs = [argument for sound in sounds for argument in ("-i", str(sound))]
    languages = ["-metadata:s:a:0", "language=eng", "-metadata:s:a:1", "language=ger"]
    ffmpeg(*inputs, "-map", "0", "-map", "1", "-c:a", "aac", *languages, str(path))
    assert measure_pitch(decode(path), 44_100) == pytest.approx(440, abs=2)
    assert "it has 2 audio tracks; track 1 (language: eng) is analyzed" in caplog.text
    content = bytearray(path.read_bytes())
    if suffix == "mov":
        at = content.index(b"mp4a", content.index(b"stsd"))
        content[at : at + 4] = b"apac"
        at = content.index(b"esds", at)
        content[at : at + 4] = b"xsds"
    else:
        at = content.index(b"A_AAC")
        content[at : at + 5] = b"A_XYZ"
    path.write_bytes(content)
    assert measure_pitch(decode(path), 44_100) == pytest.approx(880, abs=2)
    assert "it has 2 audio tracks; track 2 (language: ger) is analyzed" in caplog.text


FORMS = {"opus": (48_000, 48_000), "vorbis": (44_100, 22_050), "flac": (44_100, 32_000)}


@pytest.mark.parametrize("codec", FORMS)
@pytest.mark.parametrize("channels", list(itertools.product((1, 2), repeat=2)))
def test_all_links_of_a_chained_file_are_heard(codec: str, channels: tuple[int, int], tmp_path: Path) -> None:
    content = b""
    for number, (count, rate) in enumerate(zip(channels, FORMS[codec], strict=True)):
        source = write(tmp_path / "s.wav", tone(440 * (number + 1), 2, rate), rate)
        name = {"opus": "libopus", "vorbis": "libvorbis", "flac": "flac"}[codec]
        ffmpeg("-i", str(source), "-ac", str(count), "-c:a", name, "-f", "ogg", str(tmp_path / "s.ogg"))
        content += (tmp_path / "s.ogg").read_bytes()
    path = tmp_path / "x.ogg"
    path.write_bytes(content)
    sound, rate = decode(path), FORMS[codec][0]
    assert len(sound) / rate == pytest.approx(4, abs=0.05)
    assert measure_pitch(sound[: 2 * rate], rate) == pytest.approx(440, abs=2)
    assert measure_pitch(sound[2 * rate + rate // 10 :], rate) == pytest.approx(880, abs=2)


def test_a_damaged_link_costs_no_other_link(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    link = write(tmp_path / "s.opus", tone(440, 2, 48_000), 48_000, "libopus").read_bytes()
    bad = link.replace(b"OpusHead", b"OpusXead")
    (tmp_path / "x.opus").write_bytes(link + bad + link + link[: len(link) // 2])
    assert len(decode(tmp_path / "x.opus")) / 48_000 == pytest.approx(5, abs=0.2)
    assert "a part is left out: it" in caplog.text


@pytest.mark.parametrize("suffix", ["wav", "mp3", "opus"])
def test_one_inverted_channel_is_heard(suffix: str, tmp_path: Path) -> None:
    codec = {"wav": "pcm_s16le", "mp3": "libmp3lame", "opus": "libopus"}[suffix]
    sound = tone(440, 1, 48_000)
    path = write(tmp_path / f"x.{suffix}", np.stack([sound, -sound], axis=1), 48_000, codec)
    decoded = decode(path)
    assert np.abs(decoded).max() > 0.25
    assert measure_pitch(decoded, 48_000) == pytest.approx(440, abs=2)


@given(st.floats(0, 1), st.integers(2, 8), st.integers(0, 99))
@settings(max_examples=50, deadline=None)
def test_channels_that_do_not_cancel_out_are_averaged(share: float, channels: int, seed: int) -> None:
    """The mean is kept up to the limit of -20 dB, and no level falls by more."""
    random = np.random.default_rng(seed)
    common, own = random.normal(size=(4_410, 1)), random.normal(size=(4_410, channels))
    sound = (0.05 * (share * common + (1 - share) * own)).astype(np.float32)
    mono = sanitize_samples(sound)
    mean = sound.mean(axis=1)
    assert np.allclose(mono, mean, atol=1e-6)
    inverted = np.concatenate([sound, -sound], axis=1)
    power = np.square(inverted).mean()
    assert np.square(sanitize_samples(inverted)).mean() >= 0.5 * power


def test_silence_and_overflow_do_not_disturb_the_choice_of_a_channel() -> None:
    assert not sanitize_samples(np.zeros((10, 2), np.float32)).any()
    large = np.full((10, 2), 3e38, np.float32)
    large[:, 1] *= -1
    assert (np.abs(sanitize_samples(large)) == 1).all()
