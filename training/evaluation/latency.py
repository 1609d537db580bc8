"""Latency of one inference of several models, measured in turns on one thread of this machine."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np

from training.export import tflite

SHIPPED_INT8, SHIPPED_FLOAT, STUDY_INT8 = (
    "this model, int8",
    "this model, float32",
    "the study's network, int8",
)
"""Names of the timed models. They are keys of the manifest's metrics."""


def convert_study_network() -> bytes:
    """Convert the study's network with an untrained head. A trained one has the same arithmetic."""
    from training.networks.study import STUDY_CNN_GRU, build_network

    return tflite.quantize_weights(tflite.convert(build_network(STUDY_CNN_GRU)))


def measure_latencies(
    models: dict[str, bytes],
    *,
    runs: int = 60,
    warm_up: int = 5,
    clock: Callable[[], float] = time.perf_counter,
) -> dict[str, float]:
    """Measure the median milliseconds of one inference of each model, in LiteRT on one thread.

    The models take turns, so that other load on the machine affects all of them alike.

    Parameters
    ----------
    models : dict of bytes
        TFLite flatbuffers by name.
    runs, warm_up : int
        Inferences of each model that count, and inferences before them that do not.
    clock : callable
        Returns seconds.
    """
    interpreters = {name: _prepare_interpreter(content) for name, content in models.items()}
    seconds: dict[str, list[float]] = {name: [] for name in models}
    for _ in range(warm_up + runs):
        for name, interpreter in interpreters.items():
            start = clock()
            interpreter.invoke()
            seconds[name].append(clock() - start)
    return {name: round(1_000 * float(np.median(each[warm_up:])), 3) for name, each in seconds.items()}


def _prepare_interpreter(content: bytes) -> Any:
    """Open an interpreter and set its input to an image of noise."""
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_content=content, num_threads=1)
    interpreter.allocate_tensors()
    details = interpreter.get_input_details()[0]
    noise = np.random.default_rng(0).integers(0, 256, details["shape"], np.uint8)
    interpreter.set_tensor(details["index"], noise)
    return interpreter
