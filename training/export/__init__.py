"""Conversion of a trained network to the file that ships."""

from training.export.tflite import convert, quantize_weights, run_model

__all__ = ["convert", "quantize_weights", "run_model"]
