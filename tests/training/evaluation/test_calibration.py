"""Calibration, tables and errors of the training side, on values worked out by hand."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from models.classifier import softmax
from models.spectrogram.image import image_from_columns
from models.spectrogram.spec import AudioSpec
from models.spectrogram.stft import to_bands
from training.data.gtzan import ARRAYS, TABLE, Gtzan
from training.errors import DataError, WeightsError
from training.evaluation.calibration import choose_music_above, choose_unsure_below, fit_temperature
from training.evaluation.protocol_table import ProtocolScore, protocol_table, protocols_as_json
from training.export.calibration_samples import typical
from training.networks.pretrained import convert, keras_arrays
from training.study.features import cache_key


def test_temperature_undoes_what_was_multiplied() -> None:
    """Labels drawn from the probabilities themselves: logits three times too large need temperature 3."""
    rng = np.random.default_rng(0)
    logits = rng.normal(0, 1.5, (4000, 4))
    labels = np.array([rng.choice(4, p=p) for p in softmax(logits)])
    assert fit_temperature(3 * logits, labels) == pytest.approx(3, rel=0.1)


def test_unsure_below_abstains_where_answers_are_poor() -> None:
    confidence = np.linspace(0.3, 1, 100)
    probabilities = np.stack([confidence, 1 - confidence], axis=1)
    probabilities[confidence < 0.5] = probabilities[confidence < 0.5][:, ::-1]
    answers = probabilities.argmax(axis=1)
    right_above = np.where(probabilities.max(axis=1) > 0.6, answers, 1 - answers)
    below = choose_unsure_below(probabilities, right_above)
    right, confidence = probabilities.argmax(axis=1) == right_above, probabilities.max(axis=1)
    assert right.mean() < 0.8
    assert right[confidence >= below].mean() >= 0.8
    assert right[confidence >= below - 0.02].mean() < 0.8  # and none lower would do
    assert choose_unsure_below(probabilities, answers) == 0


def test_unsure_below_worked_out_by_hand() -> None:
    """From 0.7 up 4 of 5 answers are right; below, at most 5 of 7 are."""
    confidence = np.array([0.95, 0.901, 0.85, 0.8, 0.701, 0.65, 0.6, 0.55, 0.54, 0.53])
    labels = np.array([0, 0, 1, 0, 0, 1, 0, 1, 1, 1])
    probabilities = np.stack([confidence, 1 - confidence], axis=1)
    assert choose_unsure_below(probabilities, labels) == 0.71
    assert choose_unsure_below(probabilities, labels, wanted_accuracy=0.3) == 0
    backwards = slice(None, None, -1)
    assert choose_unsure_below(probabilities[backwards], labels[backwards]) == 0.71


def test_unsure_below_leaves_a_fifth_of_the_answers() -> None:
    """All wrong but the surest: that one alone would be right always, and means nothing."""
    confidence = np.array([0.99, 0.9, 0.8, 0.7, 0.66, 0.65, 0.64, 0.63, 0.62, 0.61])
    probabilities = np.stack([confidence, 1 - confidence], axis=1)
    labels = np.array([0, *[1] * 9])
    assert choose_unsure_below(probabilities, labels) == 0.9


def test_music_above_keeps_nearly_all_music() -> None:
    music = np.linspace(0, 1, 101)
    assert choose_music_above(music, kept=0.9) == pytest.approx(0.1, abs=0.0101)
    assert choose_music_above(music, kept=0.9) <= 0.1
    assert choose_music_above(0.9 + 0.1 * music) == 0.5
    assert choose_music_above(np.zeros(5)) == 0


def test_the_protocol_table_names_the_leak() -> None:
    scores = [ProtocolScore("random_folds", "A", (0.5, 0.7)), ProtocolScore("fault_filtered", "A", (0.4,))]
    table = protocol_table(protocols_as_json(scores))
    assert "leaking artists" in table
    assert "| A | 0.400 ± 0.000 |  | 0.600 ± 0.100 |" in table


def write_gtzan(folder: Path) -> Any:
    db_u8 = np.random.default_rng(0).integers(0, 256, (2, 544, 57), dtype=np.uint8)
    np.savez(folder / ARRAYS, track_id=np.array(["rock.1", "pop.1"]), db_u8=db_u8)
    (folder / TABLE).write_text(
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
    assert np.array_equal(gtzan.picture(1, AudioSpec()), live)


def test_the_cache_key_follows_arrays_and_geometry(tmp_path: Path) -> None:
    write_gtzan(tmp_path)
    gtzan = Gtzan.load(tmp_path)
    key = cache_key(gtzan, AudioSpec())
    assert key == cache_key(Gtzan.load(tmp_path), AudioSpec())
    assert key != cache_key(gtzan, AudioSpec(hop_columns=5))
    assert key != cache_key(Gtzan(gtzan.tracks, gtzan.db_u8[::-1]), AudioSpec())


def test_missing_data_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="does not exist; --gtzan names a folder"):
        Gtzan.load(tmp_path / "nowhere")
    with pytest.raises(DataError, match=r"tracks\.csv does not exist"):
        Gtzan.load(tmp_path)


def test_weights_of_another_file_are_refused(tmp_path: Path) -> None:
    other = tmp_path / "other.pth"
    with pytest.raises(WeightsError, match="cannot read"):
        convert(other, tmp_path / "out.npz")
    other.write_bytes(b"other")
    with pytest.raises(WeightsError, match="SHA-256"):
        convert(other, tmp_path / "out.npz")


def test_kernels_are_rearranged_and_epsilons_made_good() -> None:
    kernel = np.arange(2 * 3 * 3 * 3).reshape(2, 3, 3, 3)
    depthwise = np.arange(2 * 3 * 3).reshape(2, 1, 3, 3)
    arrays = keras_arrays(
        {
            "a.weight": kernel, "bn.weight": np.array([2.0]), "bn.running_var": np.array([0.5]),
            "bn.num_batches_tracked": np.array(7), "b.weight": depthwise, "classifier.1.weight": kernel,
        }
    )  # fmt: skip
    assert list(arrays) == ["a.weight", "bn.weight", "bn.running_var", "b.weight"]
    assert arrays["a.weight"][1, 2, 0, 1] == kernel[1, 0, 1, 2]
    assert arrays["b.weight"][1, 2, 1, 0] == depthwise[1, 0, 1, 2]
    assert arrays["bn.weight"] / np.sqrt(0.5 + 1e-3) == pytest.approx(2 / np.sqrt(0.5 + 1e-5))


def test_extreme_pictures_do_not_set_the_ranges() -> None:
    """One layer far above its median is enough to leave a picture out; a quiet picture is no fault."""
    peaks = np.array([[1.0, 10.0], [1.1, 300.0], [0.1, 9.0], [0.9, 11.0]])
    assert typical(peaks, 0.75).tolist() == [2, 3, 0]
    assert typical(peaks, 0.01).tolist() == [2]
