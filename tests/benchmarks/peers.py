"""Time of one window in one thread, and that of peers.

Each peer runs in its own process, between two runs of ours.

``python -m tests.benchmarks.peers NAME`` prints the milliseconds of its runs as JSON.
"""

from __future__ import annotations

import io
import itertools
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from tests.benchmarks.results import Result, against, milliseconds
from tests.support.paths import ROOT

RUNS = {"ours": 200, "LiteRT float32": 100}
FEW_RUNS = 30
ONE_THREAD = {
    "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "TF_NUM_INTRAOP_THREADS": "1",
    "TF_NUM_INTEROP_THREADS": "1", "TF_CPP_MIN_LOG_LEVEL": "3",
}  # fmt: skip
OLD_PYTHON = ROOT / "build" / "tflite-runtime" / "bin" / "python"
MUSICNN = ROOT / "build" / "musicnn"
MUSICNN_PINS = ROOT / "tests" / "benchmarks" / "musicnn.txt"

Work = Callable[[], object]


def a_picture() -> npt.NDArray[np.uint8]:
    """Spectrogram image of the demonstration, (256, 256, 3) uint8."""
    from models.manifest import ModelManifest
    from models.spectrogram.image import spectrogram_image
    from tests.benchmarks.window import sound

    audio = ModelManifest.load().audio
    return spectrogram_image(sound(audio)[: audio.window_samples], audio)


def network() -> Any:
    """Build the shipped network in Keras, from pixels to logits. Random weights take as long as trained."""
    from training.data.gtzan import LABELS
    from training.networks.genre import (
        build_backbone,
        build_classifier,
        build_export_network,
        build_pooled_features,
    )

    return build_export_network(
        build_classifier(build_pooled_features(build_backbone(imagenet=False)), len(LABELS)), len(LABELS)
    )


def one_thread() -> None:
    """Limit TensorFlow to one thread. This works only before it computes anything."""
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)


def ours() -> Work:
    """Spectrogram, inference, smoothing and message of one hop, with the runtime that is installed."""
    from tests.benchmarks.window import hops

    return hops()


def keras_predict() -> Work:
    """``predict`` alone, of a picture that is there."""
    one_thread()
    model, batch = network(), a_picture()[np.newaxis].astype(np.float32)
    return lambda: model.predict(batch, verbose=0)


def keras_function() -> Work:
    """The network as a ``tf.function``."""
    import tensorflow as tf

    one_thread()
    model, batch = network(), tf.constant(a_picture()[np.newaxis].astype(np.float32))
    answer = tf.function(lambda picture: model(picture, training=False))
    return lambda: answer(batch).numpy()


def litert_float() -> Work:
    """LiteRT, not quantized."""
    from ai_edge_litert.interpreter import Interpreter

    from training.export.tflite import convert

    batch = a_picture()[np.newaxis]
    interpreter = Interpreter(model_content=convert(network()), num_threads=1)
    interpreter.allocate_tensors()
    entry, answer = interpreter.get_input_details()[0]["index"], interpreter.get_output_details()[0]["index"]

    def once() -> object:
        interpreter.set_tensor(entry, batch)
        interpreter.invoke()
        return interpreter.get_tensor(answer)

    return once


def musicnn() -> Work:
    """musicnn's 3 s window: its log mel frames, and its network as its session runs it."""

    from tests.support.audio import noise
    from training.distillation.musicnn import PATCH_SAMPLES, MusicnnTeacher, log_mel_patch

    teacher = MusicnnTeacher("MSD_musicnn")
    window = np.float32(0.1) * noise(PATCH_SAMPLES).astype(np.float32)
    return lambda: teacher.embed(log_mel_patch(window)[np.newaxis])


def plotted() -> Work:
    """The picture as most projects make it: librosa's STFT, plotted by matplotlib, read back from PNG."""
    import librosa
    import librosa.display
    import matplotlib.pyplot as plt

    from models.manifest import ModelManifest
    from tests.benchmarks.window import sound

    plt.switch_backend("Agg")
    audio = ModelManifest.load().audio
    window = sound(audio)[: audio.window_samples]

    def once() -> object:
        decibels = librosa.amplitude_to_db(np.abs(librosa.stft(window)), ref=np.max)
        figure = plt.figure(figsize=(2.56, 2.56), dpi=100)
        librosa.display.specshow(decibels, sr=audio.sample_rate, y_axis="linear", x_axis="time")
        plt.axis("off")
        written = io.BytesIO()
        figure.savefig(written, format="png", bbox_inches="tight", pad_inches=0)
        plt.close(figure)
        written.seek(0)
        return plt.imread(written)

    return once


PEERS: dict[str, Callable[[], Work]] = {
    "ours": ours,
    "Keras predict": keras_predict,
    "Keras tf.function": keras_function,
    "LiteRT float32": litert_float,
    "tflite-runtime 2.14 int8": ours,
    "musicnn, 3 s": musicnn,
    "librosa.stft + matplotlib, picture only": plotted,
}


def times_of(name: str) -> npt.NDArray[np.float64]:
    """Milliseconds of each run, in a process of its own that has one thread."""
    python = OLD_PYTHON if name.startswith("tflite-runtime") else Path(sys.executable)
    paths = os.pathsep.join(map(str, (ROOT, MUSICNN) if name.startswith("musicnn") else (ROOT,)))
    done = subprocess.run(
        [str(python), "-m", "tests.benchmarks.peers", name], cwd=ROOT, capture_output=True, text=True,
        env=os.environ | ONE_THREAD | {"PYTHONPATH": paths}, check=False,
    )  # fmt: skip
    if done.returncode:
        raise RuntimeError(f"{name}: {done.stderr.strip().splitlines()[-1]}")
    return np.array(json.loads(done.stdout.splitlines()[-1]))


def install_musicnn() -> None:
    """Its package alone, for its weights: what it asks for is of 2019."""
    if not MUSICNN.exists():
        words = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps"]
        subprocess.run([sys.executable, *words, "--target", MUSICNN, "-r", MUSICNN_PINS], check=True)


def measure() -> list[Result]:
    """Measure ours, and then each peer and ours again. Each ratio compares neighbours in time."""
    install_musicnn()
    before = times_of("ours")
    everything, found = [before], []
    for name in itertools.islice(PEERS, 1, None):
        if name.startswith("tflite-runtime") and not OLD_PYTHON.exists():
            continue  # it has no wheels for this machine or Python
        theirs = float(np.median(times_of(name)))
        after = times_of("ours")
        near = float(np.median(np.concatenate([before, after])))
        quicker = "ours before and after is quicker by"
        found.append(Result(f"window: {name}, p50", theirs, "ms", quicker, theirs / near))
        before = after
        everything.append(after)
    p50, p95, p99 = np.percentile(np.concatenate(everything), [50, 95, 99])
    whole = "window: picture + inference + smoothing + message"
    return [
        Result(f"{whole}, p50", p50, "ms"),
        against(f"{whole}, p95", p95, "ms", "limit of 12 ms", 12.0),
        Result(f"{whole}, p99", p99, "ms"),
        *found,
    ]


if __name__ == "__main__":
    chosen = sys.argv[1]
    print(json.dumps(milliseconds(PEERS[chosen](), RUNS.get(chosen, FEW_RUNS)).round(4).tolist()))
