"""One set of conditions: what is chosen and what is named is tested alike."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pytest
from keras import layers, ops

import eli5
from eli5.keras import target_layers
from helpers.backend_limits import ONCE
from helpers.models import sample, with_weights

pytestmark = ONCE  # made from shapes and classes

Array = np.ndarray[Any, Any]


def finished(inputs: Any, x: Any, pool: bool = True) -> keras.Model:
    if pool:
        grid_axes = tuple(range(1, len(x.shape) - 1))
        x = ops.mean(x, axis=grid_axes)
    model = keras.Model(inputs, layers.Dense(2, name="head")(x))
    with_weights(model).set_weights([np.abs(weight) for weight in model.get_weights()])
    return model


def volume(make: Callable[[Any], Any], shape: tuple[int, ...]) -> keras.Model:
    inputs = keras.Input(shape)
    return finished(inputs, make(inputs))


ROWS, COLUMNS, BANDS = 10, 14, 12


def hybrid(x: Any) -> Any:
    """Return bands as depth, then as channels: HybridSN, arXiv:1902.06701."""
    x = layers.Conv3D(3, (3, 3, 5), activation="relu", name="spectral")(x)
    x = layers.Reshape((ROWS - 2, COLUMNS - 2, (BANDS - 4) * 3), name="fold")(x)
    return layers.Conv2D(4, 3, padding="same", activation="relu", name="spatial")(x)


def by_mean(axis: int, **options: Any) -> Callable[[Any], Any]:
    def make(x: Any) -> Any:
        x = layers.Conv3D(3, 3, padding="same", activation="relu", name="spectral")(x)
        x = ops.mean(x, axis=axis, **options)
        return layers.Conv2D(4, 3, padding="same", activation="relu", name="spatial")(x)

    return make


def summed_up(x: Any) -> Any:
    x = layers.ConvLSTM2D(3, 3, padding="same", return_sequences=True, name="spectral")(x)
    x = layers.ConvLSTM2D(3, 3, padding="same", name="sum")(x)
    return layers.Conv2D(4, 3, padding="same", activation="relu", name="spatial")(x)


# What leaves a map over two of the three axes; which two; and the size of that map.
REDUCED: dict[str, tuple[Callable[[Any], Any], tuple[int, int], tuple[int, int]]] = {
    "HybridSN": (hybrid, (0, 1), (ROWS - 2, COLUMNS - 2)),
    "mean over bands": (by_mean(3), (0, 1), (ROWS, COLUMNS)),
    "maximum over depth": (by_mean(1), (1, 2), (COLUMNS, BANDS)),
    "mean over height": (by_mean(-3), (0, 2), (ROWS, BANDS)),
    "ConvLSTM2D": (summed_up, (1, 2), (COLUMNS, BANDS)),
}


@pytest.mark.parametrize("kind", REDUCED)
def test_the_deepest_map_is_chosen_over_two_of_three_axes(kind: str) -> None:
    make, kept, grid = REDUCED[kind]
    model = volume(make, (ROWS, COLUMNS, BANDS, 1))
    place = (6, 9, 7)
    doc = np.full((1, ROWS, COLUMNS, BANDS, 1), 0.01, "float32")
    where = [slice(one - 1, one + 2) if k in kept else slice(None) for k, one in enumerate(place)]
    doc[(0, *where)] = 1
    explanation = eli5.explain_prediction(model, doc, targets=[1])
    heatmap = explanation.targets[0].heatmap
    assert explanation.layer == "spatial"
    assert heatmap.shape == grid
    peak = np.unravel_index(heatmap.argmax(), grid)
    sizes = (ROWS, COLUMNS, BANDS)
    for at, length, axis in zip(peak, grid, kept, strict=True):
        assert abs((at + 0.5) / length * sizes[axis] - (place[axis] + 0.5)) <= 2
    # What is drawn under it has the same two axes.
    assert explanation.image.size == (sizes[kept[1]], sizes[kept[0]])
    named = eli5.explain_prediction(model, doc, targets=[1], layer="spatial")
    np.testing.assert_array_equal(named.targets[0].heatmap, heatmap)
    assert eli5.explain_prediction(model, doc, layer="spectral").targets[0].heatmap.ndim == 3
    assert [one.name for one in target_layers(model)][-1] == "spatial"


def test_the_picture_under_a_map_of_rows_and_columns_is_the_mean_of_the_bands() -> None:
    doc = sample((ROWS, COLUMNS, BANDS, 1))
    explanation = eli5.explain_prediction(volume(hybrid, doc.shape[1:]), np.abs(doc), targets=[1])
    means = np.abs(doc).mean(axis=(0, 3))[..., 0]
    np.testing.assert_allclose(np.asarray(explanation.image) / 255, means, atol=0.003)


@pytest.mark.parametrize("method", ["Score-CAM", "Ablation-CAM", "HiResCAM"])
def test_methods_with_a_layer_work_on_maps_of_two_axes(method: str) -> None:
    doc = np.abs(sample((ROWS, COLUMNS, BANDS, 1)))
    explanation = eli5.explain_prediction(
        volume(hybrid, doc.shape[1:]), doc, targets=[1], method=method
    )
    assert explanation.targets[0].heatmap.shape == (ROWS - 2, COLUMNS - 2)
    assert explanation.targets[0].heatmap.any()


def channels_in_the_batch(x: Any) -> Any:
    return ops.reshape(ops.transpose(x, (0, 3, 1, 2)), (-1, 6, 8, 1))


# Layers that are no map of the doc, and what is said of them.
UNFIT: dict[str, tuple[tuple[int, ...], Callable[[Any], Any], str]] = {
    "of several samples": (
        (6, 8, 3),
        lambda x: ops.reshape(
            ops.mean(layers.Conv2D(4, 3, name="conv")(channels_in_the_batch(x)), axis=(1, 2)),
            (-1, 12),
        ),
        r"found 'conv', rank 4, of 3 samples for one doc",
    ),
    "a picture out of columns": (
        (784, 1),
        lambda x: layers.Conv2D(4, 3, name="conv")(layers.Reshape((28, 28, 1))(x)),
        "",
    ),
    "other axes": (
        (6, 8, 3),
        lambda x: layers.Conv2D(4, 3, name="conv")(layers.Reshape((12, 12, 1))(x)),
        r"found 'conv', rank 4, whose axes are not those of a doc of shape \(1, 6, 8, 3\)",
    ),
    "no places": (
        (6, 8, 3),
        lambda x: layers.Dense(5, name="conv")(layers.Flatten()(x)),
        r"found 'conv', rank 2, which has no places",
    ),
}


@pytest.mark.parametrize("kind", [kind for kind, (*_, message) in UNFIT.items() if message])
def test_what_is_no_map_is_refused_alike(kind: str) -> None:
    shape, make, message = UNFIT[kind]
    inputs = keras.Input(shape)
    x = make(inputs)
    model = finished(inputs, layers.Flatten()(x), pool=False)
    with pytest.raises(ValueError, match=message):
        eli5.explain_prediction(model, sample(shape), layer="conv")
    with pytest.raises(ValueError, match="Expected a model with a layer") as info:
        eli5.explain_prediction(model, sample(shape))
    said = str(info.value)
    assert "without one" not in said
    assert "none" not in said.lower().replace("need no", "")
    assert "Occlusion" in said
    if "rank 4" in message:
        assert "found 'conv', rank 4" in said
    assert target_layers(model, sample(shape)) == []
    assert eli5.explain_prediction(model, sample(shape), method="Occlusion").targets


def test_no_layer_is_recommended_where_none_would_do() -> None:
    inputs = keras.Input((6, 8, 3))
    model = finished(inputs, layers.Dense(5, name="hidden")(layers.Flatten()(inputs)), pool=False)
    with pytest.raises(ValueError, match=r"No layer of the model would do\. Methods that explain"):
        eli5.explain_prediction(model, sample((6, 8, 3)), layer="hidden")


def rounding(how: str) -> keras.Model:
    inputs = keras.Input((9, 11, 2))
    x = layers.Conv2D(4, 3, activation="relu", name="conv")(inputs)
    x = layers.Dense(3)(layers.GlobalAveragePooling2D()(x))
    if how == "argmax":
        x = ops.cast(ops.argmax(x, axis=-1, keepdims=True), "float32")
    else:
        x = ops.sign(x) if how == "sign" else ops.round(x)
    return with_weights(keras.Model(inputs, x))


@pytest.mark.parametrize("options", [{}, {"layer": "conv"}, {"method": "Saliency"}])
def test_an_argmax_is_told_and_methods_without_gradients_named(options: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"argmax.*Occlusion, RISE, KernelSHAP") as info:
        eli5.explain_prediction(rounding("argmax"), sample((9, 11, 2)), **options)
    assert "another layer" not in str(info.value)


@pytest.mark.parametrize("method", ["Occlusion", "Score-CAM", "Ablation-CAM"])
@pytest.mark.filterwarnings("ignore:The heatmap of")
def test_methods_without_gradients_explain_an_argmax(method: str) -> None:
    found = eli5.explain_prediction(rounding("argmax"), sample((9, 11, 2)), method=method)
    assert found.targets[0].heatmap.ndim == 2


def test_a_kernel_over_the_words_of_a_text_is_a_map_of_them() -> None:
    """The pictures of words of arXiv:1408.5882: (1, T, E, 1) out of an embedding."""
    inputs = keras.Input((9,), dtype="int32")
    x = layers.Embedding(20, 6, name="embedding")(inputs)
    x = layers.Reshape((9, 6, 1))(x)
    x = layers.Conv2D(4, (3, 6), activation="relu", name="conv")(x)
    model = finished(inputs, x)
    ids = np.array([[1, 2, 3, 4, 5, 6, 7, 8, 9]])
    explanation = eli5.explain_prediction(model, ids, targets=[1])
    assert explanation.layer == "conv"
    assert explanation.targets[0].heatmap.shape == (9,)
