"""Where the heat lies if the model itself crops, pads, mirrors, turns, or cuts its input."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pytest
from keras import layers, ops

import eli5
from eli5.keras import engine
from eli5.placement import stretch
from helpers.moving_models import object_at

Array = np.ndarray[Any, Any]
SIZE = (64, 64)
Move = Callable[[Any], Any]


class Crop(layers.Layer):  # type: ignore[misc]
    """A layer of a user's own."""

    def call(self, x: Any) -> Any:
        return x[:, 10:50, 6:58]


class Mirror(layers.Layer):  # type: ignore[misc]
    """One that has the shape of what it takes, and does not look like anything."""

    def call(self, x: Any) -> Any:
        return ops.flip(x, axis=2) * 2


class Turning(keras.Model):  # type: ignore[misc]
    """Whose own code turns what its layers get."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = layers.Conv2D(1, 1, kernel_initializer="ones", name="conv")
        self.dense = layers.Dense(2, kernel_initializer="ones")

    def call(self, x: Any) -> Any:
        turned = ops.flip(ops.transpose(x, (0, 2, 1, 3)), axis=2)
        return self.dense(ops.mean(self.conv(turned), axis=(1, 2)))


def pooled(move: Move, size: tuple[int, ...] = SIZE) -> keras.Model:
    """Return a model that moves its input, and then is a convolution, a pooling and a mean."""
    inputs = keras.Input((*size, 1))
    n = len(size)
    x = getattr(layers, f"Conv{n}D")(1, 1, kernel_initializer="ones", name="conv")(move(inputs))
    x = getattr(layers, f"MaxPooling{n}D")(2, name="pool")(x)
    x = getattr(layers, f"GlobalAveragePooling{n}D")()(x)
    return keras.Model(inputs, layers.Dense(2, kernel_initializer="ones")(x))


def valid_convolutions(x: Any) -> Any:
    for _ in range(6):
        x = layers.Conv2D(1, 3, kernel_initializer="ones", use_bias=False)(x)
    return x


def to_channels_first(x: Any) -> Any:
    x = ops.transpose(x, (0, 3, 1, 2))
    return layers.Permute((2, 3, 1))(layers.ReLU()(x))


def by_halves(x: Any) -> Any:
    conv = layers.Conv2D(1, 3, strides=2, padding="same", kernel_initializer="ones")
    return layers.Concatenate(axis=1)([conv(x[:, :32]), conv(x[:, 32:])])


# The move, and where the object is.
CASES: dict[str, tuple[Move, tuple[int, int]]] = {
    "CenterCrop": (lambda x: layers.CenterCrop(32, 32)(x), (20, 44)),
    "CenterCrop of what is smaller": (lambda x: layers.CenterCrop(80, 40)(x), (20, 34)),
    "Cropping2D": (lambda x: layers.Cropping2D(((30, 4), (20, 6)))(x), (40, 44)),
    "ZeroPadding2D": (lambda x: layers.ZeroPadding2D(((30, 0), (0, 10)))(x), (20, 44)),
    "crop to aspect ratio": (
        lambda x: layers.Resizing(32, 48, crop_to_aspect_ratio=True)(x), (20, 44)),
    "pad to aspect ratio": (
        lambda x: layers.Resizing(32, 64, pad_to_aspect_ratio=True)(x), (4, 30)),
    "flip": (lambda x: ops.flip(x, axis=2), (20, 44)),
    "transpose": (lambda x: ops.transpose(x, (0, 2, 1, 3)), (20, 44)),
    "swapaxes": (lambda x: ops.swapaxes(x, 1, 2), (20, 44)),
    "moveaxis": (lambda x: ops.moveaxis(x, 1, 2), (20, 44)),
    "there and back": (to_channels_first, (20, 44)),
    "slices": (lambda x: x[:, 5:, 30:60], (20, 44)),
    "pad": (lambda x: ops.pad(x, ((0, 0), (20, 0), (3, 9), (0, 0))), (20, 44)),
    "crop_images": (lambda x: ops.image.crop_images(x, 6, 20, 10, 4), (20, 44)),
    "Lambda that crops": (lambda x: layers.Lambda(lambda y: y[:, 8:56, 20:60])(x), (20, 44)),
    "Lambda that flips": (lambda x: layers.Lambda(lambda y: ops.flip(y, axis=1))(x), (20, 44)),
    "own layer that crops": (lambda x: Crop()(x), (20, 44)),
    "own layer that mirrors": (lambda x: Mirror()(x), (20, 44)),
    "transposed convolution": (
        lambda x: layers.Conv2DTranspose(1, 3, 2, "same", kernel_initializer="ones")(x), (20, 44)),
    "valid convolutions": (valid_convolutions, (9, 52)),
    "two halves, joined": (lambda x: ops.concatenate([x[:, :, :32], x[:, :, 32:]], 2), (20, 44)),
    "halves through one layer, joined": (lambda x: by_halves(x), (40, 12)),
    "mirrored, and joined in its order": (
        lambda x: layers.Concatenate(axis=1)(
            [ops.flip(x, axis=1)[:, :16], ops.flip(x, axis=1)[:, 16:]]), (40, 12)),
    "zeros in front of it": (
        lambda x: ops.concatenate([ops.zeros_like(x[:, :, :40]), x], axis=2), (20, 44)),
    "a mirrored border": (
        lambda x: layers.Concatenate(axis=2)(
            [ops.flip(x[:, :, :10], 2), x, ops.flip(x[:, :, -10:], 2)]), (20, 44)),
    "Cropping2D, then a mirror": (
        lambda x: ops.flip(layers.Cropping2D(((16, 0), (0, 8)))(x), axis=1), (40, 12)),
}  # fmt: skip


def peak(heat: Array) -> Array:
    """Return the middle of where the heat is highest."""
    return np.argwhere(heat >= heat.max() * (1 - 1e-4)).mean(axis=0)


@pytest.mark.parametrize("name", CASES)
def test_the_heat_lies_on_the_object(name: str) -> None:
    move, place = CASES[name]
    expl = eli5.explain_prediction(pooled(move), object_at(SIZE, place, 4), layer="pool")
    heat = expl.heatmap_on_input()
    assert (heat.shape, heat.dtype) == (SIZE, np.float32)
    np.testing.assert_allclose(peak(heat), np.array(place) - 0.5, atol=2)
    assert "could not be told" not in (expl.description or "")


def test_what_is_cut_off_has_no_heat() -> None:
    doc = np.random.default_rng(0).uniform(0.5, 1, (1, *SIZE, 1)).astype("float32")
    model = pooled(lambda x: layers.Cropping2D(((30, 4), (20, 6)))(x))
    heat = eli5.explain_prediction(model, doc, layer="conv").heatmap_on_input()
    np.testing.assert_array_equal(np.argwhere(heat > 0).min(axis=0), [30, 20])
    np.testing.assert_array_equal(np.argwhere(heat > 0).max(axis=0), [59, 57])


@pytest.mark.parametrize("method", ["Grad-CAM", "LayerCAM", "Score-CAM", "Ablation-CAM"])
def test_methods_agree_on_the_place(method: str) -> None:
    model = pooled(lambda x: layers.CenterCrop(32, 32)(ops.flip(x, axis=1)))
    expl = eli5.explain_prediction(model, object_at(SIZE, (20, 40), 4), layer="conv", method=method)
    np.testing.assert_allclose(peak(expl.heatmap_on_input()), [19.5, 39.5], atol=2)


def test_the_place_stands_in_the_target() -> None:
    model = pooled(lambda x: layers.Cropping2D(((30, 4), (20, 6)))(ops.flip(x, axis=2)))
    (target,) = eli5.explain_prediction(model, object_at(SIZE, (40, 20), 4), layer="pool").targets
    placement = target.placement
    assert target.heatmap.shape == (15, 19)
    assert (placement.size, placement.axes) == (SIZE, (0, 1))
    assert placement.first == (30.5, 42.5)
    assert placement.last == (58.5, 6.5)
    assert placement.seen == ((29.5, 59.5), (5.5, 43.5))


def test_a_models_own_code_is_measured() -> None:
    model = Turning()
    doc = object_at(SIZE, (20, 44), 4)
    model(doc)
    expl = eli5.explain_prediction(model, doc)
    assert expl.targets[0].placement.axes == (1, 0)
    np.testing.assert_allclose(peak(expl.heatmap_on_input()), [19.5, 43.5], atol=1)


def test_what_sees_everything_is_stretched_and_says_so() -> None:
    def mix(x: Any) -> Any:
        def everywhere(y: Any) -> Any:
            return ops.mean(y, axis=(1, 2), keepdims=True) + 0 * y[:, ::2, ::2]

        return layers.Lambda(everywhere)(x)

    expl = eli5.explain_prediction(pooled(mix), object_at(SIZE, (20, 44), 4), layer="conv")
    assert expl.targets[0].placement == stretch((32, 32), SIZE)
    assert "Where its cells lie in the picture could not be told" in expl.description


# What joins or blends tensors that lie at different places: no cell of it lies at one.
BLENDS: dict[str, Move] = {
    "swapped halves": lambda x: layers.Concatenate(axis=2)([x[:, :, 32:], x[:, :, :32]]),
    "turned round by 8": lambda x: ops.concatenate([x[:, :, 8:], x[:, :, :8]], axis=2),
    "twice": lambda x: ops.concatenate([x, x], axis=1),
    "with its mirror image": lambda x: ops.concatenate([x, ops.flip(x, axis=2)], axis=2),
    "ends without the middle": lambda x: ops.concatenate([x[:, :20], x[:, 44:]], axis=1),
    "half of it not known": lambda x: layers.Concatenate(axis=1)(
        [layers.Lambda(lambda y: y[:, 32:])(x), x[:, :32]]
    ),
    "half of it of another input": lambda x: ops.concatenate(
        [
            layers.Reshape((32, 64, 1))(
                layers.Lambda(lambda y: ops.reshape(y[:, 32:], (-1, 2048)))(x)
            ),
            x[:, :32],
        ],
        axis=1,
    ),
    "mean of two crops": lambda x: layers.Average()([x[:, :32], x[:, 32:]]),
    "greatest of two crops": lambda x: ops.maximum(x[:, :, :32], x[:, :, 32:]),
    "two crops as channels": lambda x: layers.Concatenate()([x[:, :32], x[:, 32:]]),
    "sum with its mirror image": lambda x: x + ops.flip(x, axis=2),
    "sum with its transposed": lambda x: layers.Add()([x, layers.Permute((2, 1, 3))(x)]),
}


@pytest.mark.parametrize("name", BLENDS)
def test_what_comes_from_different_places_is_stretched_and_says_so(name: str) -> None:
    model, doc = pooled(BLENDS[name]), object_at(SIZE, (20, 44), 4)
    expl = eli5.explain_prediction(model, doc, layer="conv")
    (target,) = expl.targets
    assert target.placement == stretch(target.heatmap.shape, SIZE)
    assert "Where its cells lie in the picture could not be told" in expl.description


@pytest.mark.filterwarnings("ignore:The heatmap of target")  # its weights are random
def test_branches_that_are_off_by_less_than_a_cell_lie_where_the_first_does() -> None:
    def halved(x: Any) -> Any:
        return layers.Add()([layers.Conv2D(1, 3, 2, "same")(x), layers.Conv2D(1, 1, 2)(x)])

    expl = eli5.explain_prediction(pooled(halved), object_at(SIZE, (20, 44), 4), layer="conv")
    assert expl.targets[0].placement.first == (1.0, 1.0)


@pytest.mark.filterwarnings("ignore:The heatmap of target")
def test_branches_of_other_depths_lie_where_the_first_does() -> None:
    def u_net(x: Any) -> Any:
        skips = []
        for _ in range(5):
            skips.append(x)
            x = layers.Conv2D(1, 3, 2, "same")(x)
        for skip in skips[::-1]:
            x = layers.Concatenate()([layers.UpSampling2D()(x), skip])
        return x

    expl = eli5.explain_prediction(pooled(u_net), object_at(SIZE, (20, 44), 4), layer="conv")
    # A convolution of stride 2 shifts by half a pixel more than enlarging takes back.
    assert expl.targets[0].placement.first == (15.5, 15.5)


@pytest.mark.parametrize("at", [(5,), (44,)])
def test_a_series_that_is_joined_from_pieces(at: tuple[int]) -> None:
    def pieces(x: Any) -> Any:
        return layers.Concatenate(axis=1)([x[:, :20], x[:, 20:40], x[:, 40:]])

    expl = eli5.explain_prediction(pooled(pieces, (60,)), object_at((60,), at, 2), layer="conv")
    np.testing.assert_allclose(peak(expl.heatmap_on_input()), [at[0] - 0.5])
    assert "could not be told" not in (expl.description or "")


def own(code: Move, *shape: int) -> Move:
    """Return a move in a model's own code, with the shape that comes out."""
    return lambda x: layers.Lambda(code, output_shape=(*shape, 1))(x)


