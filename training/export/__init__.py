"""Conversion of a trained network to full-int8 TFLite."""

from training.export.bias_correction import correct_biases
from training.export.calibration_samples import representative_dataset
from training.export.tflite import TracedModel, read_quantization, run_model

__all__ = ["TracedModel", "correct_biases", "read_quantization", "representative_dataset", "run_model"]
