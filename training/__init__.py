"""Training side of Overheard: from GTZAN's arrays to the shipped, quantized genre model.

The modules in the order the data takes: ``gtzan`` -> ``splits`` -> ``imagenet`` and ``network`` ->
``features`` -> ``standardize`` -> ``train`` -> ``evaluate`` -> ``calibrate`` -> ``export`` -> ``release``.
"""