class Look(layers.Layer):  # type: ignore[misc]
    """Crops half of the rows, around the one that is brightest in the doc."""

    def call(self, x: Any) -> Any:
        row = ops.clip(ops.argmax(ops.max(x[..., 0], axis=2), axis=1) - 16, 0, 32)
        rows = row[:, None, None, None] + ops.arange(32)[None, :, None, None]
        return ops.take_along_axis(x, rows, axis=1)

    def compute_output_shape(self, shape: Any) -> Any:
        return (shape[0], 32, *shape[2:])


# The same in a model's own code, which is measured.
OWN_BLENDS: dict[str, Move] = {
    "swapped halves": own(lambda x: ops.concatenate([x[:, 32:], x[:, :32]], axis=1), 64, 64),
    "turned round by 8": own(lambda x: ops.roll(x, 8, axis=2), 64, 64),
    "mean of two crops": own(lambda x: x[:, 32:] + x[:, :32], 32, 64),
    "mean of four crops": own(lambda x: ops.mean(ops.reshape(x, (-1, 4, 16, 64, 1)), 1), 16, 64),
    "crop that the doc decides": lambda x: Look()(x),
}


@pytest.mark.parametrize("name", OWN_BLENDS)
def test_own_code_that_takes_from_different_places_is_stretched_and_says_so(name: str) -> None:
    model, doc = pooled(OWN_BLENDS[name]), object_at(SIZE, (20, 44), 4)
    expl = eli5.explain_prediction(model, doc, layer="conv")
    (target,) = expl.targets
    assert target.placement == stretch(target.heatmap.shape, SIZE)
    assert "Where its cells lie in the picture could not be told" in expl.description


