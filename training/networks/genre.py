"""The network that ships: MobileNetV2 on a pooled picture, a GRU over time, genres and "music".

The picture is averaged over 4 columns first (57 or 83 STFT columns were stretched to 256 pixels); rows are
kept, for frozen features of half as many are 7 to 9 points less accurate (``REPORT.md``). The last stride
is taken over frequency only, so that four time steps are left.

What is read from the picture are the means of what the blocks of every width put out, and of its
magnitude, in each quarter of the time: those tell genres better than what is left at the end (ibid.), and
MobileNetV2's last and widest convolution is not needed.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from training.data.augmentation import COLUMN_POOLING, Intensities, render
from training.data.targets import EMBEDDING_SIZE
from training.networks.pretrained import load_imagenet_weights
from training.networks.study import IMAGE_SIZE, TORCHVISION_MEAN, TORCHVISION_STD, normalize

HEIGHT: Final = IMAGE_SIZE
WIDTH: Final = IMAGE_SIZE // COLUMN_POOLING
TIME_STEPS: Final = 4
"""Of time, that the GRU runs over."""

GRU_UNITS: Final = 64
POOLING_LAYERS: Final = ("mean_of_", "magnitude_of_", "standard_")
"""How the names of the layers begin that pool and standardize; none of them is learnt."""

CENTER: Final = 3.0
"""What stands for a mean while values are clipped to 0..6, in which range int8 stores them all alike."""

DEVIATIONS: Final = 4.0
"""How many deviations that is; what lies further out would cost int8 all its steps."""

EPSILON: Final = 1e-5
"""Of a channel's variance: one that is silent in all pictures stays near 0."""

_LAST_STRIDE: Final = "block_13"


def build_backbone(*, imagenet: bool = True) -> Any:
    """MobileNetV2's blocks (alpha 1), which keep four time steps.

    Parameters
    ----------
    imagenet : bool
        Fill it with ImageNet's weights; otherwise they are random.

    Returns
    -------
    keras.Model
        (n, 256, 64, 3) normalized RGB -> (n, 8 frequencies, 4 times, 320).
    """
    import keras

    near_edges = ((1, 0), (1, 0))  # PyTorch's side, whose weights these are

    def copy(layer: Any) -> Any:
        config = layer.get_config()
        if layer.name == f"{_LAST_STRIDE}_pad":
            config["padding"] = ((1, 1), (1, 1))
        elif isinstance(layer, keras.layers.ZeroPadding2D):
            config["padding"] = near_edges
        elif layer.name == "Conv1":
            config["padding"] = "valid"
        elif layer.name == f"{_LAST_STRIDE}_depthwise":
            config["strides"] = (1, 1)  # TensorFlow trains no depthwise layer with unequal strides
        elif isinstance(layer, keras.layers.BatchNormalization):
            config["momentum"] = 0.98
        return layer.__class__.from_config(config)

    def connect(layer: Any, *inputs: Any, **options: Any) -> Any:
        if layer.name == "Conv1":
            inputs = (keras.layers.ZeroPadding2D(near_edges, name="Conv1_pad")(*inputs),)
        outputs = layer(*inputs, **options)
        return outputs[:, ::2] if layer.name == f"{_LAST_STRIDE}_depthwise" else outputs

    plain = keras.applications.MobileNetV2((HEIGHT, WIDTH, 3), include_top=False, weights=None)
    model = keras.models.clone_model(plain, clone_function=copy, call_function=connect)
    if imagenet:
        load_imagenet_weights(model)
    return keras.Model(model.inputs, _outputs_per_width(model)[-1], name="backbone")


def build_student(features: Any, targets: int) -> Any:
    """Network that learns what the teacher hears, from what ``build_pooled_features`` are of.

    Here their standards follow the backbone while it changes, and nothing is clipped.

    Returns
    -------
    keras.Model
        (n, 256, 64, 3) pixels 0..255 -> (n, targets).
    """
    import keras

    picture = keras.Input((HEIGHT, WIDTH, 3), name="pooled_picture")
    every = keras.Model(features.inputs, _outputs_per_width(features), name="every_width")(normalize(picture))
    values = [value for x in every for value in (x, keras.ops.abs(x))]
    x = keras.layers.Concatenate()([keras.ops.mean(value, axis=(1, 2)) for value in values])
    x = keras.layers.Dropout(0.1)(keras.layers.BatchNormalization()(x))
    return keras.Model(picture, keras.layers.Dense(targets, name="heard")(x), name="student")


def build_pooled_features(features: Any) -> Any:
    """What the blocks of every width put out, as standardised means over each quarter of the time.

    Parameters
    ----------
    features : keras.Model
        From ``build_backbone``; its weights are shared.

    Returns
    -------
    keras.Model
        (n, 256, 64, 3) normalized RGB -> (n, 4 times, 1424): the 712 channels' means, and those of
        their magnitudes. ``fit_standardization`` says what is standard; then 3 stands for ``DEVIATIONS``,
        and they are clipped to -3..3.
    """
    import keras

    values = []
    # |x| is a leaky ReLU, because XNNPACK has that in int8, and neither abs nor a ReLU on its own.
    for number, x in enumerate(_outputs_per_width(features)):
        _, height, width, _ = x.shape
        step = width // TIME_STEPS
        for name, value in (("mean", x), ("magnitude", keras.ops.leaky_relu(x, -1.0))):
            quarters = keras.layers.AveragePooling2D((1, step))(value)
            # A mean over frequency, written so that int8 computes and standardizes it at once.
            mean = keras.layers.DepthwiseConv2D(
                (height, 1), use_bias=False, trainable=False, name=f"{name}_of_{number}",
                depthwise_initializer=keras.initializers.Constant(1 / height),
            )  # fmt: skip
            standard = keras.layers.BatchNormalization(
                scale=False, epsilon=EPSILON, trainable=False, name=f"standard_{name}_{number}",
                beta_initializer=keras.initializers.Constant(CENTER),
            )  # fmt: skip
            values.append(keras.ops.relu6(standard(mean(quarters))))  # (n, 1, 4, channels)
    x = keras.layers.Reshape((TIME_STEPS, -1))(keras.layers.Concatenate(name="all")(values)) - CENTER
    return keras.Model(features.inputs, x, name="pooled_features")


