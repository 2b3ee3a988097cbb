"""A layer that gives the model's output is no explanation of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pytest
from keras import layers, ops

import eli5
from helpers.models import sample, with_weights

SIZE = (12, 16, 3)
FROM_OUTPUT = "The model's output comes from layer '{}' place by place: the heatmap shows the predi"


class OwnCode(keras.Model):  # type: ignore[misc]
    """Computes on the last map without any layer."""

    def __init__(self) -> None:
        super().__init__()
        self.early = layers.Conv2D(6, 3, padding="same", activation="relu", name="early")
        self.features = layers.Conv2D(6, 3, padding="same", activation="relu", name="features")
        self.mask = layers.Conv2D(2, 1, name="mask")

    def call(self, x: Any) -> Any:
        return ops.tanh(2 * self.mask(self.features(self.early(x))))


def functional(head: Callable[[Any], Any]) -> keras.Model:
    inputs = keras.Input(SIZE)
    x = layers.Conv2D(6, 3, padding="same", activation="relu", name="early")(inputs)
    x = layers.Conv2D(6, 3, padding="same", activation="relu", name="features")(x)
    return keras.Model(inputs, head(x))


def own_code() -> keras.Model:
    model = OwnCode()
    model(np.zeros((1, *SIZE), "float32"))
    return model


def mask(x: Any, **options: Any) -> Any:
    return layers.Conv2D(**{"filters": 2, "kernel_size": 1, "name": "mask"} | options)(x)


MODELS: dict[str, tuple[Callable[[], keras.Model], str, tuple[str, ...]]] = {
    "softmax": (
        lambda: functional(lambda x: mask(x, activation="softmax")),
        "early",
        ("features",),
    ),
    "activation behind": (
        lambda: functional(lambda x: layers.Activation("sigmoid", name="act")(mask(x))),
        "early",
        ("features", "mask", "act"),
    ),
    "operation behind": (
        lambda: functional(lambda x: ops.tanh(mask(x))),
        "early",
        ("features", "mask"),
    ),
    "own code behind": (own_code, "early", ("features", "mask")),
    "no axis of channels": (
        lambda: functional(lambda x: layers.Reshape(SIZE[:2])(mask(x, filters=1))),
        "early",
        ("features", "mask"),
    ),
    "neighbours mixed": (
        lambda: functional(lambda x: mask(x, kernel_size=3, padding="same")),
        "features",
        ("mask",),
    ),
    "another size": (
        lambda: functional(lambda x: layers.UpSampling2D(2)(mask(x))),
        "mask",
        (),
    ),
}


def corner(outputs: Any) -> Any:
    """Return what the model says of the corner."""
    corner = outputs[:, :4, :5]
    return ops.sum(corner if len(corner.shape) == 3 else corner[..., 0], axis=(1, 2))


@pytest.mark.filterwarnings("ignore:The heatmap of target")
@pytest.mark.parametrize("name", MODELS)
def test_it_is_never_chosen(name: str) -> None:
    make, layer, _ = MODELS[name]
    model = with_weights(make())
    expl = eli5.explain_prediction(model, np.abs(sample(SIZE)), score=corner)
    assert expl.layer == layer
    assert "place by place" not in expl.description


@pytest.mark.filterwarnings("ignore:The heatmap of target")
@pytest.mark.parametrize("name", MODELS)
def test_named_it_is_explained_with_a_warning(name: str) -> None:
    make, chosen, outputs = MODELS[name]
    model = with_weights(make())
    for layer in outputs:
        with pytest.warns(UserWarning, match=FROM_OUTPUT.format(layer)):
            expl = eli5.explain_prediction(model, np.abs(sample(SIZE)), score=corner, layer=layer)
        assert expl.layer == layer
        assert FROM_OUTPUT.format(layer) in expl.description
    eli5.explain_prediction(model, np.abs(sample(SIZE)), score=corner, layer=chosen)


def test_what_was_explained_by_itself_is_the_prediction() -> None:
    model = with_weights(functional(lambda x: mask(x, activation="sigmoid")))
    doc = np.abs(sample(SIZE))
    with pytest.warns(UserWarning, match="place by place"):
        expl = eli5.explain_prediction(model, doc, score=corner, layer="mask", method="HiResCAM")
    outputs = model.predict(doc, verbose=0)[0, :, :, 0]
    assert np.corrcoef(expl.targets[0].attribution[:4, :5].ravel(), outputs[:4, :5].ravel())[
        0, 1
    ] == pytest.approx(1)


def test_a_model_of_nothing_else_is_refused() -> None:
    model = with_weights(keras.Sequential([keras.Input(SIZE), layers.Conv2D(2, 1, name="mask")]))
    doc = np.abs(sample(SIZE))
    with pytest.raises(ValueError, match=r"does not come from place by place.*'mask'.*Occlusion"):
        eli5.explain_prediction(model, doc, score=corner)
    assert eli5.explain_prediction(model, doc, score=corner, method="Saliency").layer is None


@pytest.mark.filterwarnings("ignore:The heatmap of target")
def test_a_map_beside_the_classes_may_be_chosen() -> None:
    inputs = keras.Input(SIZE)
    x = layers.Conv2D(6, 3, activation="relu", name="features")(inputs)
    classes = layers.Dense(3, activation="softmax")(layers.GlobalAveragePooling2D()(x))
    model = with_weights(keras.Model(inputs, [classes, x]))
    assert eli5.explain_prediction(model, np.abs(sample(SIZE))).layer == "features"
    second = eli5.explain_prediction(
        model, np.abs(sample(SIZE)), score=lambda outputs: outputs[0][:, 1]
    )
    assert second.layer == "features"


@pytest.mark.filterwarnings("ignore:The heatmap of target")
def test_of_a_series_too() -> None:
    inputs = keras.Input((20, 2))
    x = layers.Conv1D(4, 5, padding="same", activation="relu", name="early")(inputs)
    x = layers.Conv1D(4, 5, padding="same", activation="relu", name="features")(x)
    model = with_weights(keras.Model(inputs, layers.Dense(3, name="each")(x)))
    expl = eli5.explain_prediction(
        model, sample((20, 2)), time=np.arange(20), score=lambda y: y[:, 7, 1]
    )
    assert expl.layer == "early"
