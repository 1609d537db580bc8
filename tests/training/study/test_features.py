"""Key of cached features."""

from pathlib import Path

from models.spectrogram.spec import AudioSpec
from tests.training.data.test_gtzan import write_gtzan
from training.data.gtzan import Gtzan
from training.study.features import cache_key


def test_the_cache_key_changes_with_arrays_and_geometry(tmp_path: Path) -> None:
    write_gtzan(tmp_path)
    gtzan = Gtzan.load(tmp_path)
    key = cache_key(gtzan, AudioSpec())
    assert key == cache_key(Gtzan.load(tmp_path), AudioSpec())
    assert key != cache_key(gtzan, AudioSpec(hop_columns=5))
    assert key != cache_key(Gtzan(gtzan.tracks, gtzan.db_u8[::-1]), AudioSpec())
