"""YAMNet as a teacher: embeddings and AudioSet classes.

YAMNet (Plakal and Ellis, 2020, Apache-2.0) is a MobileNet that was trained on AudioSet. Its TFLite file
takes frames of 0.975 s.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from training.errors import DataError

Floats = npt.NDArray[np.float32]

SAMPLE_RATE: Final = 16_000
"""Sample rate of the network's input, Hz."""

FRAME_SAMPLES: Final = 15_600
HOP_SAMPLES: Final = 7_680
"""Samples from one frame to the next, 0.48 s, as YAMNet's own program has them."""

CLASSES: Final = (*range(24, 33), *range(132, 277))
"""Indices of the classes that are kept: singing (24 to 32) and music (132 to 276)."""

EMBEDDING_TENSOR: Final = "yamnet_frames/global_average_pooling2d/Mean"
SMALLEST_SCORE: Final = 1e-6
"""Class scores are limited to this value from below and to 1 minus this value before the logit."""


class YamnetTeacher:
    """YAMNet as a TFLite file.

    Parameters
    ----------
    path : Path
        ``yamnet.tflite``.

    Raises
    ------
    DataError
        If the file is missing or another network.
    """

    def __init__(self, path: Path) -> None:
        from ai_edge_litert.interpreter import Interpreter

        try:
            self._interpreter = Interpreter(str(path), num_threads=1, experimental_preserve_all_tensors=True)
            self._interpreter.allocate_tensors()
            names = {each["name"]: each["index"] for each in self._interpreter.get_tensor_details()}
            self._embedding = names[EMBEDDING_TENSOR]
        except (ValueError, KeyError) as error:
            raise DataError(f"{path} is not YAMNet's TFLite file: {error}") from error
        self._input = self._interpreter.get_input_details()[0]["index"]
        self._scores = self._interpreter.get_output_details()[0]["index"]

    def embed(self, samples: Floats) -> Floats:
        """Average the embeddings and the class logits of the frames of a window.

        Parameters
        ----------
        samples : (n,) float32
            At 16 kHz, at least one frame long.

        Returns
        -------
        (1178,) float32
            1,024 values of the last layer and 154 logits of ``CLASSES``.
        """
        rows = []
        for start in range(0, len(samples) - FRAME_SAMPLES + 1, HOP_SAMPLES):
            self._interpreter.set_tensor(self._input, samples[np.newaxis, start : start + FRAME_SAMPLES])
            self._interpreter.invoke()
            scores = self._interpreter.get_tensor(self._scores)[0, list(CLASSES)]
            scores = np.clip(scores, SMALLEST_SCORE, 1 - SMALLEST_SCORE)
            logits = np.log(scores / (1 - scores))
            rows.append(np.concatenate([self._interpreter.get_tensor(self._embedding)[0], logits]))
        mean: Floats = np.mean(rows, axis=0, dtype=np.float32)
        return mean
