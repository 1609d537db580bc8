"""The teacher networks, with their real weights where they are at hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from training.data.targets import EMBEDDING_SIZE, TEACHER_SAMPLE_RATE, target_weights
from training.distillation.efficientat import CLASSES, EfficientAtTeacher, log_mel
from training.distillation.ensemble import EFFICIENTAT_FILE, TeacherEnsemble
from training.distillation.yamnet import YamnetTeacher
from training.errors import DataError

pytestmark = pytest.mark.filterwarnings("ignore")  # TensorFlow's own deprecations


def chord() -> npt.NDArray[np.float32]:
    """Five seconds of a chord that gets louder and quieter four times a second."""
    t = np.arange(5 * TEACHER_SAMPLE_RATE) / TEACHER_SAMPLE_RATE
    tones = sum(
        np.sin(2 * np.pi * hz * t) * level for hz, level in ((220, 0.2), (277.18, 0.15), (329.63, 0.15))
    )
    loudness = 0.6 + 0.4 * np.sign(np.sin(4 * np.pi * t))
    sound: npt.NDArray[np.float32] = (tones * loudness).astype(np.float32)
    return sound


def test_efficientat_computes_what_its_authors_network_does(shared: Path) -> None:
    """The reference values are those of the published network in PyTorch 2.13 on the same sound."""
    teacher = EfficientAtTeacher(shared / "teachers" / EFFICIENTAT_FILE)
    (values,) = teacher.embed(chord()[np.newaxis])
    assert values[:6] == pytest.approx(
        [-0.186267, -0.056834, -0.123597, -0.18179, 0.70804, -0.320955], abs=1e-4
    )
    logits = dict(zip(CLASSES, values[384:], strict=True))
    assert [logits[each] for each in (137, 140, 216, 240)] == pytest.approx(
        [0.543757, -4.565634, -6.522374, -3.678708], abs=1e-3
    )


def test_a_log_mel_spectrogram_has_a_column_every_10_ms() -> None:
    mel = log_mel(chord())
    assert mel.shape == (128, 500)
    loudest = mel.mean(axis=1).argmax()
    assert 5 < loudest < 20, "the chord's tones lie below 400 Hz"


def test_a_folder_without_the_weights_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"lacks mn04_as_mAP_432.pt and yamnet.tflite; name the folder"):
        TeacherEnsemble(tmp_path)


def test_another_file_than_yamnets_raises_one_sentence(tmp_path: Path) -> None:
    path = tmp_path / "yamnet.tflite"
    path.write_bytes(b"no network")
    with pytest.raises(DataError, match="is not YAMNet's TFLite file") as error:
        YamnetTeacher(path)
    assert "\n" not in str(error.value)


def test_yamnet_recognizes_silence_as_no_music(shared: Path) -> None:
    teacher = YamnetTeacher(shared / "teachers" / "yamnet.tflite")
    music, silence = (teacher.embed(each) for each in (chord()[::2].copy(), np.zeros(80_000, np.float32)))
    assert music.shape == silence.shape == (1178,)
    assert music[1024 + 9] > silence[1024 + 9] + 1, "the class Music, after nine of singing"


def test_every_block_of_targets_weighs_the_same() -> None:
    weights = target_weights()
    assert weights.shape == (EMBEDDING_SIZE,)
    assert weights.mean() == pytest.approx(1)
    assert weights[:256].sum() == pytest.approx(weights[256:306].sum(), rel=1e-5)
