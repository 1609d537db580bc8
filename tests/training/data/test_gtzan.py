"""GTZAN's table and published arrays."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from models.spectrogram.image import image_from_columns
from models.spectrogram.spec import AudioSpec
from models.spectrogram.stft import to_bands
from training.data.gtzan import FINE_ARRAYS_FILE, TABLE_FILE, Gtzan
from training.errors import DataError


def write_gtzan(folder: Path) -> Any:
    db_u8 = np.random.default_rng(0).integers(0, 256, (2, 544, 57), dtype=np.uint8)
    np.savez(folder / FINE_ARRAYS_FILE, track_id=np.array(["rock.1", "pop.1"]), db_u8=db_u8)
    (folder / TABLE_FILE).write_text(
        "track_id,genre,artist,title,fault_filtered_split,duplicate_of\n"
        "pop.1,pop,Someone,,train,\nrock.1,rock,The Others,,test,\n"
    )
    return db_u8


def test_tracks_and_arrays_are_joined_by_name(tmp_path: Path) -> None:
    db_u8 = write_gtzan(tmp_path)
    gtzan = Gtzan.load(tmp_path)
    assert [track.genre for track in gtzan.tracks] == ["rock", "pop"]
    assert not gtzan.db_u8.flags.writeable
    live = image_from_columns(to_bands(db_u8[1].T, AudioSpec()), AudioSpec())
    assert np.array_equal(gtzan.image(1, AudioSpec()), live)


def test_missing_data_raises_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="does not exist; --gtzan names a folder"):
        Gtzan.load(tmp_path / "nowhere")
    with pytest.raises(DataError, match=r"tracks\.csv does not exist"):
        Gtzan.load(tmp_path)