@pytest.mark.parametrize("mode", ["reflect", "symmetric", "constant"])
def test_a_border_in_own_code_only_shifts(mode: str) -> None:
    pads = ((0, 0), (6, 6), (6, 6), (0, 0))
    model = pooled(own(lambda x: ops.pad(x, pads, mode=mode), 76, 76))
    expl = eli5.explain_prediction(model, object_at(SIZE, (20, 44), 4), layer="conv")
    np.testing.assert_allclose(peak(expl.heatmap_on_input()), [19.5, 43.5], atol=1)


def test_layers_that_look_at_different_parts_are_fused_where_they_look() -> None:
    inputs = keras.Input((*SIZE, 1))
    first = layers.Conv2D(1, 1, kernel_initializer="ones", name="first")(inputs)
    cut = layers.Cropping2D(((20, 4), (30, 10)))(first)
    second = layers.Conv2D(1, 1, kernel_initializer="ones", name="second")(cut)
    outputs = layers.Dense(2, kernel_initializer="ones")(layers.GlobalAveragePooling2D()(second))
    doc = object_at(SIZE, (40, 44), 4)
    layer = ["first", "second"]
    expl = eli5.explain_prediction(keras.Model(inputs, outputs), doc, layer=layer)
    np.testing.assert_allclose(peak(expl.heatmap_on_input()), [39.5, 43.5], atol=0.6)


