"""One network in many shapes: whatever way it is put together, its heatmap must be the same.

The network is plain: two convolutions, pooling, a dense layer. `flat` builds it as one
`Sequential`, whose terms are compared with finite differences elsewhere; the kinds build it
otherwise, with the same weights.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import keras
import numpy as np
from keras import layers

from helpers.models import sample, with_weights

Array = np.ndarray[Any, Any]
SIZE = (24, 40, 3)
GRID = (12, 20)


class Kind(NamedTuple):
    """A way to build the network.

    Attributes
    ----------
    make : callable
        Gives the model, built, with the weights of `flat`.
    layer : str
        The layer that must be chosen.
    doc : callable
        Turns the picture into what the model takes.
    options : dict
        To be given to `explain_prediction`.
    atol : float
        How far the heatmap may be off.
    """

    make: Callable[[], keras.Model]
    layer: str
    doc: Callable[[Array], Any] = lambda picture: picture
    options: dict[str, Any] = {}  # noqa: RUF012
    atol: float = 1e-5


def body(prefix: str = "") -> list[layers.Layer]:
    """Return the convolutional part."""
    return [
        layers.Conv2D(6, 3, padding="same", name=f"{prefix}first"),
        layers.BatchNormalization(name=f"{prefix}norm"),
        layers.ReLU(name=f"{prefix}act"),
        layers.Conv2D(8, 4, strides=2, padding="same", activation="relu", name=f"{prefix}last"),
    ]


def head(activation: str | None = "softmax", units: int = 4) -> list[layers.Layer]:
    """Return the classifier on top."""
    return [layers.GlobalAveragePooling2D(), layers.Dense(units, activation=activation, name="top")]


def chain(x: Any, steps: list[layers.Layer]) -> Any:
    """Apply layers in turn."""
    for step in steps:
        x = step(x)
    return x


def flat(activation: str | None = "softmax", units: int = 4) -> keras.Model:
    """Return the network as one Sequential."""
    return with_weights(
        keras.Sequential([keras.Input(SIZE), *body(), *head(activation, units)]), seed=SEED
    )


SEED = 18  # of weights with which something speaks for each class


def picture() -> Array:
    """Return the picture that all kinds explain."""
    return sample(SIZE, seed=2)


def like_flat(model: keras.Model) -> keras.Model:
    """Give a model with the same layers, in the same order, the weights of `flat`."""
    reference = flat(units=model.weights[-1].shape[0]) if model.weights else flat()
    model.set_weights(reference.get_weights())
    return model


def base(name: str = "base") -> keras.Model:
    """Return the convolutional part as a model of its own."""
    return keras.Sequential([keras.Input(SIZE), *body()], name=name)


def functional_base(name: str = "base") -> keras.Model:
    inputs = keras.Input(SIZE)
    return keras.Model(inputs, chain(inputs, body()), name=name)


def nested_functional() -> keras.Model:
    inputs = keras.Input(SIZE)
    return like_flat(keras.Model(inputs, chain(functional_base()(inputs), head())))


def nested_sequential() -> keras.Model:
    return like_flat(keras.Sequential([keras.Input(SIZE), functional_base(), *head()]))


def two_levels() -> keras.Model:
    inputs = keras.Input(SIZE)
    inner = keras.Model(inputs, functional_base("deep")(inputs), name="outer")
    inputs = keras.Input(SIZE)
    return like_flat(keras.Model(inputs, chain(inner(inputs), head())))


class Attributes(keras.Model):  # type: ignore[misc]
    """Layers as attributes; built by its first call."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.norm, self.act, self.last = body()
        self.pool, self.top = head()

    def call(self, x: Any) -> Any:
        return self.top(self.pool(self.last(self.act(self.norm(self.first(x))))))


class Listed(keras.Model):  # type: ignore[misc]
    """Layers in lists."""

    def __init__(self) -> None:
        super().__init__()
        self.blocks = [body()[:3], body()[3:]]
        self.classifier = head()

    def call(self, x: Any, training: bool = False) -> Any:
        for block in self.blocks:
            for layer in block:
                x = layer(x)
        return chain(x, self.classifier)


class Block(layers.Layer):  # type: ignore[misc]
    """A custom layer that holds layers and computes on their output without any."""

    def __init__(self, steps: list[layers.Layer], **options: Any) -> None:
        super().__init__(**options)
        self.steps = steps

    def call(self, x: Any) -> Any:
        return chain(x, self.steps) * 1.0

    def compute_output_shape(self, shape: Any) -> Any:
        for step in self.steps:
            shape = step.compute_output_shape(shape)
        return shape


def custom_block() -> keras.Model:
    return like_flat(keras.Sequential([keras.Input(SIZE), Block(body(), name="block"), *head()]))


def by_first_call(make: Callable[[], keras.Model]) -> Callable[[], keras.Model]:
    def built() -> keras.Model:
        model = make()
        model(picture())
        return like_flat(model)

    return built


