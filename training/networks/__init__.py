"""Networks, and the pretrained weights that they start from."""

from training.networks.pretrained import (
    DISTILLED_WEIGHTS,
    IMAGENET_WEIGHTS,
    load_distilled_weights,
    save_distilled_weights,
)
from training.networks.study import STUDY_CNN, STUDY_CNN_GRU, StudyVariant

__all__ = [
    "DISTILLED_WEIGHTS",
    "IMAGENET_WEIGHTS",
    "STUDY_CNN",
    "STUDY_CNN_GRU",
    "StudyVariant",
    "load_distilled_weights",
    "save_distilled_weights",
]
