"""The networks: a frozen MobileNetV2, and small heads that turn its features into logits.

Every network takes a picture as ``models.spectrogram`` draws it, pixels 0..255, row 0 the highest
frequency, column 0 the oldest, and puts out logits: the softmax belongs to the classifier, which
divides by the calibrated temperature first.

A head exists in two forms with the same weights. ``head`` takes features that were computed once
and cached, so it trains in seconds; ``network`` is the whole, for export.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from training.imagenet import load_weights

IMAGE_SIZE = 256
STEPS = 8
"""Time steps, and frequency steps, that MobileNetV2 leaves of a 256 pixel picture."""

CHANNELS = 1280
GENRES = 10

TORCHVISION_MEAN = (0.485, 0.456, 0.406)
TORCHVISION_STD = (0.229, 0.224, 0.225)
"""Per RGB channel in 0..1: what torchvision's weights were trained with."""


@dataclass(frozen=True, slots=True)
class Variant:
    """One way to put a head on the backbone.

    ``gru_units`` is the GRU's width in each direction, 0 for no GRU. With ``keeps_time`` the
    features are averaged over frequency only and the GRU sees every time step; without, over both,
    so that it sees a sequence of length 1. ``dropout`` applies to the head's input. ``time_pooling``
    is how many neighbouring pixels along time are averaged before the backbone: 1 or 2.
    """

    name: str
    gru_units: int
    keeps_time: bool
    dropout: float = 0.0
    time_pooling: int = 1

    def __post_init__(self) -> None:
        """Refuse a pooling that was not measured.

        Raises
        ------
        ValueError
            ``time_pooling`` is neither 1 nor 2.
        """
        if self.time_pooling not in (1, 2):
            raise ValueError(f"time_pooling is {self.time_pooling}; it must be 1 or 2")

    @property
    def steps(self) -> int:
        """Time steps that the backbone leaves: 8, or 4 at half width."""
        return STEPS // self.time_pooling

    @property
    def dense_sees_features(self) -> bool:
        """Whether the dense layer gets the pooled features themselves, alone or beside the GRU."""
        return self.keeps_time or not self.gru_units


STUDY_CNN = Variant("TL+CNN", 0, keeps_time=False)
STUDY_CNN_GRU = Variant("TL+CNN+GRU", 512, keeps_time=False)


def time_keeping(units: int, time_pooling: int = 2) -> Variant:
    """A bidirectional GRU of ``units`` each way over the time steps, beside the pooled features.

    A picture stretches 57 columns to 256 pixels, so averaging pairs of pixels loses next to nothing
    of it and saves half of the arithmetic.

    The dense layer sees both: what sounds (the pooled features, as in TL+CNN) and how it moves. With
    a few hundred tracks a GRU by itself overfits before it is as good as the pooled features.
    """
    name = f"TL+CNN+GRU over time, {units} units, {'half' if time_pooling == 2 else 'full'} width"
    return Variant(name, units, keeps_time=True, dropout=0.3, time_pooling=time_pooling)


VARIANTS = (STUDY_CNN, STUDY_CNN_GRU, time_keeping(32, 1), time_keeping(32))
"""Every network that is measured, by the name that tables and manifests give it."""


def by_name(name: str) -> Variant:
    """Find the variant that a manifest's ``metrics["network"]`` names.

    Raises
    ------
    ValueError
        None of ``VARIANTS`` has this name.
    """
    for variant in VARIANTS:
        if variant.name == name:
            return variant
    raise ValueError(f"no network is named {name!r}; known are {', '.join(v.name for v in VARIANTS)}")


