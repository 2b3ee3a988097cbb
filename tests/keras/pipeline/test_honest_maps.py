"""What must not mislead: maps of rounding noise, reasons that are untrue, calls half understood."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from typing import Any

import keras
import numpy as np
import pytest
from keras import layers, ops

import eli5
from eli5.keras.engine import cache
from helpers.models import sample, with_weights

Array = np.ndarray[Any, Any]
SIZE = (12, 20, 3)


@pytest.fixture(scope="module")
def blind() -> keras.Model:
    """Return a model that does not look at its input."""
    inputs = keras.Input((24, 24, 3))
    still = layers.Conv2D(4, 3, kernel_initializer="zeros", bias_initializer="ones", name="still")
    outputs = layers.Dense(3, activation="softmax")(layers.Flatten()(still(inputs)))
    return keras.Model(inputs, outputs)


@pytest.mark.parametrize("method", ["RISE", "Occlusion"])
def test_rounding_is_no_reaction(blind: keras.Model, method: str) -> None:
    options: dict[str, Any] = {"n_masks": 50} if method == "RISE" else {}
    doc = sample((24, 24, 3))
    with pytest.warns(UserWarning, match="did not react to any change of the input"):
        explanation = eli5.explain_prediction(blind, doc, method=method, **options)
    assert not explanation.targets[0].attribution.any()


@pytest.mark.parametrize("method", ["RISE", "Occlusion"])
def test_a_doc_like_the_baseline_shows_nothing(classifier: keras.Model, method: str) -> None:
    with pytest.warns(UserWarning, match="left the input as it was"):
        explanation = eli5.explain_prediction(classifier, 0 * sample(SIZE), method=method)
    assert not explanation.targets[0].heatmap.any()


def test_a_black_doc_is_no_dead_layer(classifier: keras.Model) -> None:
    with pytest.warns(UserWarning, match="the input is all zero"):
        eli5.explain_prediction(classifier, 0 * sample(SIZE), method="Gradient x Input")


def test_what_lowers_the_score_is_named_so(classifier: keras.Model) -> None:
    options: dict[str, Any] = {"sign": "negative", "method": empty_map}
    with pytest.warns(UserWarning, match="activations lowers the log-odds of the class"):
        eli5.explain_prediction(classifier, sample(SIZE), **options)


def empty_map(activations: Any, gradients: Any) -> Any:
    return ops.sum(0 * activations * gradients, axis=-1)


@pytest.mark.filterwarnings("ignore:The heatmap of target")
def test_more_formulas_than_the_cache_holds(
    classifier: keras.Model, doc: Array, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cache, "_CAPACITY", 5)
    expected = eli5.explain_prediction(classifier, doc, method="HiResCAM")
    for _ in range(30):
        found = eli5.explain_prediction(
            classifier, doc, method=lambda A, G: ops.sum(A * G, axis=-1)
        )
    np.testing.assert_allclose(
        found.targets[0].attribution, expected.targets[0].attribution, atol=1e-6
    )
    assert eli5.explain_prediction(classifier, doc, method="HiResCAM") == expected


@pytest.mark.parametrize(
    ("name", "canonical"),
    [
        ("gradcampp", "Grad-CAM++"),
        ("Grad-CAM plus plus", "Grad-CAM++"),
        ("IG", "Integrated Gradients"),
        ("input x gradient", "Gradient × Input"),
    ],
)
def test_other_names_in_use(name: str, canonical: str) -> None:
    from eli5.keras.methods.lookup import find_method

    assert find_method(name).name == canonical


@pytest.mark.parametrize(
    ("wrong", "right"),
    [
        ("layers", "It is called `layer` here"),
        ("label", r"A class is asked for with targets=\[281\]"),
        ("top_target", "Did you mean 'top_targets'?"),
        ("Method", "Did you mean 'method'?"),
        ("n_sample", "Did you mean 'n_samples'?"),
        ("images", "Of one doc it is image="),
    ],
)
def test_a_misspelled_argument_is_guessed(
    classifier: keras.Model, doc: Array, wrong: str, right: str
) -> None:
    options: dict[str, Any] = {wrong: np.zeros((100, 100))}
    with pytest.raises(TypeError, match=right) as info:
        eli5.explain_prediction(classifier, doc, **options)
    assert len(str(info.value)) < 300


def test_one_method_and_several_are_too_many(classifier: keras.Model, doc: Array) -> None:
    with pytest.raises(ValueError, match=r"either `method` or `methods`. Received: both"):
        eli5.explain_prediction(classifier, doc, method="RISE", methods=["CAM"])


def test_a_reader_may_fill_one_array_again_and_again(classifier: keras.Model) -> None:
    docs = np.random.default_rng(1).uniform(-1, 1, (4, *SIZE)).astype("float32")

    def frames() -> Iterator[Array]:
        frame = np.empty((1, *SIZE), "float32")
        for one in docs:
            frame[0] = one
            yield frame

    options: dict[str, Any] = {"method": "Saliency"}
    found = list(eli5.explain_predictions(classifier, frames(), **options))
    expected = list(eli5.explain_predictions(classifier, docs, **options))
    assert found == expected


def test_a_warning_tells_which_of_many_docs(classifier: keras.Model) -> None:
    docs = np.concatenate([sample(SIZE), 0 * sample(SIZE)])
    with pytest.warns(UserWarning, match="^Doc 1: The heatmap of target"):
        list(eli5.explain_predictions(classifier, docs, method="Gradient x Input"))


class OneAtATime(keras.Model):  # type: ignore[misc]
    """Shapes its features for a batch of one."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.top = layers.Conv2D(4, 3, name="conv"), layers.Dense(3)

    def call(self, x: Any) -> Any:
        return self.top(ops.reshape(self.conv(x), (1, 10 * 18 * 4)))


