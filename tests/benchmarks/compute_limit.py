"""Computations of the network, the limit of one core, and the time of each stage."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from models.manifest import ModelManifest
from tests.benchmarks.results import Result

TURNS = 120
NOISE_MS = 0.05
"""A smaller difference of two times is noise."""
DENSE = 1024
"""Rows, inputs and outputs of the matrix product that measures the speed of a core."""

STAGES = {
    "first convolution, 256 x 256 to 128 x 32": "Conv1_relu",
    "blocks to 64 x 16": "block_2_add",
    "blocks to 32 x 8": "block_5_add",
    "blocks to 16 x 4, 64 channels": "block_9_add",
    "blocks to 16 x 4, 96 channels": "block_12_add",
    "blocks to 8 x 4": "block_16_project_BN",
    "pooling": "all",
}
"""Layers after which the network is cut, in order."""


def multiply_accumulates(content: bytes) -> int:
    """Count those of one inference, from the shapes of the convolutions and products of a TFLite file."""
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    plain = OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
    interpreter = Interpreter(model_content=content, experimental_op_resolver_type=plain)
    interpreter.allocate_tensors()
    shapes = {each["index"]: each["shape"] for each in interpreter.get_tensor_details()}
    total = 0
    for op in interpreter._get_ops_details():
        if op["op_name"] not in ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED"):
            continue
        weights, out = shapes[op["inputs"][1]], shapes[op["outputs"][0]]
        # Of a depthwise kernel (1, height, width, channels) each output sees one channel only.
        total += int(np.prod(out)) * int(
            np.prod(weights[1:3] if op["op_name"].startswith("D") else weights[1:])
        )
    return total


def stages() -> dict[str, bytes]:
    """The network cut after each stage, and whole, with int8 kernels."""
    import keras

    from training.data.gtzan import LABELS
    from training.export.tflite import convert, quantize_weights
    from training.networks.genre import (
        build_backbone,
        build_classifier,
        build_export_network,
        build_pooled_features,
    )

    trained = build_classifier(build_pooled_features(build_backbone(imagenet=False)), len(LABELS))
    whole = build_export_network(trained, len(LABELS))
    features = trained.get_layer("pooled_features")
    begin = features.get_layer("Conv1").output
    cut = {}
    for name, layer in STAGES.items():
        part = keras.Model(begin, features.get_layer(layer).output)
        network = keras.Model(whole.input, part(whole.get_layer("folded").output, training=False))
        cut[name] = quantize_weights(convert(network))
    return cut | {"GRU and logits": quantize_weights(convert(whole))}


def dense() -> bytes:
    """An int8 product of two square matrices."""
    import keras

    rows = keras.Input((DENSE,))
    network = keras.Model(rows, keras.layers.Dense(DENSE)(rows))
    import tensorflow as tf

    converter = tf.lite.TFLiteConverter.from_concrete_functions(
        [tf.function(network).get_concrete_function(tf.TensorSpec((DENSE, DENSE), tf.float32))]
    )
    random = np.random.default_rng(0)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = lambda: (
        [random.normal(0, 1, (DENSE, DENSE)).astype(np.float32)] for _ in range(2)
    )
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    converter.inference_input_type = converter.inference_output_type = tf.int8
    return bytes(converter.convert())


def timed(models: dict[str, bytes]) -> dict[str, float]:
    """Best quarter's median ms of each, in turns on one thread: what else runs here slows only the others."""
    import time

    from ai_edge_litert.interpreter import Interpreter

    ready: dict[str, Callable[[], Any]] = {}
    kept = []
    for name, content in models.items():
        interpreter = Interpreter(model_content=content, num_threads=1)
        interpreter.allocate_tensors()
        kept.append(interpreter)
        ready[name] = interpreter.invoke
    taken: dict[str, list[float]] = {name: [] for name in models}
    for _ in range(TURNS):
        for name, invoke in ready.items():
            began = time.perf_counter()
            invoke()
            taken[name].append((time.perf_counter() - began) * 1e3)
    return {name: float(np.quantile(times, 0.125)) for name, times in taken.items()}


def measure() -> list[Result]:
    """The limit, the share of it that is reached, and the stages."""
    shipped = ModelManifest.load().read_model()
    cut = stages()
    ms = timed({"shipped": shipped, "dense": dense(), **cut})
    work = multiply_accumulates(shipped)
    peak = DENSE**3 / ms["dense"] / 1e6  # billions a second
    reached = work / ms["shipped"] / 1e6
    found = [
        Result("multiply-accumulates of one inference", work / 1e6, "million"),
        Result("int8 peak of one core, dense product", peak, "billion/s"),
        Result("reached by the network", reached, "billion/s", "share of the peak", reached / peak),
    ]
    before = work_before = 0.0
    for name, content in cut.items():
        done = multiply_accumulates(content)
        spent, own = ms[name] - before, done - work_before
        before, work_before = ms[name], done
        if spent < NOISE_MS:
            found.append(Result(f"stage: {name}", spent, "ms"))
            continue
        share = own / spent / 1e6 / peak
        found.append(Result(f"stage: {name}", spent, "ms", "share of the peak", share))
    return found
