"""The analyzer: from audio sources to live genre estimates on a websocket.

Data flows from left to right: ``capture | network -> sources -> pipeline -> server``. Inside the pipeline it
flows through resampling, windowing, ``models.spectrogram``, ``models.classifier`` and smoothing.
"""