def test_mirrored_copies_are_turned_back_where_the_model_turns() -> None:
    model = pooled(lambda x: ops.transpose(layers.Cropping2D(((0, 0), (10, 0)))(x), (0, 2, 1, 3)))
    doc = object_at(SIZE, (20, 44), 4)
    expl = eli5.explain_prediction(model, doc, layer="conv", augment=True)
    np.testing.assert_allclose(peak(expl.heatmap_on_input()), [19.5, 43.5], atol=1)


def test_places_are_found_out_once(monkeypatch: pytest.MonkeyPatch) -> None:
    model, doc = pooled(lambda x: Crop()(x)), object_at(SIZE, (20, 44), 4)
    eli5.explain_prediction(model, doc, layer="conv")
    asked, evaluate = 0, engine.evaluate

    def counted(*arguments: Any) -> Any:
        nonlocal asked
        asked += 1
        return evaluate(*arguments)

    monkeypatch.setattr(engine, "evaluate", counted)
    eli5.explain_prediction(model, doc, layer="conv")
    assert asked == 1


# ---- other numbers of axes -----------------------------------------------------------------------


def test_volumes() -> None:
    size = (12, 16, 20)
    model = pooled(lambda x: ops.transpose(ops.flip(x, axis=1)[:, :, 4:], (0, 3, 1, 2, 4)), size)
    expl = eli5.explain_prediction(model, object_at(size, (3, 9, 14), 2), layer="conv")
    assert expl.targets[0].placement.axes == (2, 0, 1)
    np.testing.assert_allclose(peak(expl.heatmap_on_input()), [2.5, 8.5, 13.5], atol=1)
    # A slice of the picture for each of the heatmap, which here are the columns of the volume.
    assert expl.image.size == (20 * 16, 12)


