"""The study's networks: a frozen MobileNetV2, and small heads that turn its features into logits.

Every network takes a picture as ``models.spectrogram.image`` draws it, pixels 0..255, row 0 the highest
frequency, column 0 the oldest, and puts out logits: the softmax belongs to the classifier, which
divides by the calibrated temperature first.

A head exists in two forms with the same weights. ``build_head`` takes features that were computed once
and cached, so it trains in seconds; ``build_network`` is the whole, for export.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from training.networks.pretrained import load_imagenet_weights

IMAGE_SIZE = 256
TIME_STEPS = 8
"""Time steps, and frequency steps, that MobileNetV2 leaves of a 256 pixel picture."""

CHANNELS = 1280
GENRES = 10

TORCHVISION_MEAN = (0.485, 0.456, 0.406)
TORCHVISION_STD = (0.229, 0.224, 0.225)
"""Per RGB channel in 0..1: what torchvision's weights were trained with."""


@dataclass(frozen=True, slots=True)
class StudyVariant:
    """One way to put a head on the backbone.

    ``gru_units`` is the GRU's width in each direction, 0 for no GRU. With ``keeps_time`` the
    features are averaged over frequency only and the GRU sees every time step, beside the pooled
    features; without, over both, so that it sees a sequence of length 1. ``dropout`` applies to the
    head's input.
    """

    name: str
    gru_units: int
    keeps_time: bool
    dropout: float = 0.0

    @property
    def dense_sees_features(self) -> bool:
        """Whether the dense layer gets the pooled features themselves, alone or beside the GRU."""
        return self.keeps_time or not self.gru_units


STUDY_CNN = StudyVariant("TL+CNN", 0, keeps_time=False)
STUDY_CNN_GRU = StudyVariant("TL+CNN+GRU", 512, keeps_time=False)
TIME_KEEPING = StudyVariant("TL+CNN+GRU over time, 32 units", 32, keeps_time=True, dropout=0.3)
"""The study's first two networks, and one whose GRU has time to model; all on frozen features."""


def build_mobilenet() -> Any:
    """MobileNetV2 (alpha 1, no top), frozen, with ImageNet weights, padded as torchvision pads.

    Where a stride is 2 and the picture's side is even, Keras pads the far edge and PyTorch the near
    one. The weights come from PyTorch, so the near edge is padded here; the outputs then agree with
    PyTorch's to 1.2e-5 on random pictures (float32 rounding).

    Returns
    -------
    keras.Model
        (n, 256, 256, 3) normalized RGB -> (n, 8, 8, 1280), 2,257,984 parameters.
    """
    import keras

    near_edges = ((1, 0), (1, 0))

    def copy(layer: Any) -> Any:
        config = layer.get_config()
        if isinstance(layer, keras.layers.ZeroPadding2D):
            config["padding"] = near_edges
        elif layer.name == "Conv1":
            config["padding"] = "valid"  # it pads by itself, at the far edge: done before it instead
        return layer.__class__.from_config(config)

    def connect(layer: Any, *inputs: Any, **options: Any) -> Any:
        if layer.name == "Conv1":
            inputs = (keras.layers.ZeroPadding2D(near_edges, name="Conv1_pad")(*inputs),)
        return layer(*inputs, **options)

    size = (IMAGE_SIZE, IMAGE_SIZE, 3)
    keras_padded = keras.applications.MobileNetV2(size, include_top=False, weights=None)
    model = keras.models.clone_model(keras_padded, clone_function=copy, call_function=connect)
    load_imagenet_weights(model)
    model.trainable = False
    return model


def normalize(x: Any) -> Any:
    """Pixels 0..255 as torchvision normalizes them."""
    import keras

    return keras.layers.Rescaling(
        scale=[1 / (255 * std) for std in TORCHVISION_STD],
        offset=[-mean / std for mean, std in zip(TORCHVISION_MEAN, TORCHVISION_STD, strict=True)],
        name="normalize",
    )(x)


def build_backbone() -> Any:
    """Pixels to features: normalization and MobileNetV2, frozen.

    Returns
    -------
    keras.Model
        (n, 256, 256, 3) pixels 0..255 -> (n, 8 frequencies, 8 times, 1280).
    """
    import keras

    picture = keras.Input((IMAGE_SIZE, IMAGE_SIZE, 3), name="picture")
    # Inference mode for good: its batch normalizations keep ImageNet's statistics.
    return keras.Model(picture, build_mobilenet()(normalize(picture), training=False), name="MobileNetV2")


def build_head(variant: StudyVariant, genres: int = GENRES) -> Any:
    """Build the trainable part on cached features.

    Returns
    -------
    keras.Model
        (n, 8 times, 1280), averaged over frequency -> (n, genres) logits.
    """
    import keras

    features = keras.Input((TIME_STEPS, CHANNELS), name="features")
    x = features
    if not variant.keeps_time:
        x = keras.layers.GlobalAveragePooling1D(name="pool")(x)
    return keras.Model(features, _add_head(variant, x, genres), name="head")


def build_network(variant: StudyVariant, genres: int = GENRES) -> Any:
    """Build the whole network, its head untrained.

    Returns
    -------
    keras.Model
        (n, 256, 256, 3) pixels 0..255 -> (n, genres) logits.
    """
    import keras

    picture = keras.Input((IMAGE_SIZE, IMAGE_SIZE, 3), name="picture")
    x = build_backbone()(picture)
    if variant.keeps_time:
        x = keras.ops.mean(x, axis=1)  # (n, 8 times, 1280)
    else:
        x = keras.layers.GlobalAveragePooling2D(name="pool")(x)
    return keras.Model(picture, _add_head(variant, x, genres), name="network")


def study_cnn() -> Any:
    """TL+CNN: pooled features and one dense layer."""
    return build_network(STUDY_CNN)


def study_cnn_gru() -> Any:
    """TL+CNN+GRU: 7,779,402 parameters, of which 5,521,418 train; its GRU sees one step."""
    return build_network(STUDY_CNN_GRU)


def _add_head(variant: StudyVariant, x: Any, genres: int) -> Any:
    """From pooled features, (n, 1280) or (n, steps, 1280), to logits."""
    import keras

    if variant.dropout:
        x = keras.layers.Dropout(variant.dropout, name="dropout")(x)
    if variant.gru_units:
        pooled = keras.ops.mean(x, axis=1) if variant.keeps_time else None
        if not variant.keeps_time:
            x = keras.layers.Reshape((1, CHANNELS), name="sequence")(x)
        # Unrolled, because full-int8 conversion does not take a loop.
        gru = keras.layers.GRU(variant.gru_units, return_sequences=True, unroll=True)
        x = keras.layers.Bidirectional(gru, name="gru")(x)
        if variant.keeps_time:
            x = keras.layers.Concatenate(name="beside")([keras.ops.mean(x, axis=1), pooled])
        else:
            x = keras.layers.Flatten(name="flatten")(x)
    # From zero: random weights on 1,280 features would be noise of 1.4 in every logit, which a training
    # that is stopped early never gets rid of.
    return keras.layers.Dense(genres, kernel_initializer="zeros", name="logits")(x)