class Task(keras.Model):  # type: ignore[misc]
    """A KerasHub-like task: a functional model made of a backbone's own input and output."""

    def __init__(self) -> None:
        backbone = functional_base("backbone")
        inputs = backbone.input
        super().__init__(inputs=inputs, outputs=chain(backbone(inputs), head()))
        self.backbone = backbone
        self.preprocessor = layers.Rescaling(1 / 255)  # attached, and not part of a call


class Siamese(keras.Model):  # type: ignore[misc]
    """Calls one base twice; the second call sees the picture upside down, and counts against."""

    def __init__(self) -> None:
        super().__init__()
        self.shared = functional_base("shared")
        self.pool, self.top = head()

    def call(self, x: Any) -> Any:
        one = self.shared(x)
        two = self.shared(keras.ops.flip(x, axis=1))
        return self.top(self.pool(one) - self.pool(two))


def siamese() -> keras.Model:
    return by_first_call(Siamese)()


def with_metadata(named: bool) -> Callable[[], keras.Model]:
    def make() -> keras.Model:
        image, extra = keras.Input(SIZE, name="image"), keras.Input((4,), name="extra")
        x = layers.Add()([chain(image, [*body(), *head(None)]), extra])
        inputs = {"image": image, "extra": extra} if named else [extra, image]
        return like_flat(keras.Model(inputs, layers.Softmax()(x)))

    return make


def two_images() -> keras.Model:
    """Return a model with two pictures as input, of which the other is seen last."""
    left, right = keras.Input(SIZE, name="left"), keras.Input(SIZE, name="right")
    x = chain(left, body())
    y = layers.Conv2D(2, 3, name="other", kernel_initializer="ones", bias_initializer="ones")(right)
    x = layers.Dense(4, name="top")(layers.GlobalAveragePooling2D()(x))
    y = layers.Dense(4, name="side", kernel_initializer="ones")(layers.GlobalAveragePooling2D()(y))
    model = keras.Model([left, right], layers.Add()([x, y]))
    weights = flat().get_weights()
    for name in ("first", "norm", "last", "top"):
        layer = model.get_layer(name)
        layer.set_weights([weights.pop(0) for _ in layer.weights])
    return model


def two_outputs(as_dict: bool) -> Callable[[], keras.Model]:
    """Return a model with an auxiliary output, whose own branch runs last."""

    def make() -> keras.Model:
        inputs = keras.Input(SIZE)
        x = chain(inputs, body())
        main = chain(x, head())
        ones = {"kernel_initializer": "ones"}
        aux = layers.Conv2D(3, 1, name="aux_conv", **ones)(x)
        aux = layers.GlobalAveragePooling2D()(aux)
        aux = layers.Dense(2, activation="sigmoid", name="aux", **ones)(aux)
        model = keras.Model(inputs, {"main": main, "aux": aux} if as_dict else [main, aux])
        weights = flat().get_weights()
        for name in ("first", "norm", "last", "top"):
            layer = model.get_layer(name)
            layer.set_weights([weights.pop(0) for _ in layer.weights])
        return model

    return make


def channels_first() -> keras.Model:
    inputs = keras.Input((SIZE[2], *SIZE[:2]))
    x = layers.Conv2D(6, 3, padding="same", data_format="channels_first", name="first")(inputs)
    x = layers.ReLU(name="act")(layers.BatchNormalization(axis=1, name="norm")(x))
    x = layers.Conv2D(
        8, 4, 2, padding="same", activation="linear", data_format="channels_first", name="conv"
    )(x)
    x = layers.Activation("relu", name="last")(x)
    x = layers.GlobalAveragePooling2D(data_format="channels_first")(x)
    return like_flat(keras.Model(inputs, layers.Dense(4, activation="softmax", name="top")(x)))


def channels_first_by_default() -> keras.Model:
    before, weights = keras.config.image_data_format(), flat().get_weights()
    keras.config.set_image_data_format("channels_first")
    try:
        inputs = keras.Input((SIZE[2], *SIZE[:2]))
        first, _, act, last = body()
        x = last(act(layers.BatchNormalization(axis=1, name="norm")(first(inputs))))
        model = keras.Model(inputs, chain(x, head()))
        model.set_weights(weights)
        return model
    finally:
        keras.config.set_image_data_format(before)


def moved_channels() -> keras.Model:
    """Return a model that is fed channels first and computes channels last."""
    inputs = keras.Input((SIZE[2], *SIZE[:2]))
    x = layers.Permute((2, 3, 1))(inputs)
    return like_flat(keras.Model(inputs, chain(x, [*body(), *head()])))


def with_dtype(dtype: str) -> Callable[[], keras.Model]:
    def make() -> keras.Model:
        before = keras.config.dtype_policy()
        keras.config.set_dtype_policy(dtype)
        try:
            return like_flat(
                keras.Sequential(
                    [
                        keras.Input(SIZE),
                        *body(),
                        *head(None),
                        layers.Activation("softmax", dtype="float32"),
                    ]
                )
            )
        finally:
            keras.config.set_dtype_policy(before)

    return make


