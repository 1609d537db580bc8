"""``overheard train prepare``: from a folder of files to a cache, through the command."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import av
import numpy as np
import numpy.typing as npt
import pytest

from models.degradation import transcode
from models.errors import OverheardError
from models.spectrogram.stft import to_bands
from tests.support.audio import tone, write
from tests.support.cli import command_error
from training.cli import command
from training.data import ingest
from training.data.corpus import Corpus, Entry, normalize_genre
from training.data.geometries import COARSE, FINE, LIVE
from training.data.sources import table_jobs
from training.data.synthetic_noise import noise_jobs
from training.data.targets import EMBEDDING_SIZE, TEACHER_SAMPLE_RATE
from training.data.windows import SAMPLE_RATE, TrackWindows, read_source_digest
from training.errors import DataError

TABLE = """track_id,genre,artist,title,fault_filtered_split,duplicate_of
blues.00000,blues,The Someones,,train,
jazz.00000,jazz,Another,,valid,
"""


def prepared(cache: Path, *words: object) -> dict[str, Entry]:
    """Run the command and return the cache's entries by name."""
    assert command(["prepare", "--cache", str(cache), *map(str, words)]) == 0
    return {each.name: each for each in Corpus.load(cache).entries}


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """GTZAN in small: two recordings, one of them duplicated, and a damaged one."""
    folder = tmp_path_factory.mktemp("gtzan")
    for genre in ("blues", "jazz", "rock"):
        (folder / genre).mkdir()
    write(folder / "blues" / "blues.00000.wav", tone(300, 8), SAMPLE_RATE)
    write(folder / "jazz" / "jazz.00000.wav", tone(3_000, 5.5), SAMPLE_RATE)
    shutil.copy(folder / "jazz" / "jazz.00000.wav", folder / "jazz" / "jazz.00001.wav")
    (folder / "rock" / "rock.00000.wav").write_bytes(b"RIFF, so it begins, and this is all")
    (folder / "tracks.csv").write_text(TABLE)
    return folder


