"""How long one inference takes: several models side by side, on one thread of this machine."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np

from training.data.augmentation import Intensities
from training.data.eval_sets import render_images
from training.export import tflite

REPRESENTATIVE_IMAGES = 20
"""Pictures that set the int8 ranges of a network that is only timed."""

SHIPPED_INT8, SHIPPED_FLOAT, STUDY_INT8 = (
    "this model, int8",
    "this model, float32",
    "the study's network, int8",
)


def convert_study_network(places: Intensities) -> bytes:
    """The study's network with an untrained head, full int8: its arithmetic is that of a trained one.

    Parameters
    ----------
    places : (n, 256, 256) uint8
        Typical pictures; the first 20 are looked at.
    """
    from training.networks.study import STUDY_CNN_GRU, build_network

    return tflite.TracedModel(build_network(STUDY_CNN_GRU)).convert(
        render_images(places[:REPRESENTATIVE_IMAGES])
    )


def measure_latencies(
    models: dict[str, bytes],
    *,
    runs: int = 60,
    warm_up: int = 5,
    clock: Callable[[], float] = time.perf_counter,
) -> dict[str, float]:
    """Median ms of one inference of each model, in LiteRT on one thread.

    The models take turns, so that whatever else the machine does falls on all of them alike.

    Parameters
    ----------
    models : dict of bytes
        TFLite flatbuffers by name.
    runs, warm_up : int
        Inferences of each that count, and before those that do not.
    clock : callable
        Seconds.
    """
    waiting = {name: _prepare_interpreter(content) for name, content in models.items()}
    taken: dict[str, list[float]] = {name: [] for name in models}
    for _ in range(warm_up + runs):
        for name, interpreter in waiting.items():
            begun = clock()
            interpreter.invoke()
            taken[name].append(clock() - begun)
    return {name: round(1_000 * float(np.median(each[warm_up:])), 3) for name, each in taken.items()}


def _prepare_interpreter(content: bytes) -> Any:
    """An interpreter whose input is set, to a picture of noise."""
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_content=content, num_threads=1)
    interpreter.allocate_tensors()
    details = interpreter.get_input_details()[0]
    noise = np.random.default_rng(0).integers(-128, 128, details["shape"])
    stored = noise if details["dtype"] is np.int8 else noise + 128
    interpreter.set_tensor(details["index"], stored.astype(details["dtype"]))
    return interpreter
