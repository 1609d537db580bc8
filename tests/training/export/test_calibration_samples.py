"""Choice of the representative dataset."""

import numpy as np

from training.export.calibration_samples import select_typical


def test_extreme_images_are_left_out() -> None:
    """One layer far above its median peak is enough to leave an image out. A quiet image is kept."""
    peaks = np.array([[1.0, 10.0], [1.1, 300.0], [0.1, 9.0], [0.9, 11.0]])
    assert select_typical(peaks, 0.75).tolist() == [2, 3, 0]
    assert select_typical(peaks, 0.01).tolist() == [2]
