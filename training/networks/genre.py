"""The shipped network: MobileNetV2 on a pooled image, a GRU over time, and logits of genres and of music.

The image is first averaged over squares of 2 x 2 pixels. The last stride is taken over frequency only, so
that eight time steps are left.

The head reads the means of the outputs of the blocks of every width, and of their magnitudes, in each
quarter of the time. These separate genres better than the last layer's output (``REPORT.md``), and
MobileNetV2's last and widest convolution is not needed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from training.data.augmentation import POOLING, Intensities, render
from training.data.targets import EMBEDDING_SIZE
from training.networks.pretrained import load_imagenet_weights
from training.networks.study import IMAGE_SIZE, TORCHVISION_MEAN, TORCHVISION_STD, normalize

if TYPE_CHECKING:
    from training.networks.auxiliary import AuxiliaryOutputs

SIDE: Final = IMAGE_SIZE // POOLING
"""Rows and columns of the averaged image."""

TIME_STEPS: Final = 4
"""Time steps of the GRU."""

GRU_UNITS: Final = 64
CLIP: Final = 3.0
"""Bound of the standardized features."""

DEVIATIONS: Final = 4.0
"""Standard deviations that ``CLIP`` stands for. Values beyond are those of unusual images."""

EPSILON: Final = 1e-5
"""Epsilon of a channel's variance. A channel that is silent in all images then stays near 0."""

_LAST_STRIDE: Final = "block_13"


def build_backbone(*, imagenet: bool = True) -> Any:
    """Build MobileNetV2's blocks (alpha 1), which keep eight time steps.

    Parameters
    ----------
    imagenet : bool
        True sets ImageNet's weights. Otherwise the weights are random.

    Returns
    -------
    keras.Model
        (n, 128, 128, 3) normalized RGB -> (n, 4 frequencies, 8 times, 320).
    """
    import keras

    near_edges = ((1, 0), (1, 0))  # as PyTorch, whose weights these are

    def copy(layer: Any) -> Any:
        config = layer.get_config()
        if layer.name == f"{_LAST_STRIDE}_pad":
            config["padding"] = ((1, 1), (1, 1))
        elif isinstance(layer, keras.layers.ZeroPadding2D):
            config["padding"] = near_edges
        elif layer.name == "Conv1":
            config["padding"] = "valid"
        elif layer.name == f"{_LAST_STRIDE}_depthwise":
            config["strides"] = (1, 1)  # TensorFlow cannot train a depthwise layer with unequal strides
        elif isinstance(layer, keras.layers.BatchNormalization):
            config["momentum"] = 0.98
        return layer.__class__.from_config(config)

    def connect(layer: Any, *inputs: Any, **options: Any) -> Any:
        if layer.name == "Conv1":
            inputs = (keras.layers.ZeroPadding2D(near_edges, name="Conv1_pad")(*inputs),)
        outputs = layer(*inputs, **options)
        return outputs[:, ::2] if layer.name == f"{_LAST_STRIDE}_depthwise" else outputs

    plain = keras.applications.MobileNetV2((SIDE, SIDE, 3), include_top=False, weights=None)
    model = keras.models.clone_model(plain, clone_function=copy, call_function=connect)
    if imagenet:
        load_imagenet_weights(model)
    return keras.Model(model.inputs, _outputs_per_width(model)[-1], name="backbone")


def build_student(backbone: Any, targets: int) -> Any:
    """Build the distillation network on the outputs that ``build_pooled_features`` reads.

    Its batch normalization follows the backbone while it changes, and nothing is clipped.

    Returns
    -------
    keras.Model
        (n, 128, 128, 3) pixels 0..255 -> (n, targets).
    """
    import keras

    image = keras.Input((SIDE, SIDE, 3), name="pooled_image")
    every = keras.Model(backbone.inputs, _outputs_per_width(backbone), name="every_width")(normalize(image))
    values = [value for x in every for value in (x, keras.ops.abs(x))]
    x = keras.layers.Concatenate()([keras.ops.mean(value, axis=(1, 2)) for value in values])
    x = keras.layers.Dropout(0.1)(keras.layers.BatchNormalization()(x))
    return keras.Model(image, keras.layers.Dense(targets, name="embedding")(x), name="student")


