"""Transformers: tokens are folded back to the grid that the patches came from."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest
from keras import layers

import eli5
import eli5.keras
from eli5.keras.layers.token_grid import infer_grid
from helpers.models import sample, with_weights
from helpers.transformers import SIZE, transformer

Array = np.ndarray[Any, Any]


def expected(model: keras.Model, layer: str, n_prefix: int, target: int) -> Array:
    """Return the heatmap from finite differences through the part behind `layer`."""
    output = model.get_layer(layer).output
    # Past a block's first normalisation there is the residual path, which is held fixed.
    beside = [] if layer == "norm" else [model.get_layer(layer).input]
    body = keras.Model(model.inputs, [output, *beside])
    head = keras.Model([output, *beside], model.layers[-1].input)
    kernel, bias = model.layers[-1].get_weights()
    outputs = keras.tree.flatten(body.predict(picture(), verbose=0))
    tokens, *fixed = (x[0].astype("float64") for x in outputs)
    step = 3e-2  # float32 scores: a smaller step drowns in their rounding
    points = np.repeat(tokens[None], 2 * tokens.size, axis=0)
    for k in range(tokens.size):
        points[2 * k].flat[k] += step
        points[2 * k + 1].flat[k] -= step
    held = [np.repeat(x[None], len(points), axis=0) for x in fixed]
    scores = (
        head.predict([points, *held] if held else points, verbose=0, batch_size=512) @ kernel + bias
    )
    slopes = (scores[0::2, target] - scores[1::2, target]).reshape(tokens.shape) / (2 * step)
    cam = tokens[n_prefix:] @ slopes[n_prefix:].mean(axis=0)
    cam = np.maximum(cam.reshape(3, 5), 0)
    return cam / cam.max()


def picture() -> Array:
    return sample(SIZE, seed=1)


# A head that takes the class token alone leaves the patches of the last normalisation without
# gradient; the last tokens that count are those that the last attention takes in.
@pytest.mark.parametrize(
    ("n_prefix", "pooled", "convolution", "layer"),
    [
        (0, True, True, "norm"),
        (0, True, False, "norm"),
        (1, False, True, "two_norm1"),
        (1, False, False, "two_norm1"),
        (5, False, True, "two_norm1"),
        (5, True, False, "norm"),
    ],
)
@pytest.mark.filterwarnings("ignore:The heatmap of target")
def test_the_last_normalised_tokens_that_count_are_folded(
    n_prefix: int, pooled: bool, convolution: bool, layer: str
) -> None:
    model = transformer(n_prefix, pooled=pooled, convolution=convolution)
    # Of the logits, whose gradient is written out above.
    explanation = eli5.explain_prediction(model, picture(), top_targets=4, score="logit")
    assert explanation.layer == layer
    assert "(3x5, chosen automatically)" in str(explanation.description)
    full = [target for target in explanation.targets if target.heatmap.any()]
    assert full
    for target in full:
        right = expected(model, layer, n_prefix, target.target)
        np.testing.assert_allclose(target.heatmap, right, atol=5e-3)


@pytest.mark.filterwarnings("ignore:The heatmap of target")
def test_the_choice_is_made_once(monkeypatch: pytest.MonkeyPatch) -> None:
    model, calls = transformer(1, pooled=False), []
    original = type(model).call

    def call(self: Any, *args: Any, **kwargs: Any) -> Any:
        calls.append(self.name)
        return original(self, *args, **kwargs)

    monkeypatch.setattr(type(model), "call", call)  # before: another `call` is compiled anew
    eli5.explain_prediction(model, picture(), top_targets=4)
    calls.clear()
    eli5.explain_prediction(model, picture(), top_targets=4)
    assert len(calls) == (keras.backend.backend() == "torch")


def windows() -> keras.Model:
    """Return a Swin-like net: stages of tokens, merged two by two, seen as a map in between."""
    inputs = keras.Input((32, 64, 3))
    x = layers.Conv2D(4, 4, strides=4, name="patches")(inputs)
    x = layers.LayerNormalization(name="stage1")(layers.Reshape((-1, 4))(x))
    x = layers.Reshape((8, 16, 4))(x)
    x = layers.Conv2D(6, 2, strides=2, name="merging")(x)
    x = layers.LayerNormalization(name="stage2")(layers.Reshape((-1, 6))(x))
    return with_weights(keras.Model(inputs, layers.Dense(3)(layers.GlobalAveragePooling1D()(x))))


def test_tokens_of_a_later_stage_lie_on_its_grid() -> None:
    model, doc = windows(), np.abs(sample((32, 64, 3)))
    late = eli5.explain_prediction(model, doc, targets=[0])
    early = eli5.explain_prediction(model, doc, targets=[0], layer="stage1")
    assert (late.layer, late.targets[0].heatmap.shape) == ("stage2", (4, 8))
    assert early.targets[0].heatmap.shape == (8, 16)


def odd_tokens() -> keras.Model:
    """Return a model whose 13 tokens lie on no grid of the picture's shape."""
    inputs = keras.Input(SIZE)
    x = layers.Dense(13 * 4)(layers.Flatten()(layers.AveragePooling2D(8)(inputs)))
    x = layers.Reshape((13, 4), name="tokens")(x)
    x = layers.LayerNormalization(name="norm")(layers.Dense(4)(x))
    return with_weights(keras.Model(inputs, layers.Dense(3)(layers.GlobalAveragePooling1D()(x))))


