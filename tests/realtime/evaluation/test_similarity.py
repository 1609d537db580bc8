"""``overheard evaluate similarity`` on spectrograms and on audio files."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest

from models.audio.file import decode_file
from models.spectrogram.stored import STORED_GEOMETRIES
from tests.support.audio import write
from tests.support.cli import main_error, run_main
from tests.support.paths import DEMONSTRATION

RATE = 22_050


def evaluate(*arguments: str) -> dict[str, object]:
    done = run_main("evaluate", "similarity", *arguments, "--json")
    assert done.returncode == 0, done.stderr
    document: dict[str, object] = json.loads(done.stdout)
    return document


def write_csv(path: Path, rows: list[dict[str, str]]) -> Path:
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return path


@pytest.fixture
def spectrograms(tmp_path: Path) -> Path:
    """Six tracks of two artists, which differ by the rows that are loud. One is only searched."""
    geometry = STORED_GEOMETRIES[0]
    random = np.random.default_rng(0)
    names, arrays, rows = [], [], []
    for number in range(6):
        sound = random.integers(0, 60, (geometry.rows, geometry.columns))
        band = slice(30, 60) if number % 2 else slice(200, 400)
        sound[band] += 150
        names.append(f"{('blues', 'rock')[number % 2]}.{number:05}")
        arrays.append(sound.astype(np.uint8))
        rows.append(
            {
                "track_id": names[-1],
                "fault_filtered_split": "valid" if number == 5 else "test",
                "artist": ("The Low", "high")[number % 2],
            }
        )
    write_csv(tmp_path / "tracks.csv", rows)
    np.savez(tmp_path / "s.npz", track_id=np.array(names), db_u8=np.stack(arrays))
    return tmp_path / "s.npz"


def test_stored_spectrograms_are_searched_in_two_splits(spectrograms: Path) -> None:
    found = evaluate("--spectrograms", str(spectrograms))
    assert (found["tracks"], found["among"], found["artist_tracks"]) == (5, 6, 5)
    assert found["artist_mrr"] == 1
    assert found["genre_precision"] == 0, "every genre has one artist, whose tracks do not count"
    alone = evaluate("--spectrograms", str(spectrograms), "--among", "")
    assert (alone["tracks"], alone["among"]) == (5, 5)
    text = run_main("evaluate", "similarity", "--spectrograms", str(spectrograms)).stdout
    assert "1.000 mean reciprocal rank of the same artist, for 5 tracks" in text


def test_audio_files_are_compared_by_genre_and_artist(tmp_path: Path) -> None:
    sound = decode_file(str(DEMONSTRATION), RATE)
    rows = []
    for number, start in enumerate((2, 9, 62, 70)):
        write(tmp_path / f"{number}.wav", sound[start * RATE : (start + 6) * RATE], RATE)
        artist, genre = ("A", "pop") if number < 2 else ("B", "metal")
        rows.append({"file": f"{number}.wav", "genre": genre, "artist": artist})
    (tmp_path / "text.wav").write_text("no sound")
    table = write_csv(tmp_path / "own.csv", [*rows, rows[0] | {"file": "text.wav"}])
    found = evaluate("--table", str(table))
    assert (found["tracks"], found["artist_tracks"], found["artist_mrr"]) == (4, 4, 1)
    skipped = found["skipped"]
    assert isinstance(skipped, list)
    assert [each["file"] for each in skipped] == ["text.wav"]


def test_every_problem_is_one_sentence(spectrograms: Path, tmp_path: Path) -> None:
    no_artists = write_csv(tmp_path / "none.csv", [{"file": "a.wav", "genre": "pop"}])
    empty = write_csv(tmp_path / "empty.csv", [{"file": "a.wav", "genre": "pop", "artist": "A"}])
    for arguments, expected in (
        ((), "give either --spectrograms or --table"),
        (("--spectrograms", str(spectrograms), "--table", str(empty)), "give either --spectrograms"),
        (("--spectrograms", str(spectrograms), "--split", "nope"), "has no split 'nope'"),
        (("--spectrograms", str(spectrograms), "--held-out-artists"), "--held-out-artists needs --table"),
        (("--table", "t.csv", "--split", "valid"), "--split, --among and --split-table need --spectrograms"),
        (("--table", "t.csv", "--among", "train"), "--split, --among and --split-table need --spectrograms"),
        (("--table", "t.csv", "--split-table", "s.csv"), "--split, --among and --split-table need --spec"),
        (("--table", str(no_artists)), "lacks the column artist"),
        (("--table", str(empty)), "has 0 tracks that can be compared; two are needed; the first, a.wav"),
    ):
        assert expected in main_error("evaluate", "similarity", *arguments)
