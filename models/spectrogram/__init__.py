"""Conversion of audio to the classifier's input, a color-mapped image, as a whole or incrementally."""

from models.spectrogram.image import image_from_columns, spectrogram_image
from models.spectrogram.incremental import IncrementalSpectrogram
from models.spectrogram.spec import AudioSpec, Scaling

__all__ = ["AudioSpec", "IncrementalSpectrogram", "Scaling", "image_from_columns", "spectrogram_image"]
