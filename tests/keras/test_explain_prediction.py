"""The documented interface: what goes in, what comes out, and every error with its message."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest
from keras import layers
from PIL import Image

import eli5
from eli5.base import Explanation
from eli5.keras.explain_prediction import (
    explain_prediction_keras,
    explain_prediction_keras_image,
)
from helpers.models import make_classifier, sample, with_weights

Array = np.ndarray[Any, Any]


class Subclassed(keras.Model):  # type: ignore[misc]
    def __init__(self) -> None:
        super().__init__()
        self.conv = layers.Conv2D(4, 3, activation="relu", name="conv")
        self.flat = layers.Flatten()
        self.head = layers.Dense(3, activation="softmax")

    def call(self, x: Any) -> Any:
        return self.head(self.flat(self.conv(x)))


def functional() -> keras.Model:
    inputs = keras.Input((12, 20, 3))
    x = layers.Conv2D(4, 3, activation="relu", name="conv")(inputs)
    x = layers.GlobalAveragePooling2D()(x)
    return keras.Model(inputs, layers.Dense(3, activation="softmax")(x))


def unbuilt() -> keras.Model:
    positive = {"kernel_initializer": "ones"}
    return keras.Sequential(
        [
            layers.Conv2D(4, 3, activation="relu", name="conv", **positive),
            layers.Flatten(),
            layers.Dense(3, activation="softmax", **positive),
        ]
    )


def any_size() -> keras.Model:
    inputs = keras.Input((None, None, 3))
    x = layers.Conv2D(4, 3, activation="relu", name="conv")(inputs)
    x = layers.GlobalAveragePooling2D()(x)
    return keras.Model(inputs, layers.Dense(3, activation="softmax")(x))


def subclassed() -> keras.Model:
    model = Subclassed()
    model(np.zeros((1, 12, 20, 3), "float32"))
    return model


@pytest.mark.parametrize("make", [make_classifier, functional, unbuilt, any_size, subclassed])
def test_every_kind_of_model_gives_a_heatmap_of_the_layer(make: Any, doc: Array) -> None:
    model = make()
    if model.built:
        with_weights(model, seed=1)
    explanation = eli5.explain_prediction(model, doc, layer="conv", targets=[0], score="logit")
    (target,) = explanation.targets
    assert isinstance(explanation, Explanation)
    assert (explanation.estimator, explanation.method) == (model.name, "Grad-CAM")
    assert explanation.layer == "conv"
    assert not explanation.error
    assert not explanation.is_regression
    assert target.heatmap.shape == (10, 18)
    assert target.heatmap.dtype == np.float32
    assert (target.heatmap.min(), target.heatmap.max()) == (pytest.approx(0, abs=0.9), 1)
    assert target.target == 0
    assert type(target.target) is int
    prediction = model.predict(doc, verbose=0)[0]
    assert target.score == pytest.approx(prediction[0], abs=1e-6)
    assert target.proba == target.score
    assert model.built
    assert model.count_params() > 0


def test_a_model_that_was_not_built_takes_any_batch_afterwards(doc: Array) -> None:
    model = unbuilt()
    eli5.explain_prediction(model, doc, targets=[0], score="logit")
    assert model.input_shape == (None, 12, 20, 3)
    assert model.predict(np.repeat(doc, 5, axis=0), verbose=0).shape == (5, 3)


def test_sizes_may_change_from_call_to_call_where_the_model_lets_them() -> None:
    model = with_weights(any_size())
    for height, width in [(9, 14), (20, 7), (9, 14)]:
        doc = np.abs(sample((height, width, 3)))
        explanation = eli5.explain_prediction(model, doc, top_targets=3)
        assert explanation.targets[0].heatmap.shape == (height - 2, width - 2)
        assert explanation.image.size == (width, height)


def test_rank_3_input_is_an_image_without_channels() -> None:
    inputs = keras.Input((12, 20))
    x = layers.Reshape((12, 20, 1))(inputs)
    x = layers.Conv2D(4, 3, activation="relu", name="conv")(x)
    x = layers.GlobalAveragePooling2D()(x)
    model = with_weights(keras.Model(inputs, layers.Dense(3)(x)))
    explanation = explain_prediction_keras(model, np.abs(sample((12, 20))), top_targets=3)
    assert explanation.layer == "conv"
    assert explanation.targets[0].heatmap.shape == (10, 18)
    assert (explanation.image.mode, explanation.image.size) == ("L", (20, 12))
    # A method with one number per step of a series has one per pixel here, and not one per row.
    masked = explain_prediction_keras(
        model, np.abs(sample((12, 20))), method="RISE", n_masks=20, targets=[0]
    )
    assert masked.targets[0].attribution.shape == (12, 20)


def test_top_prediction_is_the_default(model: keras.Model, doc: Array) -> None:
    explanation = eli5.explain_prediction(model, doc)
    prediction = model.predict(doc, verbose=0)[0]
    assert explanation.targets[0].target == prediction.argmax()
    given = eli5.explain_prediction(model, doc, targets=[int(prediction.argmax())])
    assert explanation == given
    other = eli5.explain_prediction(model, doc, targets=[int(prediction.argmin())])
    assert np.abs(other.targets[0].heatmap - given.targets[0].heatmap).max() > 0.1


def test_several_targets_are_those_of_single_calls(model: keras.Model, doc: Array) -> None:
    explanation = eli5.explain_prediction(model, doc, top_targets=4)
    prediction = model.predict(doc, verbose=0)[0]
    assert [t.target for t in explanation.targets] == list(np.argsort(-prediction))
    for target in explanation.targets:
        (alone,) = eli5.explain_prediction(model, doc, targets=[target.target]).targets
        assert alone.score == pytest.approx(target.score, abs=1e-6)
        np.testing.assert_allclose(alone.heatmap, target.heatmap, atol=1e-5)


@pytest.mark.parametrize("integer", [np.int64(1), np.int32(1), np.uint8(1)])
def test_numpy_integers_are_integers(model: keras.Model, doc: Array, integer: Any) -> None:
    explanation = eli5.explain_prediction(model, doc, targets=[integer], layer=integer)
    assert type(explanation.targets[0].target) is int
    assert explanation.layer == "bn"


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_floats_of_any_size_give_the_same(model: keras.Model, doc: Array, dtype: str) -> None:
    doc = doc.round(2).astype("float16").astype("float32")
    expected = eli5.explain_prediction(model, doc).targets[0].heatmap
    heatmap = eli5.explain_prediction(model, doc.astype(dtype)).targets[0].heatmap
    np.testing.assert_allclose(heatmap, expected, atol=1e-5)


def test_integers_are_fed_as_they_are() -> None:
    model = with_weights(any_size())
    doc = np.random.default_rng(0).integers(0, 255, (1, 9, 14, 3), dtype="uint8")
    options: dict[str, Any] = {"top_targets": 3, "score": "logit"}
    explanation = eli5.explain_prediction(model, doc, **options)
    expected = eli5.explain_prediction(model, doc.astype("float32"), **options)
    assert explanation == expected
    np.testing.assert_array_equal(np.asarray(explanation.image), doc[0])


def test_image_is_kept_as_given(model: keras.Model, doc: Array) -> None:
    image = Image.new("RGB", (70, 50))
    assert eli5.explain_prediction(model, doc, image=image).image is image
    assert explain_prediction_keras_image(model, doc, image).image is image


def test_parameters_stand_in_the_documented_order(model: keras.Model, doc: Array) -> None:
    image = Image.new("RGB", (70, 50))
    one = explain_prediction_keras(model, doc, [1], "conv", image)
    two = explain_prediction_keras_image(model, doc, image, [1], "conv")
    assert one == two
    assert one.targets[0].target == 1
    assert one.layer == "conv"


@pytest.mark.parametrize(
    "class_names",
    [
        ["a", "b", "c", "d"],
        {3: "d", 1: "b", 0: "a", 2: "c"},
        {"d": 3, "b": 1, "a": 0, "c": 2},
        lambda target: "abcd"[target],
        {1: "b"}.get,
    ],
)
def test_class_names_stand_beside_the_ids(model: keras.Model, doc: Array, class_names: Any) -> None:
    explanation = eli5.explain_prediction(model, doc, targets=[1], class_names=class_names)
    assert (explanation.targets[0].target, explanation.targets[0].class_name) == (1, "b")


def test_a_class_without_a_name_keeps_its_id(model: keras.Model, doc: Array) -> None:
    names = {0: "a"}.get
    explanation = eli5.explain_prediction(model, doc, targets=[3], class_names=names)
    assert (explanation.targets[0].target, explanation.targets[0].class_name) == (3, None)


# What is not supported


def test_another_estimator_is_named_in_the_error() -> None:
    explanation = eli5.explain_prediction(sum, np.zeros(3))
    assert explanation.error == (
        "estimator <built-in function sum> is not supported: eli5 explains Keras 3 models, such as "
        "keras.saving.load_model('model.keras') gives"
    )
    assert explanation.targets is None


def test_a_keras_2_model_is_told_apart() -> None:
    legacy = type("Model", (), {"__module__": "tf_keras.src.engine.training"})()
    assert "load it with Keras 3" in str(eli5.explain_prediction(legacy, np.zeros(3)).error)


@pytest.mark.parametrize("given", [[], [keras.Input((12, 20, 3))]])
def test_a_model_without_layers_is_not_supported(doc: Array, given: list[Any]) -> None:
    explanation = eli5.explain_prediction(keras.Sequential(given, name="bare"), doc)
    assert 'model "bare" is not supported' in explanation.error
    assert explanation.targets is None


def test_an_image_beside_a_model_that_is_not_supported_is_kept() -> None:
    image = Image.new("RGB", (9, 7), "red")
    doc = np.zeros((1, 7, 9, 3), "float32")
    expl = eli5.explain_prediction(keras.Sequential(name="bare"), doc, image=image)
    assert expl.error == 'model "bare" is not supported: it has no layers.'
    assert expl.image is image
    with pytest.raises(ValueError, match=r"expl.error=model .bare. is not supported: it has no"):
        eli5.format_as_image(expl)


def test_a_model_without_images_is_not_supported() -> None:
    model = keras.Sequential([keras.Input((5,)), layers.Dense(2)], name="a>b")
    explanation = explain_prediction_keras(model, np.zeros((1, 5), "float32"))
    assert explanation.estimator == "a>b"
    assert 'model "a>b" is not supported, try passing the "image" argument' in str(
        explanation.error
    )
    assert explanation.targets is None
    unbuilt_mlp = keras.Sequential([layers.Dense(2)])
    assert "not supported" in str(explain_prediction_keras(unbuilt_mlp, np.zeros((1, 5))).error)
    assert not unbuilt_mlp.built


# Bad input


DOC_SHAPE = r"Expected `doc` of shape \(1, 12, 20, 3\).*Received: doc.shape="


@pytest.mark.parametrize(
    ("bad", "error", "message"),
    [
        ([[1.0]], TypeError, "Expected `doc` to be a NumPy array. Received: doc of type list"),
        (None, TypeError, "doc of type NoneType"),
        (np.zeros((1, 12, 20, 3), complex), TypeError, "doc.dtype=complex128"),
        (np.zeros((2, 12, 20, 3)), ValueError, DOC_SHAPE + r"\(2, 12, 20, 3\)"),
        (np.zeros((0, 12, 20, 3)), ValueError, DOC_SHAPE + r"\(0, 12, 20, 3\)"),
        (np.zeros((12, 20, 3)), ValueError, DOC_SHAPE + r"\(12, 20, 3\)"),
        (np.zeros((1, 20, 12, 3)), ValueError, DOC_SHAPE + r"\(1, 20, 12, 3\)"),
        (np.zeros((1, 12, 20, 1)), ValueError, DOC_SHAPE + r"\(1, 12, 20, 1\)"),
        (np.zeros(()), ValueError, DOC_SHAPE + r"\(\)"),
    ],
)
def test_a_bad_doc_is_refused(
    model: keras.Model, bad: Any, error: type[Exception], message: str
) -> None:
    for explain in (eli5.explain_prediction, explain_prediction_keras_image):
        with pytest.raises(error, match=message):
            explain(model, bad)


def test_a_text_is_no_picture(model: keras.Model) -> None:
    doc = np.array(["text"])
    with pytest.raises(ValueError, match="Expected a model with a TextVectorization"):
        eli5.explain_prediction(model, doc)
    with pytest.raises(TypeError, match=r"array of numbers. Received: doc.dtype=<U4"):
        explain_prediction_keras_image(model, doc)


def test_a_batch_of_two_is_refused_before_anything_else() -> None:
    model = unbuilt()
    with pytest.raises(ValueError, match=r"batch size 1. Received: doc.shape=\(2, 12, 20, 3\)"):
        eli5.explain_prediction(model, np.zeros((2, 12, 20, 3)), targets=[99], layer="nope")
    assert not model.built


def test_an_empty_size_is_refused() -> None:
    with pytest.raises(ValueError, match=r"Received: doc.shape=\(1, 0, 5, 3\)"):
        eli5.explain_prediction(any_size(), np.zeros((1, 0, 5, 3)))


@pytest.mark.parametrize(
    ("targets", "error", "message"),
    [
        (
            3,
            TypeError,
            r"Expected `targets` to be None or a list.*Received: targets=3 \(of type int",
        ),
        ((3,), TypeError, r"targets=\(3,\) \(of type tuple"),
        ("3", TypeError, "targets='3'"),
        (np.array([3]), TypeError, "of type ndarray"),
        (["3"], TypeError, r"to be an integer. Received: targets=\['3'\]"),
        ([1.0], TypeError, r"to be an integer. Received: targets=\[1.0\]"),
        ([True], TypeError, r"to be an integer. Received: targets=\[True\].*bool"),
        ([np.True_], TypeError, "to be an integer"),
        ([None], TypeError, "to be an integer"),
        ([], ValueError, r"with one class id. Received: targets=\[\] with 0 items"),
        ([0, 1], ValueError, r"Received: targets=\[0, 1\] with 2 items"),
        ([-1], ValueError, r"class id in \[0, 4\).*shape \(1, 4\). Received: targets=\[-1\]"),
        ([4], ValueError, r"class id in \[0, 4\).*Received: targets=\[4\]"),
        ([2**40], ValueError, r"class id in \[0, 4\)"),
    ],
)
def test_bad_targets_are_refused(
    model: keras.Model, doc: Array, targets: Any, error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        eli5.explain_prediction(model, doc, targets=targets)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"top_targets": 0}, ValueError, "`top_targets` >= 1. Received: top_targets=0"),
        ({"top_targets": 5}, ValueError, "at most 4.*Received: top_targets=5"),
        ({"top_targets": True}, TypeError, r"None or an integer. Received: top_targets=True"),
        (
            {"top_targets": 2, "targets": [1]},
            ValueError,
            "either `targets` or `top_targets` or `classes`",
        ),
        (
            {"image": "photo.jpg"},
            TypeError,
            "Pillow image. Received: image of type str.*PIL.Image.open",
        ),
        ({"no_such_option": 1}, TypeError, "no_such_option"),
    ],
)
def test_bad_options_are_refused(
    model: keras.Model, doc: Array, options: Any, error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        eli5.explain_prediction(model, doc, **options)


def test_a_model_that_is_no_classifier_is_refused() -> None:
    inputs = keras.Input((12, 20, 3))
    model = keras.Model(inputs, layers.Conv2D(2, 3, name="conv")(inputs))
    with pytest.raises(
        ValueError, match=r"Expected a classifier.*output shape \(1, 10, 18, 2\).*`score="
    ):
        eli5.explain_prediction(model, sample((12, 20, 3)))
