"""musicnn's two networks as teachers: embeddings and tags of the Million Song Dataset.

musicnn (Pons and Serra, 2019, ISC license) is two small networks that were trained on the Million Song
Dataset to predict listeners' tags. Their weights are in the PyPI package ``musicnn``, which requires a
TensorFlow of 2019. Only the weights are read here, so install the package with ``--no-deps``.
"""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from training.errors import DataError

Floats = npt.NDArray[np.float32]

SAMPLE_RATE: Final = 16_000
"""Sample rate of the networks' input, Hz."""

PATCH_FRAMES: Final = 187
"""Frames of a patch: 3 s at 256 samples a frame."""

PATCH_SAMPLES: Final = PATCH_FRAMES * 256

MEL_BANDS: Final = 96

_OUTPUTS: Final = {
    "MSD_vgg": ("model/max_pooling2d_4/MaxPool:0", "model/dense/BiasAdd:0"),
    "MSD_musicnn": ("model/batch_normalization_10/batchnorm/add_1:0", "model/dense_1/BiasAdd:0"),
}
"""Tensors of the penultimate layer and of the tag logits, by network."""


class MusicnnTeacher:
    """One of musicnn's networks.

    Parameters
    ----------
    name : str
        ``MSD_vgg`` (256 values of the penultimate layer) or ``MSD_musicnn`` (200 values).

    Raises
    ------
    DataError
        If the package is not installed.
    """

    def __init__(self, name: str) -> None:
        folder = _musicnn_folder() / name  # before TensorFlow, whose import takes seconds

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
            config = v1.ConfigProto(intra_op_parallelism_threads=1, inter_op_parallelism_threads=1)
            self._session: Any = v1.Session(graph=graph, config=config)
            saver.restore(self._session, f"{folder}/")
        self._outputs = _OUTPUTS[name]

    def embed(self, patches: Floats) -> Floats:
        """Compute the penultimate activations and tag logits of each patch.

        Parameters
        ----------
        patches : (n, 187, 96) float32
            From ``log_mel_patch``.

        Returns
        -------
        (n, 306) or (n, 250) float32
        """
        feed = {"model/Placeholder:0": patches, "model/Placeholder_2:0": False}
        penultimate, logits = self._session.run(self._outputs, feed)
        embeddings: Floats = np.concatenate([penultimate.reshape(len(patches), -1), logits], axis=1)
        return embeddings


def log_mel_patch(samples: Floats) -> Floats:
    """Compute the (187, 96) log mel frames of (``PATCH_SAMPLES``,) samples at 16 kHz as musicnn does."""
    import librosa

    mel = librosa.feature.melspectrogram(
        y=samples, sr=SAMPLE_RATE, hop_length=256, n_fft=512, n_mels=MEL_BANDS
    )
    patch: Floats = np.log10(10_000 * mel.T[:PATCH_FRAMES] + 1).astype(np.float32)
    return patch


def _musicnn_folder() -> Path:
    found = importlib.util.find_spec("musicnn")
    if found is None or not found.submodule_search_locations:
        raise DataError("the teacher needs the package musicnn; run: pip install --no-deps musicnn==0.1.0")
    return Path(found.submodule_search_locations[0])
