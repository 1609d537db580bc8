"""The networks of the published study: a frozen MobileNetV2 and small heads on its features.

Every network takes an image from ``models.spectrogram``, pixels 0..255, row 0 the highest frequency, column
0 the oldest, and returns logits. The classifier applies the softmax, after dividing by the calibrated
temperature.

A head exists in two forms with the same weights. ``build_head`` takes features that were computed once and
cached, so its training takes seconds. ``build_network`` is the whole network, for export.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from training.networks.pretrained import load_imagenet_weights

IMAGE_SIZE = 256
TIME_STEPS = 8
"""Steps in time, and in frequency, that MobileNetV2 leaves of an image of 256 pixels."""

CHANNELS = 1280
GENRES = 10

TORCHVISION_MEAN = (0.485, 0.456, 0.406)
TORCHVISION_STD = (0.229, 0.224, 0.225)
"""Mean and standard deviation per RGB channel, 0..1, with which torchvision's weights were trained."""


@dataclass(frozen=True, slots=True)
class StudyVariant:
    """One kind of head on the backbone.

    Attributes
    ----------
    name : str
    gru_units : int
        Width of the GRU in each direction. 0 means no GRU.
    keeps_time : bool
        True averages the features over frequency only: the GRU sees every time step, and the pooled
        features go beside its outputs. False averages over both, so that the GRU sees a sequence of length
        1.
    dropout : float
        Dropout of the head's input.
    """

    name: str
    gru_units: int
    keeps_time: bool
    dropout: float = 0.0

    @property
    def dense_sees_features(self) -> bool:
        """True if the dense layer gets the pooled features themselves, alone or beside the GRU."""
        return self.keeps_time or not self.gru_units


STUDY_CNN = StudyVariant("TL+CNN", 0, keeps_time=False)
STUDY_CNN_GRU = StudyVariant("TL+CNN+GRU", 512, keeps_time=False)
"""The study's first two networks. The GRU of ``STUDY_CNN_GRU`` sees one step."""

TIME_KEEPING = StudyVariant("TL+CNN+GRU over time, 32 units", 32, keeps_time=True, dropout=0.3)
"""A network whose GRU has time steps to model."""


def build_mobilenet() -> Any:
    """Build a frozen MobileNetV2 (alpha 1, no top) with ImageNet's weights and torchvision's padding.

    For a stride of 2 and an even image size, Keras pads the far edge and PyTorch the near edge. The weights
    come from PyTorch, so the near edge is padded here. The outputs then agree with PyTorch's to 1.2e-5 on
    random images, which is float32 rounding.

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
            config["padding"] = "valid"  # its own padding is at the far edge; ``connect`` pads before it
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
    """Normalize pixels 0..255 as torchvision does."""
    import keras

    return keras.layers.Rescaling(
        scale=[1 / (255 * std) for std in TORCHVISION_STD],
        offset=[-mean / std for mean, std in zip(TORCHVISION_MEAN, TORCHVISION_STD, strict=True)],
        name="normalize",
    )(x)


def build_backbone() -> Any:
    """Build normalization and MobileNetV2, frozen.

    Returns
    -------
    keras.Model
        (n, 256, 256, 3) pixels 0..255 -> (n, 8 frequencies, 8 times, 1280).
    """
    import keras

    image = keras.Input((IMAGE_SIZE, IMAGE_SIZE, 3), name="image")
    # Always in inference mode: the batch normalizations keep ImageNet's statistics.
    return keras.Model(image, build_mobilenet()(normalize(image), training=False), name="MobileNetV2")


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
    """Build the whole network with an untrained head.

    Returns
    -------
    keras.Model
        (n, 256, 256, 3) pixels 0..255 -> (n, genres) logits.
    """
    import keras

    image = keras.Input((IMAGE_SIZE, IMAGE_SIZE, 3), name="image")
    x = build_backbone()(image)
    if variant.keeps_time:
        x = keras.ops.mean(x, axis=1)  # (n, 8 times, 1280)
    else:
        x = keras.layers.GlobalAveragePooling2D(name="pool")(x)
    return keras.Model(image, _add_head(variant, x, genres), name="network")


def _add_head(variant: StudyVariant, x: Any, genres: int) -> Any:
    """Add layers from pooled features, (n, 1280) or (n, steps, 1280), to logits."""
    import keras

    if variant.dropout:
        x = keras.layers.Dropout(variant.dropout, name="dropout")(x)
    if variant.gru_units:
        pooled = keras.ops.mean(x, axis=1) if variant.keeps_time else None
        if not variant.keeps_time:
            x = keras.layers.Reshape((1, CHANNELS), name="sequence")(x)
        # Unrolled, because the quantization of weights does not support loops.
        gru = keras.layers.GRU(variant.gru_units, return_sequences=True, unroll=True)
        x = keras.layers.Bidirectional(gru, name="gru")(x)
        if variant.keeps_time:
            x = keras.layers.Concatenate(name="beside")([keras.ops.mean(x, axis=1), pooled])
        else:
            x = keras.layers.Flatten(name="flatten")(x)
    # The kernel starts at zero: random weights on 1,280 features would add noise of 1.4 to every logit, and a
    # training that is stopped early does not remove it.
    return keras.layers.Dense(genres, kernel_initializer="zeros", name="logits")(x)