@pytest.mark.filterwarnings("ignore:The heatmap of target")
def test_a_grid_is_given_where_it_cannot_be_inferred() -> None:
    model = odd_tokens()
    with pytest.raises(
        ValueError, match=r"'norm'.*shape \(1, 13, 4\). Say it: grid=\(height, width"
    ):
        eli5.explain_prediction(model, picture(), layer="norm")
    explanation = eli5.explain_prediction(model, picture(), layer="norm", grid=(3, 4))
    assert explanation.targets[0].heatmap.shape == (3, 4)


@pytest.mark.parametrize(
    ("grid", "message"),
    [
        ((4, 4), r"13 tokens lie on a known grid. Received: layer='norm' with grid=\(4, 4\)"),
        ((0, 4), r"`grid` to be \(height, width\) in tokens. Received: grid=\(0, 4\)"),
        ((3,), r"`grid` to be \(height, width\) in tokens. Received: grid=\(3,\)"),
    ],
)
def test_a_bad_grid_is_refused(grid: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        eli5.explain_prediction(odd_tokens(), picture(), layer="norm", grid=grid)


@pytest.mark.parametrize("grid", [12, (3.0, 4), "34", (True, 4), {3, 4}])
def test_a_grid_of_another_type_is_refused(grid: Any) -> None:
    with pytest.raises(TypeError, match=r"`grid` to be \(height, width\) in tokens.*of type"):
        eli5.explain_prediction(odd_tokens(), picture(), layer="norm", grid=grid)


@pytest.mark.filterwarnings("ignore:The heatmap of target")
@pytest.mark.parametrize("layer", [None, "norm"])
def test_a_grid_may_be_a_list(layer: str | None) -> None:
    model, grids = odd_tokens(), [(3, 4), [3, 4]]
    found: list[Any] = [
        eli5.explain_prediction(model, picture(), layer=layer, grid=grid)  # type: ignore[arg-type]
        for grid in grids
    ]
    np.testing.assert_array_equal(found[0].targets[0].heatmap, found[1].targets[0].heatmap)
    listed: list[Any] = [eli5.keras.target_layers(model, picture(), grid=one) for one in grids]  # type: ignore[arg-type]
    assert listed[0] == listed[1]


@pytest.mark.parametrize(
    ("n_tokens", "size", "maps", "grid"),
    [
        (196, (224, 224), [], (14, 14)),
        (197, (224, 224), [], (14, 14)),
        (198, (224, 224), [], (14, 14)),
        (261, (224, 224), [], (16, 16)),
        (60, (96, 160), [], (6, 10)),
        (61, (96, 160), [], (6, 10)),
        (61, (97, 161), [(48, 80), (6, 10)], (6, 10)),
        (24, (96, 160), [(4, 6)], (4, 6)),
        (49, (224, 224), [(56, 56)], (7, 7)),
        (61, (97, 161), [], None),
        (13, (24, 40), [], None),
    ],
)
def test_a_grid_is_inferred_from_the_picture_and_never_assumed_square(
    n_tokens: int, size: tuple[int, int], maps: Any, grid: Any
) -> None:
    assert infer_grid(n_tokens, size, maps) == grid
