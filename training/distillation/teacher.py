"""The teacher network: musicnn's embeddings of windows of music.

musicnn (Pons and Serra, 2019, ISC license) is a small network that was trained on the Million Song Dataset
to predict listeners' tags. Its weights are in the PyPI package ``musicnn``, which requires a TensorFlow of
2019. Only the weights are read here, so the package is to be installed with ``--no-deps``.
"""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from training.data.targets import TEACHER_SAMPLE_RATE
from training.errors import DataError

PATCH_FRAMES: Final = 187
"""Frames of a patch: 3 s at 256 samples a frame."""

MEL_BANDS: Final = 96

_PENULTIMATE: Final = "model/batch_normalization_10/batchnorm/add_1:0"
_LOGITS: Final = "model/dense_1/BiasAdd:0"


class Teacher:
    """musicnn's network that was trained on the Million Song Dataset.

    Parameters
    ----------
    threads : int
        Threads of TensorFlow.

    Raises
    ------
    DataError
        If the package is not installed.
    """

    def __init__(self, threads: int = 1) -> None:
        folder = _musicnn_folder() / "MSD_musicnn"  # before TensorFlow, whose import takes seconds

        import tensorflow as tf
        from tensorflow.core.protobuf import meta_graph_pb2

        meta = meta_graph_pb2.MetaGraphDef()
        meta.ParseFromString((folder / ".meta").read_bytes())
        for node in meta.graph_def.node:
            node.attr.pop("_output_shapes", None)  # a current TensorFlow rejects those of 2019
        v1 = tf.compat.v1
        graph = tf.Graph()
        with graph.as_default():
            saver = v1.train.import_meta_graph(meta)
            config = v1.ConfigProto(intra_op_parallelism_threads=threads, inter_op_parallelism_threads=1)
            self._session: Any = v1.Session(graph=graph, config=config)
            saver.restore(self._session, f"{folder}/")

    def embed(self, windows: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Compute the penultimate activations and tag logits of the middle 3 s of each window.

        Parameters
        ----------
        windows : (n, samples) float32
            At ``TEACHER_SAMPLE_RATE``, at least 3.01 s long.

        Returns
        -------
        (n, 250) float32
        """
        patches = np.stack([_log_mel_patch(window) for window in windows])
        feed = {"model/Placeholder:0": patches, "model/Placeholder_2:0": False}
        penultimate, logits = self._session.run([_PENULTIMATE, _LOGITS], feed)
        return np.concatenate([penultimate, logits], axis=1)


def _log_mel_patch(window: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Compute the (187, 96) log mel frames of a window's middle as musicnn does."""
    import librosa

    n = PATCH_FRAMES * 256
    start = max(0, (len(window) - n) // 2)
    mel = librosa.feature.melspectrogram(
        y=window[start : start + n], sr=TEACHER_SAMPLE_RATE, hop_length=256, n_fft=512, n_mels=MEL_BANDS
    )
    patch: npt.NDArray[np.float32] = np.log10(10_000 * mel.T[:PATCH_FRAMES] + 1).astype(np.float32)
    return patch


def _musicnn_folder() -> Path:
    found = importlib.util.find_spec("musicnn")
    if found is None or not found.submodule_search_locations:
        raise DataError("the teacher needs the package musicnn; run: pip install --no-deps musicnn==0.1.0")
    return Path(found.submodule_search_locations[0])