def test_a_series_that_is_read_backwards() -> None:
    inputs = keras.Input((10, 1))
    options: dict[str, Any] = {
        "kernel_initializer": "ones", "recurrent_initializer": "zeros", "activation": "linear",
    }  # fmt: skip
    reader = layers.SimpleRNN(
        2, return_sequences=True, go_backwards=True, name="backwards", **options
    )
    x = layers.GlobalAveragePooling1D()(reader(inputs))
    model = keras.Model(inputs, layers.Dense(2, kernel_initializer="ones")(x))
    doc = np.zeros((1, 10, 1), "float32")
    doc[0, 2] = 1
    heat = eli5.explain_prediction(model, doc, layer="backwards").heatmap_on_input()
    np.testing.assert_array_equal(heat, np.eye(10, dtype="float32")[2])


@pytest.mark.parametrize("half", ["forward_layer", "backward_layer", None])
def test_both_halves_of_a_bidirectional_layer(half: str | None) -> None:
    inputs = keras.Input((10, 1))
    inner = layers.SimpleRNN(
        2,
        return_sequences=True,
        kernel_initializer="ones",
        recurrent_initializer="zeros",
        activation="linear",
    )
    both = layers.Bidirectional(inner, name="both")
    x = layers.GlobalAveragePooling1D()(both(inputs))
    model = keras.Model(inputs, layers.Dense(2, kernel_initializer="ones")(x))
    doc = np.zeros((1, 10, 1), "float32")
    doc[0, 2] = 1
    layer = both if half is None else getattr(both, half)
    heat = eli5.explain_prediction(model, doc, layer=layer.name).heatmap_on_input()
    np.testing.assert_array_equal(heat, np.eye(10, dtype="float32")[2])


# ---- several samples at the layer ----------------------------------------------------------------


def video(frames: Callable[[Any, Any], Any]) -> keras.Model:
    """Return a model whose "conv" sees the frames, by `frames(inputs, cnn)`."""
    inputs = keras.Input((6, 16, 12, 1))
    conv = layers.Conv2D(1, 1, kernel_initializer="ones", name="conv")
    cnn = keras.Sequential([conv, layers.GlobalAveragePooling2D()], name="cnn")
    x = frames(inputs, cnn)
    return keras.Model(inputs, layers.Dense(2, kernel_initializer="ones")(layers.Flatten()(x)))


