"""Ensemble of teacher networks whose embeddings and class logits a backbone learns to predict.

No teacher alone is as good as the four together (``REPORT.md``). musicnn's networks know the tags that
listeners give to songs. YAMNet and EfficientAT know AudioSet's genres, instruments, voices and moods.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
import soxr

from training.data.targets import TEACHER_SAMPLE_RATE
from training.distillation import efficientat, musicnn, yamnet
from training.errors import DataError

EFFICIENTAT_FILE: Final = "mn04_as_mAP_432.pt"
YAMNET_FILE: Final = "yamnet.tflite"


class TeacherEnsemble:
    """The four teachers.

    Parameters
    ----------
    weights : Path
        Folder with ``EFFICIENTAT_FILE`` and ``YAMNET_FILE``. musicnn's weights are in its package.

    Raises
    ------
    DataError
        If a file or the package musicnn is missing.
    """

    def __init__(self, weights: Path) -> None:
        missing = [name for name in (EFFICIENTAT_FILE, YAMNET_FILE) if not (weights / name).exists()]
        if missing:
            raise DataError(
                f"{weights} lacks {' and '.join(missing)}; name the folder with the teachers' weights"
            )
        self._musicnn = [musicnn.MusicnnTeacher(name) for name in ("MSD_vgg", "MSD_musicnn")]
        self._efficientat = efficientat.EfficientAtTeacher(weights / EFFICIENTAT_FILE)
        self._yamnet = yamnet.YamnetTeacher(weights / YAMNET_FILE)

    def embed(self, windows: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Compute all teachers' values of each window.

        musicnn's networks take 3 s. They process the beginning and the end of each window, and their values
        are averaged.

        Parameters
        ----------
        windows : (n, samples) float32
            At ``TEACHER_SAMPLE_RATE``, at least 3.01 s long.

        Returns
        -------
        (n, EMBEDDING_SIZE) float32
            In the order of ``training.data.targets.TARGET_BLOCKS``.
        """
        low = [soxr.resample(window, TEACHER_SAMPLE_RATE, yamnet.SAMPLE_RATE) for window in windows]
        patches = np.stack(
            [
                musicnn.log_mel_patch(part)
                for window in low
                for part in (window[: musicnn.PATCH_SAMPLES], window[-musicnn.PATCH_SAMPLES :])
            ]
        )
        values = [
            teacher.embed(patches).reshape(len(windows), 2, -1).mean(axis=1) for teacher in self._musicnn
        ]
        values += [self._efficientat.embed(windows), np.stack([self._yamnet.embed(each) for each in low])]
        return np.concatenate(values, axis=1)
