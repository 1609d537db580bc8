"""Spectrogram images, the genre classifier, its manifest and the shipped model."""