def in_the_batch(x: Any, cnn: Any) -> Any:
    return ops.reshape(cnn(ops.reshape(x, (-1, 16, 12, 1))), (-1, 6, 1))


@pytest.mark.parametrize("method", ["Grad-CAM", "LayerCAM", "Ablation-CAM", "Score-CAM"])
@pytest.mark.parametrize("frames", [lambda x, cnn: layers.TimeDistributed(cnn)(x), in_the_batch])
def test_each_frame_has_its_own_map(frames: Callable[[Any, Any], Any], method: str) -> None:
    doc = object_at((6, 16, 12), (3, 5, 9), 2)
    expl = eli5.explain_prediction(video(frames), doc, layer="conv", method=method)
    heatmap = expl.targets[0].heatmap
    assert heatmap.shape == (6, 16, 12)
    assert set(np.argwhere(heatmap > 0.5)[:, 0]) == {2, 3}
    np.testing.assert_allclose(peak(heatmap), [2.5, 4.5, 8.5])
    pixels = np.asarray(expl.image, "float64").reshape(16, 6, 12).transpose(1, 0, 2)
    np.testing.assert_allclose(peak(pixels), [2.5, 4.5, 8.5])


class Patches(keras.Model):  # type: ignore[misc]
    """Multiple-instance learning: the model's own code puts patches of a photo into the batch."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = layers.Conv2D(1, 1, kernel_initializer="ones", name="conv")
        self.dense = layers.Dense(2, kernel_initializer="ones")

    def call(self, x: Any) -> Any:
        return self.dense(ops.reshape(ops.mean(self.conv(patches(x)), axis=(1, 2)), (-1, 24)))


def patches(x: Any) -> Any:
    x = ops.reshape(x, (-1, 4, 8, 6, 8, 1))
    return ops.reshape(ops.transpose(x, (0, 1, 3, 2, 4, 5)), (-1, 8, 8, 1))


def extracted_patches(size: Any = 8, **options: Any) -> keras.Model:
    """Return one whose "conv" sees patches that an operation of Keras cuts out."""
    inputs = keras.Input((32, 48, 1))
    x = ops.image.extract_patches(inputs, size, **options)
    x = layers.Reshape((x.shape[1] * x.shape[2], 8, 8, 1))(x)
    conv = layers.Conv2D(1, 1, kernel_initializer="ones", name="conv")
    x = layers.TimeDistributed(layers.GlobalAveragePooling2D())(layers.TimeDistributed(conv)(x))
    return keras.Model(inputs, layers.Dense(2, kernel_initializer="ones")(layers.Flatten()(x)))


def functional_patches() -> keras.Model:
    inputs = keras.Input((32, 48, 1))
    conv = layers.Conv2D(1, 1, kernel_initializer="ones", name="conv")
    x = ops.reshape(layers.GlobalAveragePooling2D()(conv(patches(inputs))), (-1, 24))
    return keras.Model(inputs, layers.Dense(2, kernel_initializer="ones")(x))


@pytest.mark.parametrize("make", [functional_patches, Patches, extracted_patches])
def test_patches_are_put_back_to_their_places(make: Callable[[], keras.Model]) -> None:
    model, doc = make(), object_at((32, 48), (21, 37), 4)
    model(doc)
    expl = eli5.explain_prediction(model, doc, layer="conv")
    assert expl.targets[0].heatmap.shape == (32, 48)
    np.testing.assert_allclose(peak(expl.heatmap_on_input()), [20.5, 36.5])
    assert expl.image.size == (48, 32)


def test_samples_that_nobody_can_tell_are_refused() -> None:
    def shuffled(x: Any) -> Any:
        return layers.Lambda(lambda y: ops.concatenate([y[:, :16], y[:, 16:], y[:, 8:24]]))(x)

    inputs = keras.Input((32, 32, 1))
    x = layers.Conv2D(1, 1, kernel_initializer="ones", name="conv")(shuffled(inputs))
    x = ops.reshape(layers.GlobalAveragePooling2D()(x), (-1, 3))
    model = keras.Model(inputs, layers.Dense(2, kernel_initializer="ones")(x))
    message = r"sees one sample for one doc.* Received: layer='conv', with 3 samples of shape"
    with pytest.raises(ValueError, match=message):
        eli5.explain_prediction(model, object_at((32, 32), (9, 9), 4), layer="conv")


def test_pieces_that_nobody_can_tell_are_not_chosen() -> None:
    def shuffled(x: Any) -> Any:
        return layers.Lambda(lambda y: ops.concatenate([y[:, :16], y[:, 16:], y[:, 8:24]]))(x)

    inputs = keras.Input((32, 32, 1))
    whole = layers.Conv2D(1, 1, kernel_initializer="ones", name="whole")(inputs)
    x = layers.Conv2D(1, 1, kernel_initializer="ones", name="pieces")(shuffled(whole))
    x = ops.reshape(layers.GlobalAveragePooling2D()(x), (-1, 3))
    model = keras.Model(inputs, layers.Dense(2, kernel_initializer="ones")(x))
    assert eli5.explain_prediction(model, object_at((32, 32), (9, 9), 4)).layer == "whole"


class OneAtATime(keras.Model):  # type: ignore[misc]
    """Whose own code takes one doc alone, and mirrors it."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = layers.Conv2D(1, 1, kernel_initializer="ones", name="conv")
        self.dense = layers.Dense(2, kernel_initializer="ones")

    def call(self, x: Any) -> Any:
        heat = self.conv(ops.flip(ops.reshape(x, (1, *SIZE, 1)), axis=2))
        return self.dense(ops.reshape(heat, (1, SIZE[0] * SIZE[1])))


