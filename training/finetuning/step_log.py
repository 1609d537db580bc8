"""Logs of training steps for TensorBoard and for the terminal."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

StepLogger = Callable[[int, dict[str, float]], None]
"""Function that records the values of a step, called as ``log(step, values)``."""

_log = logging.getLogger(__name__)


def tensorboard_logger(folder: Path) -> StepLogger:
    """Return a function that writes values for TensorBoard and logs a line."""
    import tensorflow as tf

    writer = tf.summary.create_file_writer(str(folder))

    def log(step: int, values: dict[str, float]) -> None:
        with writer.as_default(step=step):
            for name, value in values.items():
                tf.summary.scalar(name.replace(" ", "/"), value)
        writer.flush()
        _log.info("step %d: %s", step, ", ".join(f"{name} {value:.3f}" for name, value in values.items()))

    return log


def offset_logger(log: StepLogger, steps: int) -> StepLogger:
    """Return a function that passes values on to ``log`` with ``steps`` added to each step."""

    def log_with_offset(step: int, values: dict[str, float]) -> None:
        log(steps + step, values)

    return log_with_offset
