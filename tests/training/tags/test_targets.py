"""Truth of tags from the teachers' classes."""

from __future__ import annotations

import numpy as np
import pytest

from training.data.targets import EMBEDDING_SIZE, TARGET_BLOCKS, split_blocks
from training.data.teacher_classes import EFFICIENTAT_CLASSES, LISTENER_TAGS, YAMNET_CLASSES
from training.distillation import efficientat, yamnet
from training.tags.targets import tag_strengths, truth_thresholds
from training.tags.vocabulary import VOCABULARY, TagMeaning


def test_every_class_has_a_name_and_every_tag_a_class() -> None:
    assert len(LISTENER_TAGS) == TARGET_BLOCKS["vgg_tags"] == TARGET_BLOCKS["musicnn_tags"]
    assert len(EFFICIENTAT_CLASSES) == TARGET_BLOCKS["efficientat_classes"] == len(efficientat.CLASSES)
    assert len(YAMNET_CLASSES) == TARGET_BLOCKS["yamnet_classes"] == len(yamnet.CLASSES)
    assert len({tag.name for tag in VOCABULARY}) == len(VOCABULARY)
    for tag in VOCABULARY:
        assert tag.listeners or tag.audioset
        assert set(tag.listeners) <= set(LISTENER_TAGS), tag.name
        assert set(tag.audioset) <= set(EFFICIENTAT_CLASSES), tag.name


def test_the_names_of_classes_are_in_audiosets_order() -> None:
    """The indices are those of AudioSet's published list of 527 classes, and of YAMNet's of 521."""
    for index, name in ((27, "Singing"), (37, "Humming"), (137, "Music"), (217, "Hip hop music"),
                        (228, "Reggae"), (236, "Disco"), (282, "Scary music")):  # fmt: skip
        assert EFFICIENTAT_CLASSES[efficientat.CLASSES.index(index)] == name
    for index, name in ((24, "Singing"), (32, "Humming"), (132, "Music"), (212, "Hip hop music"),
                        (231, "Disco"), (271, "Happy music"), (276, "Scary music")):  # fmt: skip
        assert YAMNET_CLASSES[yamnet.CLASSES.index(index)] == name


def test_strength_is_the_mean_over_teachers_of_their_strongest_class() -> None:
    values = np.full((2, EMBEDDING_SIZE), -20.0, np.float32)
    blocks = split_blocks(values)
    blocks["vgg_tags"][0, LISTENER_TAGS.index("house")] = 20
    blocks["efficientat_classes"][0, EFFICIENTAT_CLASSES.index("House music")] = 0
    blocks["yamnet_classes"][1, YAMNET_CLASSES.index("Techno")] = 20
    blocks["yamnet_classes"][1, YAMNET_CLASSES.index("Disco")] = 20
    vocabulary = (
        TagMeaning("style", "house", ("house",), ("House music",)),
        TagMeaning("style", "dance", (), ("Techno", "Disco")),
    )
    strengths = tag_strengths(values, vocabulary)
    assert strengths[0] == pytest.approx([(1 + 0 + 0.5 + 0) / 4, 0], abs=1e-4)
    assert strengths[1] == pytest.approx([0, 0.5], abs=1e-4)  # YAMNet alone hears it


def test_a_tag_is_true_from_half_the_strength_of_the_strongest() -> None:
    strengths = np.linspace(0, 0.8, 1_001, dtype=np.float32)[:, np.newaxis] * np.array([1, 0.01], np.float32)
    thresholds = truth_thresholds(strengths)
    assert thresholds[0] == pytest.approx(0.8 * 0.99 / 2, abs=1e-3)
    assert np.isinf(thresholds[1])  # no teacher knows the tag