def test_a_model_that_takes_one_doc_is_measured_with_one() -> None:
    model, doc = OneAtATime(), object_at(SIZE, (20, 44), 4)
    model(doc)
    expl = eli5.explain_prediction(model, doc, layer="conv")
    np.testing.assert_allclose(peak(expl.heatmap_on_input()), [19.5, 43.5], atol=1)


def test_patches_of_another_order_are_not_listed() -> None:
    def chosen(x: Any) -> Any:
        return ops.stack([x[:, :8, :8], x[:, 20:28, 3:11], x[:, 9:17, 31:39]], axis=1)

    inputs = keras.Input((32, 48, 1))
    x = layers.Lambda(chosen, output_shape=(3, 8, 8, 1))(inputs)
    conv = layers.Conv2D(1, 1, kernel_initializer="ones", name="conv")
    x = layers.TimeDistributed(conv, name="each")(x)
    x = layers.TimeDistributed(layers.GlobalAveragePooling2D())(x)
    model = keras.Model(inputs, layers.Dense(2, kernel_initializer="ones")(layers.Flatten()(x)))
    doc = object_at((32, 48), (21, 37), 4)
    assert "each/conv" not in [layer.name for layer in eli5.keras.target_layers(model)]
    with pytest.raises(ValueError, match="Expected the name of a layer") as raised:
        eli5.explain_prediction(model, doc, layer="nothing")
    assert "each/conv" not in str(raised.value)
    with pytest.raises(ValueError, match="with 3 samples of shape"):
        eli5.explain_prediction(model, doc, layer="each/conv")


@pytest.mark.parametrize(
    ("options", "first"),
    [({"size": 8}, (3.5, 3.5)), ({"size": 8, "strides": 4, "padding": "same"}, (1.5, 1.5)),
     ({"size": (4, 6), "strides": (2, 3)}, (1.5, 2.5))],
)  # fmt: skip
def test_a_convolution_of_extracted_patches(options: dict[str, Any], first: Any) -> None:
    model = pooled(lambda x: ops.image.extract_patches(x, **options))
    expl = eli5.explain_prediction(model, object_at(SIZE, (20, 44), 4), layer="conv")
    assert expl.targets[0].placement.first == first
