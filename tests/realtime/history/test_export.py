"""Corrections exported as a training set that ``overheard train prepare`` reads, and segments as a table."""

from __future__ import annotations

import wave
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from msgspec.structs import replace

from models.manifest import ModelManifest
from realtime.history.audio_buffer import RecentAudioBuffer
from realtime.history.corrections import LabelCorrections, genre_folder_name
from realtime.history.errors import HistoryError
from realtime.history.export import export_corrections, read_clip
from realtime.history.queries import open_history
from realtime.history.recorder import HistoryRecorder
from realtime.history.store import HistoryStore
from tests.support.audio import tone, write
from tests.support.clock import UNIX_OFFSET, VirtualClock
from tests.support.histories import estimate, write_history
from training.cli import command as train
from training.data.corpus import Corpus
from training.data.windows import WINDOW_SAMPLES

MODEL = ModelManifest.load(None)
RATE = MODEL.audio.sample_rate


@pytest.fixture
def corrected(path: Path, tmp_path: Path) -> Path:
    """Write a history with four corrections: with a clip, of a file, of a missing file, and without audio."""
    clock = VirtualClock()
    audio = RecentAudioBuffer(3, clock)
    append = audio.start("radio", MODEL.audio)
    assert append is not None
    append(np.concatenate([tone(300, 20), tone(3_000, 20)]), 0)
    songs = {name: str(write(tmp_path / name, tone(1_000, 60), RATE)) for name in ("a.wav", "b.wav")}
    store = HistoryStore(path, played_file=lambda source, _: songs.get(source, ""))
    recorder = HistoryRecorder(store, clock)
    for source in ("radio", *songs, "old"):
        for n in range(71):
            at = 5 + n / 2
            message = estimate(at, "jazz" if at <= 20 else "rock", source=source)
            recorder.add(replace(message, captured_at=UNIX_OFFSET + 100 + at))
    recorder.flush()
    corrections = LabelCorrections(store, MODEL, audio)
    assert corrections.correct(1, 2, "blues", 5.0).detail.endswith("its audio is saved")
    assert corrections.correct(2, 1, "metal", 6.0).detail.endswith("its audio is in the file that was played")
    assert corrections.correct(3, 1, "metal", 7.0).detail.endswith("its audio is in the file that was played")
    assert corrections.correct(4, 1, "pop", 8.0).detail.endswith("its audio is no longer in memory")
    recorder.close()
    Path(songs["b.wav"]).unlink()
    return path


def export(path: Path, folder: Path) -> str:
    with closing(open_history(path)) as connection:
        return export_corrections(connection, path, folder)


def test_corrections_are_exported_in_the_format_of_prepare(
    corrected: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = tmp_path / "set"
    report = export(corrected, folder)
    assert report == (
        "corrections with audio: 2 (blues 1, metal 1); without: 2 "
        "(files that cannot be read: 1)\n"
        f"read them with: overheard train prepare --table {folder / 'corrections.csv'}"
    )
    assert caplog.messages == [f"session 3, segment 1: {tmp_path / 'b.wav'} does not exist"]
    blues, metal = "blues/20231114T221520-1-2.wav", "metal/20231114T221500-2-1.wav"
    assert (folder / "corrections.csv").read_text().splitlines() == [
        "file,genre,provenance,predicted",
        f"{blues},blues,corrections,rock",
        f"{metal},metal,corrections,jazz",
    ]
    for name, hz, seconds in ((blues, 3_000, 20), (metal, 1_000, 20)):
        with wave.open(str(folder / name)) as file:
            samples = np.frombuffer(file.readframes(file.getnframes()), "<i2")
        assert len(samples) == seconds * RATE
        assert np.argmax(np.abs(np.fft.rfft(samples))) / seconds == pytest.approx(hz, abs=1)

    cache = tmp_path / "cache"
    assert train(["prepare", "--cache", str(cache), "--table", str(folder / "corrections.csv")]) == 0
    corpus = Corpus.load(cache)
    assert [
        (each.name, each.genre, each.source, each.music, each.is_held_out) for each in corpus.entries
    ] == [
        (blues, "blues", "corrections", True, False),
        (metal, "metal", "corrections", True, False),
    ]
    windows = [corpus.windows(each).fine for each in corpus.entries]
    assert [len(each) for each in windows] == [(20 * RATE - WINDOW_SAMPLES) // (WINDOW_SAMPLES // 2) + 1] * 2
    loudest = [each[0, 0].mean(axis=0).argmax() for each in windows]
    assert loudest[0] > loudest[1]  # 3 kHz, 1 kHz

    assert train(["prepare", "--cache", str(tmp_path / "other"), "--folder", str(folder)]) == 0
    found = Corpus.load(tmp_path / "other").entries
    assert sorted((each.genre, each.source) for each in found) == [("blues", "folder"), ("metal", "folder")]


def test_an_export_overwrites_nothing_and_reports_what_is_missing(corrected: Path, tmp_path: Path) -> None:
    folder = tmp_path / "set"
    folder.mkdir()
    (folder / "mine.wav").write_text("mine")
    with pytest.raises(HistoryError, match="set is not empty; name a new folder"):
        export(corrected, folder)
    assert [each.name for each in folder.iterdir()] == ["mine.wav"]
    with pytest.raises(HistoryError, match=r"cannot write the corrections to .*mine.wav"):
        export(corrected, folder / "mine.wav")
    empty = write_history(tmp_path / "empty.sqlite", estimate(5))
    with pytest.raises(HistoryError, match="has no corrections; make them on the page or with --correct"):
        export(empty, tmp_path / "none")
    LabelCorrections(HistoryStore(empty), MODEL).correct(1, 1, "pop", 1.0)
    assert export(empty, tmp_path / "none") == ("corrections with audio: 0; without: 1; nothing was written")
    assert not (tmp_path / "none").exists()


def test_a_clip_of_a_file_is_only_the_corrected_segment(tmp_path: Path) -> None:
    path = write(tmp_path / "two.flac", np.concatenate([tone(300, 40), tone(3_000, 50)]), RATE, "flac")
    sound = read_clip(str(path), 30, 80)  # 40 to 70 s
    assert (len(sound.samples), sound.sample_rate) == (30 * RATE, RATE)
    spectrum = np.abs(np.fft.rfft(sound.samples))
    assert np.argmax(spectrum) / 30 == pytest.approx(3_000, abs=1)
    assert spectrum[300 * 30] < spectrum.max() / 1_000
    assert len(read_clip(str(path), 85, 100).samples) == 5 * RATE  # the file is shorter than the segment


def test_genres_become_names_of_folders_on_every_system() -> None:
    assert genre_folder_name("r&b/soul") == "r&b_soul"
    assert genre_folder_name("../../etc") == "______etc"
    assert genre_folder_name("C:\\x") == "C__x"
    assert genre_folder_name("ジャズ") == "ジャズ"
    assert genre_folder_name(" ") == "_"
