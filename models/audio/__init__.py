"""Audio decoding and resampling, shared by training and the live path."""

from models.audio.decoding import MonoDecoder, StreamResampler
from models.audio.file import AudioFile, decode_file
from models.audio.samples import Samples, sanitize_samples

__all__ = ["AudioFile", "MonoDecoder", "Samples", "StreamResampler", "decode_file", "sanitize_samples"]
