"""Audio decoding and resampling that training and the live path share."""

from models.audio.decoding import MonoDecoder, StreamResampler

__all__ = ["MonoDecoder", "StreamResampler"]
