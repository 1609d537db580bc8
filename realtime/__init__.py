"""From sound to live estimates: sources, windows, smoothing, server and commands.

Read left to right: ``sources -> resampling -> windowing -> models.spectrogram.image ->
models.classifier -> smoothing -> server``.
"""