def build_pooled_features(backbone: Any) -> Any:
    """Build the standardized means of the blocks' outputs over each quarter of the time.

    Parameters
    ----------
    backbone : keras.Model
        From ``build_backbone``. Its weights are shared.

    Returns
    -------
    keras.Model
        (n, 128, 128, 3) normalized RGB -> (n, 4 times, 1424): the means of 712 channels and of their
        magnitudes. After ``fit_standardization``, ``CLIP`` stands for ``DEVIATIONS`` standard deviations,
        and values are clipped to -``CLIP``..``CLIP``.
    """
    import keras

    values = []
    for x in _outputs_per_width(backbone):
        _, height, width, _ = x.shape
        quarters = keras.layers.AveragePooling2D((height, width // TIME_STEPS))
        values += [quarters(x), quarters(keras.ops.abs(x))]  # (n, 1, 4, channels)
    standardize = keras.layers.BatchNormalization(
        center=False, scale=False, epsilon=EPSILON, trainable=False, name="standard"
    )
    x = standardize(keras.layers.Concatenate(name="all")(values))
    x = keras.layers.Reshape((TIME_STEPS, -1))(keras.ops.clip(x, -CLIP, CLIP))
    return keras.Model(backbone.inputs, x, name="pooled_features")


def _outputs_per_width(backbone: Any) -> list[Any]:
    """Find the last block output of each width."""
    names = {layer.name for layer in backbone.layers}
    found: list[Any] = []
    for layer in backbone.layers:
        if layer.name.endswith("_add"):
            found[-1] = layer.output
        elif layer.name.endswith("_project_BN") and layer.name.replace("project_BN", "add") not in names:
            found.append(layer.output)
    return found


def fit_standardization(pooled: Any, intensities: Intensities) -> None:
    """Standardize the pooled features over typical images: mean 0, ``DEVIATIONS`` of them at ``CLIP``.

    Later changes of the backbone do not change the standardization.

    Parameters
    ----------
    pooled : keras.Model
        From ``build_pooled_features``, changed in place.
    intensities : (n, 256, 256) uint8
        Training images.
    """
    import keras

    standard = pooled.get_layer("standard")
    probe = keras.Model(pooled.inputs, standard.input)
    batches = [
        probe(normalize(render(intensities[start : start + 64]))) for start in range(0, len(intensities), 64)
    ]
    values = np.concatenate(batches)  # (n, 1, 4, 2 * channels)
    variance = values.var(axis=(0, 1, 2)) * (DEVIATIONS / CLIP) ** 2
    standard.set_weights([values.mean(axis=(0, 1, 2)), variance])


def build_classifier(pooled: Any, genres: int, *, dropout: float = 0.4) -> Any:
    """Build the whole network on pooled pixels. Batch normalizations keep their statistics also in training.

    Parameters
    ----------
    pooled : keras.Model
        From ``build_pooled_features``.

    Returns
    -------
    keras.Model
        (n, 128, 128, 3) pixels 0..255 -> (n, genres + 1) logits, the last one of "music", and
        (n, EMBEDDING_SIZE) predicted teacher values, which serve training only and are not exported.
    """
    import keras

    image = keras.Input((SIDE, SIDE, 3), name="pooled_image")
    x = pooled(normalize(image), training=False)
    embedding = keras.layers.Dense(EMBEDDING_SIZE, name="embedding")(keras.ops.mean(x, axis=1))
    network = keras.Model(image, [build_head(x, genres, dropout), embedding], name="classifier")
    network.jit_compile = False  # compiling takes longer than a validation
    return network


def build_head(x: Any, genres: int, dropout: float = 0.0) -> Any:
    """Build layers from (n, 4 times, 1424) features to logits.

    The layers are named, so that weights can be copied from a trained head to an exported one.
    """
    import keras

    if dropout:
        x = keras.layers.SpatialDropout1D(dropout, name="dropout")(x)
    pooled = keras.ops.mean(x, axis=1)
    gru = keras.layers.GRU(GRU_UNITS, return_sequences=True, unroll=True)
    over_time = keras.ops.mean(keras.layers.Bidirectional(gru, name="gru")(x), axis=1)
    both = keras.layers.Concatenate(name="beside")([over_time, pooled])
    return keras.layers.Dense(genres + 1, kernel_initializer="zeros", name="logits")(both)


def build_export_network(trained: Any, genres: int, auxiliary: AuxiliaryOutputs | None = None) -> Any:
    """Build the same network on the whole image, with pooling and normalization inside the first kernel.

    Both are linear, so the first kernel can include them. Pairs of columns are adjacent in memory and are
    read as channels of one column, which fills the processor's vectors. Rows are repeated in the kernel. Only
    the padding is not exact. A normalized 0 is another pixel value in each channel, and one value, their
    mean, pads all three.

    Returns
    -------
    keras.Model
        (n, 256, 256, 3) pixels 0..255 -> (n, genres + 1) logits, and with ``auxiliary`` also the logits of
        its tags, unless there are none, and its embedding.
    """
    import keras

    pooled = trained.get_layer("pooled_features")
    first = pooled.get_layer("Conv1")
    scale = 1 / (255 * np.array(TORCHVISION_STD))
    offset = -np.array(TORCHVISION_MEAN) / np.array(TORCHVISION_STD)
    (kernel,) = first.get_weights()  # (3, 3, channels, filters)
    wide = np.repeat(np.repeat(kernel * scale[:, np.newaxis], POOLING, 0), POOLING, 1)
    rows, columns, filters = POOLING * kernel.shape[0], kernel.shape[1], kernel.shape[-1]
    wide = wide.reshape(rows, columns, -1, filters) / POOLING**2
    bias = (kernel * offset[:, np.newaxis]).sum(axis=(0, 1, 2))

    image = keras.Input((IMAGE_SIZE, IMAGE_SIZE, 3), name="image")
    gray = round(255 * sum(TORCHVISION_MEAN) / 3)
    pairs = keras.layers.Reshape((IMAGE_SIZE, SIDE, wide.shape[2]), name="pairs")(image)
    padded = keras.ops.pad(pairs, ((0, 0), (POOLING, 0), (1, 0), (0, 0)), constant_values=gray)
    folded = keras.layers.Conv2D(filters, (rows, columns), strides=(2 * POOLING, 2), name="folded")
    x = folded(padded)
    folded.set_weights([wide, bias])
    rest = keras.Model(first.output, pooled.output, name="after_first")
    features = rest(x, training=False)
    outputs = [build_head(features, genres)]
    mean = keras.ops.mean(features, axis=1)
    weights = {} if auxiliary is None else auxiliary.weights
    outputs += [keras.layers.Dense(bias.size, name=name)(mean) for name, (_, bias) in weights.items()]
    whole = keras.Model(image, outputs if weights else outputs[0], name="network")
    for name in ("gru", "logits"):
        whole.get_layer(name).set_weights(trained.get_layer(name).get_weights())
    for name, kernel_and_bias in weights.items():
        whole.get_layer(name).set_weights(kernel_and_bias)
    return whole
