"""The classifier's input: audio to a color-mapped spectrogram image, batch and incremental."""

from models.spectrogram.image import image_from_columns, spectrogram_image
from models.spectrogram.incremental import IncrementalSpectrogram
from models.spectrogram.spec import AudioSpec, Scaling

__all__ = ["AudioSpec", "IncrementalSpectrogram", "Scaling", "image_from_columns", "spectrogram_image"]