def preprocessing_inside() -> keras.Model:
    return like_flat(
        keras.Sequential(
            [
                keras.Input((48, 80, 3)),
                layers.RandomFlip(seed=1),
                layers.RandomRotation(0.3, seed=2),
                layers.Resizing(*SIZE[:2]),
                layers.Rescaling(1 / 127.5, offset=-1),
                *body(),
                layers.SpatialDropout2D(0.4, seed=3),
                *head(),
            ]
        )
    )


def larger_bytes(doc: Array) -> Array:
    """Return the picture with each pixel four times, as `preprocessing_inside` takes it."""
    return ((doc + 1) * 127.5).repeat(2, axis=1).repeat(2, axis=2)


def frozen() -> keras.Model:
    model = nested_functional()
    model.get_layer("base").trainable = False
    return model


class StraightThrough(layers.Layer):  # type: ignore[misc]
    """An identity with a custom gradient: it hands on what it gets."""

    def call(self, x: Any) -> Any:
        @keras.ops.custom_gradient  # type: ignore[untyped-decorator]
        def identity(x: Any) -> Any:
            def grad(*args: Any, upstream: Any = None) -> Any:
                return upstream if upstream is not None else args[-1]

            return x, grad

        return identity(x)


def custom_gradient() -> keras.Model:
    pool, top = head()
    return like_flat(keras.Sequential([keras.Input(SIZE), *body(), StraightThrough(), pool, top]))


def with_lambda() -> keras.Model:
    return like_flat(
        keras.Sequential(
            [keras.Input(SIZE), *body(), layers.Lambda(lambda x: x * 1.0, name="view"), *head()]
        )
    )


def ops_in_the_graph() -> keras.Model:
    inputs = keras.Input(SIZE)
    first, norm, _, last = body()
    last.activation = keras.activations.linear
    x = keras.ops.relu(last(keras.ops.relu(norm(first(inputs * 1.0)))))
    x = layers.Dense(4, name="top")(keras.ops.mean(x, axis=(1, 2)))
    return like_flat(keras.Model(inputs, keras.ops.softmax(x)))


def compiled(**options: Any) -> Callable[[], keras.Model]:
    def make() -> keras.Model:
        model = nested_functional()
        model.compile("sgd", "categorical_crossentropy", **options)
        return model

    return make


def from_config() -> keras.Model:
    model = nested_functional()
    return like_flat(
        keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(model))
    )


KINDS: dict[str, Kind] = {
    "flat": Kind(flat, "last"),
    "nested functional": Kind(nested_functional, "base/last"),
    "nested Sequential": Kind(nested_sequential, "base/last"),
    "two levels": Kind(two_levels, "outer/deep/last"),
    "subclass, attributes": Kind(by_first_call(Attributes), "last"),
    "subclass, lists": Kind(by_first_call(Listed), "last"),
    "custom block": Kind(custom_block, "block"),
    "task with backbone": Kind(lambda: like_flat(Task()), "backbone/last"),
    "metadata, dict": Kind(
        with_metadata(named=True),
        "last",
        lambda picture: {"image": picture, "extra": np.zeros((1, 4), "float32")},
    ),
    "metadata, list": Kind(
        with_metadata(named=False), "last", lambda picture: [np.zeros((1, 4), "float32"), picture]
    ),
    "two outputs, list": Kind(two_outputs(as_dict=False), "last"),
    "two outputs, dict": Kind(two_outputs(as_dict=True), "last", options={"output": "main"}),
    "channels first": Kind(channels_first, "last", lambda picture: np.moveaxis(picture, -1, 1)),
    "channels first by default": Kind(
        channels_first_by_default, "last", lambda picture: np.moveaxis(picture, -1, 1)
    ),
    "channels moved": Kind(moved_channels, "last", lambda picture: np.moveaxis(picture, -1, 1)),
    "mixed_float16": Kind(with_dtype("mixed_float16"), "last", atol=0.02),
    "mixed_bfloat16": Kind(with_dtype("mixed_bfloat16"), "last", atol=0.1),
    "float16": Kind(with_dtype("float16"), "last", atol=0.02),
    "bfloat16": Kind(with_dtype("bfloat16"), "last", atol=0.1),
    "preprocessing inside": Kind(preprocessing_inside, "last", larger_bytes, atol=1e-4),
    "frozen": Kind(frozen, "base/last"),
    "custom gradient": Kind(custom_gradient, "straight_through"),
    "Lambda": Kind(with_lambda, "view"),
    "ops in the graph": Kind(ops_in_the_graph, "relu"),
    "compiled": Kind(compiled(), "base/last"),
    "run_eagerly": Kind(compiled(run_eagerly=True), "base/last"),
    "from config": Kind(from_config, "base/last"),
}