def mobilenet(time_pooling: int = 1) -> Any:
    """MobileNetV2 (alpha 1, no top), frozen, with ImageNet weights, padded as torchvision pads.

    Where a stride is 2 and the picture's side is even, Keras pads the far edge and PyTorch the near
    one. The weights come from PyTorch, so the near edge is padded here; the outputs then agree with
    PyTorch's to 1.2e-5 on random pictures (float32 rounding).

    Returns
    -------
    keras.Model
        (n, 256, 256 / time_pooling, 3) normalized RGB -> (n, 8, 8 / time_pooling, 1280),
        2,257,984 parameters.
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

    shape = (IMAGE_SIZE, IMAGE_SIZE // time_pooling, 3)
    keras_padded = keras.applications.MobileNetV2(shape, include_top=False, weights=None)
    model = keras.models.clone_model(keras_padded, clone_function=copy, call_function=connect)
    load_weights(model)
    model.trainable = False
    return model


def backbone(time_pooling: int = 1) -> Any:
    """Pixels to features: averaging along time, normalization and MobileNetV2, frozen.

    Returns
    -------
    keras.Model
        (n, 256, 256, 3) pixels 0..255 -> (n, 8 frequencies, 8 / time_pooling times, 1280).
    """
    import keras

    x = picture = keras.Input((IMAGE_SIZE, IMAGE_SIZE, 3), name="picture")
    if time_pooling > 1:
        # On the raw pixels: in int8 their step is 1, so that the average is off by 1/2 at most.
        x = keras.layers.AveragePooling2D((1, time_pooling), name="average_times")(x)
    normalized = keras.layers.Rescaling(
        scale=[1 / (255 * std) for std in TORCHVISION_STD],
        offset=[-mean / std for mean, std in zip(TORCHVISION_MEAN, TORCHVISION_STD, strict=True)],
        name="normalize",
    )(x)
    # Inference mode for good: its batch normalizations keep ImageNet's statistics.
    return keras.Model(picture, mobilenet(time_pooling)(normalized, training=False), name="MobileNetV2")


def folded_backbone(time_pooling: int = 1) -> Any:
    """``backbone`` with averaging and normalization inside the first convolution, for speed.

    Average, scale and offset are linear, so the first kernel takes them in: it grows ``time_pooling``
    times wider and its stride with it. In int8 that saves three passes over the largest tensor. Only
    the padding is not exact: a normalized 0 is another pixel value in each channel, and one value
    pads all three, their mean; what differs is a fifth of a deviation along two edges.

    Returns
    -------
    keras.Model
        As ``backbone``.
    """
    import keras
    import numpy as np

    exact = mobilenet(time_pooling)
    first = exact.get_layer("Conv1")
    scale = 1 / (255 * np.array(TORCHVISION_STD))
    offset = -np.array(TORCHVISION_MEAN) / np.array(TORCHVISION_STD)
    (kernel,) = first.get_weights()  # (3, 3, channels, filters)
    wide = np.repeat(kernel * scale[:, np.newaxis], time_pooling, axis=1) / time_pooling
    bias = (kernel * offset[:, np.newaxis]).sum(axis=(0, 1, 2))

    picture = keras.Input((IMAGE_SIZE, IMAGE_SIZE, 3), name="picture")
    grey = round(255 * sum(TORCHVISION_MEAN) / 3)
    near_edges = ((0, 0), (1, 0), (time_pooling, 0), (0, 0))
    padded = keras.ops.pad(picture, near_edges, constant_values=grey)
    folded = keras.layers.Conv2D(
        kernel.shape[-1], wide.shape[:2], strides=(2, 2 * time_pooling), name="folded", trainable=False
    )
    x = folded(padded)
    folded.set_weights([wide, bias])
    rest = keras.Model(first.output, exact.output, name="after_first")
    return keras.Model(picture, rest(x, training=False), name="MobileNetV2")


def head(variant: Variant, genres: int = GENRES) -> Any:
    """Build the trainable part on cached features.

    Returns
    -------
    keras.Model
        (n, 8 / time_pooling times, 1280), averaged over frequency -> (n, genres) logits.
    """
    import keras

    features = keras.Input((variant.steps, CHANNELS), name="features")
    x = features
    if not variant.keeps_time:
        x = keras.layers.GlobalAveragePooling1D(name="pool")(x)
    return keras.Model(features, _tail(variant, x, genres), name="head")


def network(variant: Variant, genres: int = GENRES, *, folded: bool = False) -> Any:
    """Build the whole network, its head untrained; see ``assemble``.

    Parameters
    ----------
    folded : bool
        On ``folded_backbone`` instead of ``backbone``.

    Returns
    -------
    keras.Model
        (n, 256, 256, 3) pixels 0..255 -> (n, genres) logits.
    """
    import keras

    frozen = (folded_backbone if folded else backbone)(variant.time_pooling)
    picture = keras.Input((IMAGE_SIZE, IMAGE_SIZE, 3), name="picture")
    x = frozen(picture)
    if variant.keeps_time:
        # A mean, not a pooling layer: int8 pooling keeps its input's scale, 16 levels for these means.
        x = keras.ops.mean(x, axis=1)  # (n, steps, 1280)
    else:
        x = keras.layers.GlobalAveragePooling2D(name="pool")(x)
    return keras.Model(picture, _tail(variant, x, genres), name="network")


def assemble(variant: Variant, trained_head: Any) -> Any:
    """Build the whole network around a trained head, folded, for export.

    Returns
    -------
    keras.Model
        As ``network``, with the head's weights.
    """
    whole = network(variant, trained_head.output_shape[-1], folded=True)
    for layer in whole.layers:
        if layer.name in ("gru", "logits"):
            layer.set_weights(trained_head.get_layer(layer.name).get_weights())
    return whole


def study_cnn() -> Any:
    """TL+CNN: pooled features and one dense layer."""
    return network(STUDY_CNN)


def study_cnn_gru() -> Any:
    """TL+CNN+GRU: 7,779,402 parameters, of which 5,521,418 train; its GRU sees one step."""
    return network(STUDY_CNN_GRU)


def _tail(variant: Variant, x: Any, genres: int) -> Any:
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