def _outputs_per_width(features: Any) -> list[Any]:
    """The last tensor of each width that the blocks put out."""
    names = {layer.name for layer in features.layers}
    found: list[Any] = []
    for layer in features.layers:
        if layer.name.endswith("_add"):
            found[-1] = layer.output
        elif layer.name.endswith("_project_BN") and layer.name.replace("project_BN", "add") not in names:
            found.append(layer.output)
    return found


def fit_standardization(pooled: Any, places: Intensities) -> None:
    """Let the pooled features of typical pictures have mean 0 and a deviation of 3 in ``DEVIATIONS``.

    Later changes of the backbone do not move what is standard.

    Parameters
    ----------
    pooled : keras.Model
        From ``build_pooled_features``; changed in place.
    places : (n, 256, 256) uint8
        Training pictures.
    """
    import keras

    layers = [layer for layer in pooled.layers if layer.name.startswith("standard_")]
    probe = keras.Model(pooled.inputs, [layer.input for layer in layers])
    seen = [probe(normalize(render(places[start : start + 64]))) for start in range(0, len(places), 64)]
    for layer, values in zip(layers, zip(*seen, strict=True), strict=True):
        each = np.concatenate(values)  # (n, 1, 4, channels)
        variance = each.var(axis=(0, 1, 2)) * (DEVIATIONS / CENTER) ** 2
        layer.set_weights([np.full_like(variance, CENTER), each.mean(axis=(0, 1, 2)), variance])


def build_classifier(pooled: Any, genres: int, *, dropout: float = 0.4) -> Any:
    """The whole network on pooled pixels.

    Batch normalizations keep their statistics, also while it is trained.

    Parameters
    ----------
    pooled : keras.Model
        From ``build_pooled_features``.

    Returns
    -------
    keras.Model
        (n, 256, 64, 3) pixels 0..255 -> (n, genres + 1) logits, the last that of "music", and (n, 250) of
        what the teacher would hear; the second is for training and does not ship.
    """
    import keras

    picture = keras.Input((HEIGHT, WIDTH, 3), name="pooled_picture")
    x = pooled(normalize(picture), training=False)
    heard = keras.layers.Dense(EMBEDDING_SIZE, name="heard")(keras.ops.mean(x, axis=1))
    network = keras.Model(picture, [build_head(x, genres, dropout), heard], name="classifier")
    network.jit_compile = False  # compiling takes longer than a validation
    return network


def build_head(x: Any, genres: int, dropout: float = 0.0) -> Any:
    """From (n, 4 times, 1424) features to logits; layers are named, so that weights can be carried over."""
    import keras

    if dropout:
        x = keras.layers.SpatialDropout1D(dropout, name="dropout")(x)
    pooled = keras.ops.mean(x, axis=1)
    gru = keras.layers.GRU(GRU_UNITS, return_sequences=True, unroll=True)
    moved = keras.ops.mean(keras.layers.Bidirectional(gru, name="gru")(x), axis=1)
    both = keras.layers.Concatenate(name="beside")([moved, pooled])
    return keras.layers.Dense(genres + 1, kernel_initializer="zeros", name="logits")(both)


def build_export_network(trained: Any, genres: int) -> Any:
    """The same network on the whole picture, averaging and normalization inside the first kernel.

    Both are linear, so the first kernel takes them in. The columns that are averaged stand beside each
    other in memory: read as channels of one column, they cost nothing and fill the processor's vectors.
    Only the padding is not exact: a normalized 0 is another pixel value in each channel, and one
    value pads all three, their mean.

    Returns
    -------
    keras.Model
        (n, 256, 256, 3) pixels 0..255 -> (n, genres + 1) logits.
    """
    import keras

    pooled = trained.get_layer("pooled_features")
    first = pooled.get_layer("Conv1")
    scale = 1 / (255 * np.array(TORCHVISION_STD))
    offset = -np.array(TORCHVISION_MEAN) / np.array(TORCHVISION_STD)
    (kernel,) = first.get_weights()  # (3, 3, channels, filters)
    wide = np.repeat(kernel * scale[:, np.newaxis], COLUMN_POOLING, 1)
    wide = wide.reshape(*kernel.shape[:2], -1, kernel.shape[-1]) / COLUMN_POOLING
    bias = (kernel * offset[:, np.newaxis]).sum(axis=(0, 1, 2))

    picture = keras.Input((IMAGE_SIZE, IMAGE_SIZE, 3), name="picture")
    grey = round(255 * sum(TORCHVISION_MEAN) / 3)
    columns = keras.layers.Reshape((HEIGHT, WIDTH, wide.shape[2]), name="columns")(picture)
    padded = keras.ops.pad(columns, ((0, 0), (1, 0), (1, 0), (0, 0)), constant_values=grey)
    folded = keras.layers.Conv2D(kernel.shape[-1], wide.shape[:2], strides=2, name="folded")
    x = folded(padded)
    folded.set_weights([wide, bias])
    rest = keras.Model(first.output, pooled.output, name="after_first")
    whole = keras.Model(picture, build_head(rest(x, training=False), genres), name="network")
    for name in ("gru", "logits"):
        whole.get_layer(name).set_weights(trained.get_layer(name).get_weights())
    return whole
