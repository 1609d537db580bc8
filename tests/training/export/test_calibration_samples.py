"""Spectrograms that calibrate the int8 ranges."""

import numpy as np

from training.export.calibration_samples import select_typical


def test_extreme_pictures_do_not_set_the_ranges() -> None:
    """One layer far above its median is enough to leave a picture out; a quiet picture is no fault."""
    peaks = np.array([[1.0, 10.0], [1.1, 300.0], [0.1, 9.0], [0.9, 11.0]])
    assert select_typical(peaks, 0.75).tolist() == [2, 3, 0]
    assert select_typical(peaks, 0.01).tolist() == [2]