def test_a_model_for_one_sample_gets_advice(doc: Array) -> None:
    model = OneAtATime()
    model(doc)
    with pytest.raises(Exception) as info:
        eli5.explain_prediction(model, doc, method="RISE", n_masks=8)
    assert "explain with batch_size=1" in "".join(info.value.__notes__)
    eli5.explain_prediction(model, doc, method="RISE", n_masks=8, batch_size=1)


def test_an_input_of_integers_has_no_gradient() -> None:
    inputs = keras.Input(SIZE, dtype="uint8")
    x = layers.Conv2D(4, 3)(layers.Rescaling(1 / 255)(inputs))
    x = layers.Dense(3)(layers.GlobalAveragePooling2D()(x))
    model = with_weights(keras.Model(inputs, x))
    doc = np.random.default_rng(0).integers(0, 255, (1, *SIZE), "uint8")
    with pytest.raises(ValueError, match=r"an input that the score depends on.*such as Occlusion"):
        eli5.explain_prediction(model, doc, method="Saliency")
    assert eli5.explain_prediction(model, doc, method="Occlusion").targets[0].attribution.any()


def test_segments_of_a_doc_with_nan(classifier: keras.Model, doc: Array) -> None:
    doc = doc.copy()
    doc[0, 0, 0, 0] = np.nan
    with pytest.raises(ValueError, match="finite picture to make segments of"):
        eli5.explain_prediction(classifier, doc, method="LIME", n_samples=40)


def test_the_description_tells_what_a_map_was_made_of(classifier: keras.Model, doc: Array) -> None:
    smooth = eli5.explain_prediction(classifier, doc, n_samples=3, noise=0.1, augment=True)
    assert "It is the mean over 3 noisy (noise=0.1) augmented copies of the doc." in str(
        smooth.description
    )
    fused = eli5.explain_prediction(classifier, doc, layer=["conv", "relu"], fusion="max")
    assert "The layers' maps are fused by their max." in str(fused.description)


def test_listed_layers_can_be_asked_for(classifier: keras.Model, doc: Array) -> None:
    listed = eli5.keras.target_layers(classifier)
    found = eli5.explain_prediction(classifier, doc, layer=listed[-1])
    assert found.layer == listed[-1].name
    fused = eli5.explain_prediction(classifier, doc, layer=listed[:2])
    assert fused.layer == ", ".join(one.name for one in listed[:2])


def test_a_partial_has_the_name_of_its_function(classifier: keras.Model, doc: Array) -> None:
    with pytest.warns(UserWarning, match="is empty"):
        found = eli5.explain_prediction(classifier, doc, method=functools.partial(empty_map))
    assert found.method == "empty_map"


@pytest.mark.parametrize("name", ["text", "dict"])
def test_what_is_no_explanation(name: str) -> None:
    with pytest.raises(TypeError, match=r"an Explanation, or several of them. Received: expl=None"):
        getattr(eli5, f"format_as_{name}")(None)