@pytest.fixture(scope="module")
def cached(tree: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    cache = tmp_path_factory.mktemp("cache")
    prepared(cache, "--gtzan", tree)
    return cache


def test_a_folder_becomes_windows_with_the_tables_values(cached: Path) -> None:
    corpus = Corpus.load(cached)
    assert [each.name for each in corpus.entries] == ["blues.00000", "jazz.00000", "jazz.00001"]
    blues, jazz, _ = corpus.entries
    assert (blues.genre, blues.artist, blues.artist_key, blues.part) == (
        "blues", "The Someones", "someones", "train",
    )  # fmt: skip
    windows = corpus.windows(blues)
    assert windows.fine.shape == (2, 2, FINE.columns, 256)  # 8 s: two windows of 5 s half a window apart
    assert windows.coarse.shape == (2, 2, COARSE.columns, 256)
    assert windows.embeddings.shape == (0, EMBEDDING_SIZE)
    assert windows.live.shape == (2, 2, LIVE.columns, 256)
    loudest = [corpus.windows(each).fine[0, 0].mean(axis=0).argmax() for each in (blues, jazz)]
    assert loudest[0] < loudest[1]  # 300 Hz, 3 kHz
    assert np.any(windows.fine[:, 0] != windows.fine[:, 1])
    assert not list(cached.rglob("*.part"))


def test_faults_are_printed_and_a_second_run_decodes_nothing(
    tree: Path, cached: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert Corpus.load(cached).entries[2].duplicate_of == "jazz.00000"
    index = (cached / "index.jsonl").read_text()
    written = {path: path.stat().st_mtime_ns for path in cached.rglob("*.npz")}
    assert len(written) == 3
    prepared(cached, "--gtzan", tree)
    printed = capsys.readouterr().out
    assert "jazz.00001 is a duplicate of jazz.00000" in printed
    assert "rock.00000 is left out: " in printed
    assert "is not audio that FFmpeg can decode" in printed
    assert f"{cached} holds 3 tracks" in " ".join(printed.split())
    assert {path: path.stat().st_mtime_ns for path in cached.rglob("*.npz")} == written
    assert (cached / "index.jsonl").read_text() == index


def test_a_missing_file_is_made_again_with_the_same_bytes(tree: Path, cached: Path) -> None:
    """A track's degraded version depends on its name alone, and not on when it is made."""
    path = cached / "gtzan-audio" / "jazz.00000.npz"
    before = TrackWindows.load(path)
    path.unlink()
    prepared(cached, "--gtzan", tree)
    after = TrackWindows.load(path)
    assert np.array_equal(before.fine, after.fine)
    assert np.array_equal(before.coarse, after.coarse)


def test_folders_name_genres_and_music_has_none(tmp_path: Path) -> None:
    (tmp_path / "mine" / "Jazz" / "album").mkdir(parents=True)
    write(tmp_path / "mine" / "Jazz" / "album" / "a.flac", tone(500, 5.2), SAMPLE_RATE, "flac")
    entries = prepared(tmp_path / "c", "--folder", tmp_path / "mine", "--music", tmp_path / "mine")
    assert len(Corpus.load(tmp_path / "c").entries) == 2
    entry = entries["Jazz__album__a.flac"]
    assert {(e.source, e.genre) for e in Corpus.load(tmp_path / "c").entries} == {
        ("folder", "jazz"), ("music", ""),
    }  # fmt: skip
    assert entry.music


def test_a_second_track_of_the_same_name_is_reported(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The second track was once taken for cached, with the audio of the first."""
    for number, hz in enumerate((300, 3_000)):
        (tmp_path / str(number) / "jazz").mkdir(parents=True)
        write(tmp_path / str(number) / "jazz" / "a.wav", tone(hz, 5.2), SAMPLE_RATE)
    entries = prepared(tmp_path / "c", "--folder", tmp_path / "0", "--folder", tmp_path / "1")
    assert len(entries) == 1
    assert "jazz__a.wav is left out: another track has the same name" in capsys.readouterr().out


def test_a_table_of_kinds_joins_non_music_clips(tmp_path: Path) -> None:
    (tmp_path / "more").mkdir()
    rows = ["file,kind,origin,genre,artist"]
    for number in range(4):
        write(tmp_path / "more" / f"talk{number}.wav", tone(200 + number, 4), SAMPLE_RATE)
        rows.append(f"talk{number}.wav,speech,ESC-10,,")
    write(tmp_path / "more" / "song.wav", tone(800, 5.2), SAMPLE_RATE)
    rows += ["song.wav,music,somewhere,jazz,The Artist", "talk0.wav,speech_over_music,ESC-10,,"]
    (tmp_path / "more.csv").write_text("\n".join(rows) + "\n")
    entries = prepared(tmp_path / "c", "--table", tmp_path / "more.csv")
    assert sorted(entries) == ["song.wav", "speech-ESC-10-000"]
    song, speech = entries["song.wav"], entries["speech-ESC-10-000"]
    assert (song.music, song.genre, song.artist, song.source) == (True, "jazz", "The Artist", "more")
    assert (speech.music, speech.genre, speech.origin) == (False, "", "speech ESC-10")
    # Three clips of 4 s reach 10 s; the fourth alone fills no window.
    assert len(Corpus.load(tmp_path / "c").windows(speech).fine) == 3


def test_the_teachers_hear_joined_clips_and_synthetic_noises(tmp_path: Path) -> None:
    """Each window's values belong to the same stretch of time, at the teachers' rate."""
    rows = ["file,kind,origin"]
    for number, hz in enumerate((300, 600, 1_200)):
        write(tmp_path / f"talk{number}.wav", tone(hz, 5.1), SAMPLE_RATE)
        rows.append(f"talk{number}.wav,speech,somewhere")
    (tmp_path / "more.csv").write_text("\n".join(rows) + "\n")

    def embed(windows: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Return the strongest frequency at the middle of each window, in all values."""
        middle = windows[:, windows.shape[1] // 2 :][:, : TEACHER_SAMPLE_RATE // 4]
        peaks = 4 * np.abs(np.fft.rfft(middle)).argmax(axis=1)
        return np.repeat(peaks[:, np.newaxis], EMBEDDING_SIZE, axis=1).astype(np.float32)

    jobs = [*table_jobs(tmp_path / "more.csv", embed), *noise_jobs(1, embed)]
    ingest.ingest_tracks(jobs, tmp_path / "c", lambda done, total: None)
    corpus = Corpus.load(tmp_path / "c")
    clips, noise = (corpus.windows(each) for each in corpus.entries)
    assert clips.embeddings.shape == (len(clips.live), EMBEDDING_SIZE)
    assert [clips.embeddings[n, 0] for n in (0, 2, -1)] == pytest.approx([300, 600, 1_200], abs=4)
    assert noise.embeddings.shape == (len(noise.live), EMBEDDING_SIZE)
    assert jobs[0].source_digest != next(table_jobs(tmp_path / "more.csv", None)).source_digest


def test_arrays_of_both_geometries_are_one_track(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    fine = random.integers(0, 256, (2, 544, 57), dtype=np.uint8)
    coarse = random.integers(0, 256, (2, 129, 496), dtype=np.uint8)
    np.savez(tmp_path / "f.npz", track_id=np.array(["blues.00001", "jazz.00002"]), db_u8=fine)
    np.savez(tmp_path / "c.npz", track_id=np.array(["jazz.00002", "rock.00003"]), db_u8=coarse)
    words = ("--spectrograms", tmp_path / "f.npz", "--spectrograms", tmp_path / "c.npz")
    entries = prepared(tmp_path / "cache", *words)
    assert {name: each.genre for name, each in entries.items()} == {
        "blues.00001": "blues", "jazz.00002": "jazz", "rock.00003": "rock",
    }  # fmt: skip
    corpus = Corpus.load(tmp_path / "cache")
    blues, jazz, rock = (corpus.windows(entries[name]) for name in sorted(entries))
    assert len(blues.long) == len(rock.fine) == 0
    for windows, row in ((blues, 0), (jazz, 1)):
        assert windows.fine.shape == (1, 1, 57, 256)
        assert np.array_equal(windows.fine[0, 0], np.round(to_bands(fine[row].T, FINE)))
    for windows, row in ((jazz, 0), (rock, 1)):
        assert np.array_equal(windows.long, np.round(to_bands(coarse[row].T, COARSE)))


def test_bad_arguments_raise_one_sentence(tmp_path: Path) -> None:
    empty, flat, nowhere = tmp_path / "empty", tmp_path / "flat", tmp_path / "nowhere"
    for folder in (empty, flat):
        folder.mkdir()
    write(flat / "a.wav", tone(300, 1), SAMPLE_RATE)
    (tmp_path / "t.csv").write_text("name,what\na,b\n")
    (tmp_path / "u.csv").write_bytes("file,genre\nMotörhead.wav,metal\n".encode("latin-1"))
    (tmp_path / "s.csv").write_text("file,kind,seconds\na.wav,noise,long\n")
    odd, gtzans = tmp_path / "odd", tmp_path / "gtzans"
    odd.mkdir()
    (odd / "tracks.csv").write_text("id,genre\nblues.00000,blues\n")
    for file in ("blues/blues.00012.wav", "blues/a.wav", "loose/rock__blues.00012.short.au"):
        (gtzans / file).parent.mkdir(parents=True, exist_ok=True)
        (gtzans / file).touch()
    cases = {
        (): "nothing to prepare; name --gtzan",
        ("--gtzan", empty): "holds neither blues/blues.00000.wav and the like nor stft_first5s.npz",
        ("--folder", nowhere): "holds no audio files",
        ("--folder", flat): "is in no genre's folder; move it to",
        ("--table", tmp_path / "t.csv"): "is no table with the columns file and genre",
        ("--table", tmp_path / "u.csv"): r"cannot read the table .*u\.csv: .*save it as CSV in UTF-8",
        ("--table", tmp_path / "s.csv"): r"s\.csv gives a\.wav 'long' seconds; write a number or nothing",
        ("--table", nowhere): "nowhere does not exist; --table names a CSV file",
        ("--gtzan", odd): r"tracks\.csv lacks the column track_id; take the published table",
        ("--folder", gtzans): r"2 of 3 files in .* have names of GTZAN's tracks, such as blues\.00012\.wav;",
        ("--music", gtzans / "loose"): r"1 of 1 files .*, such as rock__blues\.00012\.short\.au; .* --gtzan",
    }
    for words, sentence in cases.items():
        with pytest.raises(OverheardError, match=sentence) as error:
            command(["prepare", "--cache", str(tmp_path / "c"), *map(str, words)])
        assert "\n" not in str(error.value)
        assert not (tmp_path / "c").exists()
    assert "nothing to prepare" in command_error("train", "prepare", "--cache", str(tmp_path / "c"))


def test_damaged_arrays_raise_one_sentence(tmp_path: Path) -> None:
    db_u8 = np.zeros((2, 544, 57), np.uint8)
    whole, path = tmp_path / "whole.npz", tmp_path / "p.npz"
    np.savez(whole, track_id=np.array(["blues.1", "jazz.1"]), db_u8=db_u8)

    def refused_pictures() -> None:
        with pytest.raises(OverheardError, match="does not hold track_id and db_u8 of") as error:
            command(["prepare", "--cache", str(tmp_path / "c"), "--spectrograms", str(path)])
        assert "\n" not in str(error.value)

    refused_pictures()  # missing
    for content in (b"", b"no zip", whole.read_bytes()[:500], whole.read_bytes()[:-40]):
        path.write_bytes(content)
        refused_pictures()
    for arrays in (
        {"db_u8": db_u8},
        {"track_id": np.array(["blues.1"]), "db_u8": db_u8},
        {"track_id": np.array(["blues.1", "jazz.1"]), "db_u8": db_u8[:, :500]},
        {"track_id": np.array(["blues.1", "jazz.1"]), "db_u8": db_u8.astype(np.float32)},
    ):
        np.savez(path, **arrays)
        refused_pictures()
    with path.open("wb") as file:
        np.save(file, db_u8)
    refused_pictures()


def test_a_cache_without_an_index_names_the_command(tmp_path: Path) -> None:
    with pytest.raises(OverheardError, match="write a cache with overheard train prepare"):
        Corpus.load(tmp_path)
    (tmp_path / "index.jsonl").write_text('{"name": "a", "source": "b", "file": "c"}\n{"name": 3\n')
    with pytest.raises(OverheardError, match=r"line 2 of .* is damaged"):
        Corpus.load(tmp_path)


def tagged(path: Path, artist: str) -> Path:
    """Write a FLAC file with an artist tag."""
    samples = (tone(500, 5.2) * 32_767).astype(np.int16)
    with av.open(str(path), "w") as container:
        container.metadata["artist"] = artist
        stream = container.add_stream("flac", rate=SAMPLE_RATE, layout="mono")
        assert isinstance(stream, av.AudioStream)
        frame = av.AudioFrame.from_ndarray(samples[np.newaxis], "s16", "mono")
        frame.sample_rate = SAMPLE_RATE
        for block in av.AudioResampler("s16", "mono", SAMPLE_RATE, frame_size=4096).resample(frame):
            container.mux(stream.encode(block))
        container.mux(stream.encode(None))
    return path


def test_artists_come_from_tags_and_genres_in_any_spelling(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for genre in ("Hip-Hop", "Polka"):
        (tmp_path / "m" / genre).mkdir(parents=True)
        tagged(tmp_path / "m" / genre / "a.flac", " The Someones ")
    write(tmp_path / "m" / "Polka" / "b.wav", tone(300, 5.2), SAMPLE_RATE)
    (tmp_path / "m" / "Polka" / "c.wav").write_bytes(b"no sound")
    entries = prepared(tmp_path / "c", "--folder", tmp_path / "m")
    assert {name: (each.genre, each.artist) for name, each in entries.items()} == {
        "Hip-Hop__a.flac": ("hiphop", "The Someones"),
        "Polka__a.flac": ("polka", "The Someones"),
        "Polka__b.wav": ("polka", ""),
    }
    printed = " ".join(capsys.readouterr().out.split())
    assert "2 tracks have a genre other than blues, classical" in printed
    assert [normalize_genre(g) for g in (" hip_hop", "HIP HOP", "Rock ", "R&B-soul", "")] == [
        "hiphop", "hiphop", "rock", "r&b-soul", "",
    ]  # fmt: skip


def test_changed_audio_is_prepared_anew_and_other_tracks_stay(tmp_path: Path) -> None:
    """A file was once taken for cached because of its name, and a run dropped the tracks of earlier runs."""
    one, two, cache = tmp_path / "one", tmp_path / "two", tmp_path / "c"
    for folder, genre, hz in ((one, "jazz", 300), (two, "rock", 3_000), (two, "pop", 5_000)):
        (folder / genre).mkdir(parents=True)
        write(folder / genre / "a.wav", tone(hz, 5.2), SAMPLE_RATE)
    prepared(cache, "--folder", one)
    assert sorted(prepared(cache, "--folder", two)) == ["jazz__a.wav", "pop__a.wav", "rock__a.wav"]
    jazz, rock = cache / "folder" / "jazz__a.wav.npz", cache / "folder" / "rock__a.wav.npz"
    (cache / "folder" / "pop__a.wav.npz").unlink()
    before, untouched = TrackWindows.load(jazz), rock.stat().st_mtime_ns
    note = read_source_digest(jazz)
    write(one / "jazz" / "a.wav", tone(6_000, 5.3), SAMPLE_RATE)
    assert sorted(prepared(cache, "--folder", one)) == ["jazz__a.wav", "rock__a.wav"]
    assert TrackWindows.load(jazz).fine[0, 0].mean(axis=0).argmax() > before.fine[0, 0].mean(axis=0).argmax()
    assert re.fullmatch("[0-9a-f]{16}", note)
    assert read_source_digest(jazz) not in ("", note)
    assert rock.stat().st_mtime_ns == untouched
    remade = jazz.read_bytes()
    jazz.write_bytes(remade[:-40])  # damaged
    prepared(cache, "--folder", one)
    assert jazz.read_bytes() == remade
    (one / "jazz" / "a.wav").write_bytes(b"no sound any more")
    assert list(prepared(cache, "--folder", one)) == ["rock__a.wav"]
    assert not list(cache.rglob("*.part"))


def test_the_source_digest_depends_on_teacher_version_and_geometry(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(tmp_path / "a.wav", tone(300, 0.1), SAMPLE_RATE)
    plain = ingest.source_digest(False, path)
    assert plain == ingest.source_digest(False, path)
    others = {plain, ingest.source_digest(True, path), ingest.source_digest(False, path, path)}
    monkeypatch.setattr(ingest, "FORMAT_VERSION", -1)
    others.add(ingest.source_digest(False, path))
    monkeypatch.undo()
    monkeypatch.setattr(ingest, "GEOMETRIES", {"fine": FINE})
    others.add(ingest.source_digest(False, path))
    assert len(others) == 5


def test_audio_that_cannot_be_encoded_is_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """FFmpeg's error once ended the run. Its AAC encoder rejects NaN."""

    def refuse(samples: npt.NDArray[np.float32], rate: int, _: object) -> npt.NDArray[np.float32]:
        return transcode(samples * np.float32(np.nan if samples.max() > 0.2 else 1), rate, "aac")

    monkeypatch.setattr("training.data.windows.degrade_randomly", refuse)
    for name, amplitude in (("loud", 0.3), ("soft", 0.1)):
        (tmp_path / "m" / "jazz").mkdir(parents=True, exist_ok=True)
        write(tmp_path / "m" / "jazz" / f"{name}.wav", tone(300, 5.2, amplitude=amplitude), SAMPLE_RATE)
    assert list(prepared(tmp_path / "c", "--folder", tmp_path / "m")) == ["jazz__soft.wav"]
    assert "jazz__loud.wav is left out: FFmpeg cannot encode its audio" in capsys.readouterr().out


def test_clips_are_joined_by_seconds_without_decoding(tmp_path: Path) -> None:
    """The files lie beside the table here, and none of them is an audio file."""
    table = tmp_path / "clips.csv"
    rows = [f"{n}.wav,noise,here,{seconds}" for n, seconds in enumerate((6, 3.9, 0.2, 12, 5, 4))]
    table.write_text("file,kind,origin,seconds\n" + "\n".join(rows) + "\nlast.wav,noise\n")
    names = [job.entry.name for job in table_jobs(table, None)]
    assert names == ["noise--000", "noise-here-000", "noise-here-001", "noise-here-002"]
    for n in range(3):
        write(tmp_path / f"{n}.wav", tone(300 + n, 2), SAMPLE_RATE)
    joined = list(table_jobs(table, None))[1]
    assert len(joined.make().fine) == 1  # 6 s of sound
    (tmp_path / "1.wav").unlink()
    with pytest.raises(DataError, match=r"its 3 clips last 4\.0 s together, and a window 5\.0 s"):
        joined.make()
