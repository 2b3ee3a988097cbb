"""Maps of several layers in one, against the single maps fused by hand."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest
from keras import layers

import eli5
from helpers.backend_limits import ONCE, skip_what_cannot_run
from helpers.model_kinds import KINDS, nested_functional, picture
from helpers.models import make_classifier, sample, with_weights

pytestmark = ONCE  # maps are fused by NumPy

Array = np.ndarray[Any, Any]


def explained(model: keras.Model, method: str, layer: Any, **options: Any) -> Any:
    options = {"top_targets": 3} | options
    return eli5.explain_prediction(
        model, sample(model.input_shape[1:], seed=6), method=method, layer=layer, **options
    )


def enlarged(values: Array, size: tuple[int, int]) -> Array:
    """Return bilinear interpolation between the centres of cells, pixel by pixel."""
    result = np.zeros(size)
    for i in range(size[0]):
        for j in range(size[1]):
            y = min(max((i + 0.5) * values.shape[0] / size[0] - 0.5, 0), values.shape[0] - 1)
            x = min(max((j + 0.5) * values.shape[1] / size[1] - 0.5, 0), values.shape[1] - 1)
            for row in range(values.shape[0]):
                for column in range(values.shape[1]):
                    near = max(0.0, 1 - abs(y - row)) * max(0.0, 1 - abs(x - column))
                    result[i, j] += near * values[row, column]
    return result


def fused(maps: list[Array], fusion: str) -> Array:
    """Return the mean or maximum of maps that are each divided by their largest absolute value."""
    scaled = [one / (np.abs(one).max() or 1) for one in maps]
    finest = max((one.shape for one in scaled), key=np.prod)
    same = [enlarged(one, finest) for one in scaled]
    result = np.zeros(finest)
    for place in np.ndindex(*finest):
        values = [float(one[place]) for one in same]
        result[place] = max(values) if fusion == "max" else sum(values) / len(values)
    return result


@pytest.mark.filterwarnings("ignore:The heatmap of target")
@pytest.mark.parametrize("fusion", ["mean", "max"])
@pytest.mark.parametrize("method", ["Grad-CAM", "HiResCAM", "Ablation-CAM", "ShapleyCAM"])
def test_several_layers_give_the_fusion_of_their_maps(method: str, fusion: str) -> None:
    model, names = make_classifier(), ["conv", "pool", "relu"]
    found = explained(model, method, names, fusion=fusion)
    single = [explained(model, method, name) for name in names]
    for k, target in enumerate(found.targets):
        assert all(one.targets[k].target == target.target for one in single)
        right = fused([one.targets[k].attribution.astype("float64") for one in single], fusion)
        np.testing.assert_allclose(target.attribution, right, atol=2e-5)
        assert target.attribution.dtype == np.float32
    assert found.layer == "conv, pool, relu"
    assert f"{method} heatmap of layers 'conv, pool, relu' (10x18)" in str(found.description)
    shapes = [one.targets[0].attribution.shape for one in single]
    assert shapes == [(10, 18), (5, 9), (10, 18)]


def test_one_layer_in_a_list_is_not_scaled() -> None:
    model = make_classifier()
    one, two = explained(model, "HiResCAM", ["conv"]), explained(model, "HiResCAM", "conv")
    assert one == two


def test_the_mean_is_what_is_fused_if_not_said() -> None:
    model, names = make_classifier(), ["conv", "relu"]
    assert explained(model, "Grad-CAM", names) == explained(model, "Grad-CAM", names, fusion="mean")


def test_layers_are_named_in_any_way_and_at_any_depth() -> None:
    model = nested_functional()
    by_name = eli5.explain_prediction(
        model, picture(), layer=["base/last", "act"], targets=[0], method="LayerCAM"
    )
    base = model.get_layer("base")
    last = base.get_layer("last")
    mixed = eli5.explain_prediction(
        model, picture(), layer=[last, ("act", 0)], targets=[0], method="LayerCAM"
    )
    assert by_name.layer == "base/last, base/act"
    assert mixed == by_name


def test_layers_with_channels_first_are_fused_alike() -> None:
    kind = KINDS["channels first"]
    options: dict[str, Any] = {"targets": [0], "layer": ["first", "last"]}
    model, doc = kind.make(), kind.doc(picture())
    skip_what_cannot_run("channels first", model, doc)
    plain = eli5.explain_prediction(KINDS["flat"].make(), picture(), **options).targets[0]
    found = eli5.explain_prediction(model, doc, **options).targets[0]
    np.testing.assert_allclose(found.attribution, plain.attribution, atol=1e-5)


def test_fused_maps_are_smoothed_first() -> None:
    model, options = make_classifier(), {"n_samples": 3, "targets": [0], "top_targets": None}
    found = explained(model, "LayerCAM", ["conv", "pool"], **options).targets[0].attribution
    single = [
        explained(model, "LayerCAM", name, **options).targets[0].attribution.astype("float64")
        for name in ("conv", "pool")
    ]
    np.testing.assert_allclose(found, fused(single, "mean"), atol=2e-5)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"fusion": "sum"}, ValueError, r"`fusion` to be one of \('mean', 'max'\).*fusion='sum'"),
        ({"fusion": None}, TypeError, "fusion=None"),
        ({"fusion": ["max"]}, TypeError, r"fusion=\['max'\]"),
        ({"layer": []}, ValueError, r"at least one layer. Received: layer=\[\]"),
        ({"layer": ["conv", 1.5]}, TypeError, r"list of these. Received: layer=1.5"),
        ({"layer": ["conv", None]}, TypeError, "Received: layer=None"),
        ({"layer": ["conv", "nope"]}, ValueError, "layer='nope'"),
        ({"layer": ["conv", "relu", 0]}, ValueError, r"layer once. Received: layer=\['conv', 're"),
    ],
)
def test_bad_fusions_are_refused(options: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        eli5.explain_prediction(make_classifier(), sample((12, 20, 3)), **options)


def test_maps_of_other_ranks_cannot_be_fused() -> None:
    inputs = keras.Input((4, 6, 8, 1))
    x = layers.Conv3D(2, 3, padding="same", name="deep")(inputs)
    x = keras.ops.mean(x, axis=3)  # over the planes alone
    x = layers.Conv2D(3, 3, padding="same", name="wide")(x)
    x = layers.Dense(3)(layers.GlobalAveragePooling2D()(x))
    model = with_weights(keras.Model(inputs, x))
    with pytest.raises(ValueError, match=r"same number of axes.*\(4, 6, 8\), \(4, 6\)"):
        eli5.explain_prediction(model, sample((4, 6, 8, 1)), layer=["deep", "wide"])
