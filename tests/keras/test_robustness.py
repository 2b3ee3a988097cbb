"""What users' models and calls do that the plain case does not."""

from __future__ import annotations

import threading
import warnings
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import pytest
from keras import layers, ops
from PIL import Image

import eli5
from eli5.keras.explain_prediction import explain_prediction_keras
from eli5.keras.gradcam import gradcam
from helpers.model_kinds import SIZE, Attributes, body, chain, flat, head, like_flat, picture
from helpers.models import make_classifier, sample, with_weights

Array = np.ndarray[Any, Any]
BACKEND = keras.backend.backend()


@pytest.mark.filterwarnings("ignore:The heatmap of target")  # its weights are random
def test_a_subclass_that_was_never_called_is_built_and_stays_usable() -> None:
    model = Attributes()
    explanation = eli5.explain_prediction(model, picture(), top_targets=4)
    assert explanation.layer == "last"
    assert model.predict(np.repeat(picture(), 3, axis=0), verbose=0).shape == (3, 4)
    like_flat(model)
    assert eli5.explain_prediction(model, picture(), targets=[1]).targets[0].heatmap.max() == 1


class SaysItIsBuilt(Attributes):
    def build(self, shape: Any) -> None:
        self.built = True


@pytest.mark.filterwarnings("ignore:The heatmap of target")
def test_a_subclass_that_only_says_that_it_is_built_is_built_too() -> None:
    model = SaysItIsBuilt()
    model.build((None, *SIZE))
    assert eli5.explain_prediction(model, picture()).layer == "last"
    assert model(picture()).shape == (1, 4)


def saturated(ending: list[layers.Layer]) -> keras.Model:
    model = like_flat(keras.Sequential([keras.Input(SIZE), *body(), *head(None), *ending]))
    kernel, bias = model.get_layer("top").get_weights()
    model.get_layer("top").set_weights([kernel * 300, bias])
    return model


@pytest.mark.parametrize("policy", ["mixed_float16", "float16", "mixed_bfloat16", "bfloat16"])
@pytest.mark.parametrize("cast", [False, True])
def test_a_softmax_in_half_precision_is_found(policy: str, cast: bool) -> None:
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(policy)
    try:
        ending = [layers.Activation("softmax")]
        model = saturated(ending + [layers.Activation("linear", dtype="float32")] * cast)
    finally:
        keras.config.set_dtype_policy(before)
    explanation = eli5.explain_prediction(model, picture(), score="logit")
    assert explanation.targets[0].proba == 1.0
    assert explanation.targets[0].heatmap.max() == 1
    target = explanation.targets[0].target
    plain = eli5.explain_prediction(flat(), picture(), targets=[target], score="logit")
    difference = np.abs(explanation.targets[0].heatmap - plain.targets[0].heatmap)
    assert difference.max() < 0.15


class InPlace(keras.Model):  # type: ignore[misc]
    """A residual that is written into the output of the target layer."""

    def __init__(self) -> None:
        super().__init__()
        self.first = layers.Conv2D(4, 3, activation="relu", name="first")
        self.last = layers.Conv2D(4, 3, padding="same", activation="relu", name="last")
        self.pool, self.top = head()

    def call(self, x: Any) -> Any:
        x = self.first(x)
        y = self.last(x)
        y += x
        return self.top(self.pool(y))


def test_a_model_that_writes_into_a_layers_output_is_explained() -> None:
    model = InPlace()
    model(picture())
    with_weights(model).set_weights([np.abs(weight) for weight in model.get_weights()])
    explanation = eli5.explain_prediction(
        model, picture(), targets=[1], layer="last", score="logit"
    )
    activations = model.last(model.first(picture()))
    kernel = model.top.get_weights()[0]
    cam = np.maximum(keras.ops.convert_to_numpy(activations)[0] @ kernel[:, 1], 0)
    np.testing.assert_allclose(explanation.targets[0].heatmap, cam / cam.max(), atol=1e-5)


@pytest.mark.filterwarnings("ignore:The heatmap of target")
def test_equal_outputs_come_in_the_order_of_their_ids() -> None:
    model = make_classifier(units=10)
    top = model.get_layer("head")
    top.set_weights([top.get_weights()[0], top.get_weights()[1] * 0 + 100])
    top.activation = keras.activations.sigmoid
    explanation = eli5.explain_prediction(model, sample((12, 20, 3)), top_targets=10)
    assert [target.target for target in explanation.targets] == list(range(10))


class Branching(keras.Model):  # type: ignore[misc]
    """Calls a layer in a branch."""

    def __init__(self) -> None:
        super().__init__()
        self.first = layers.Conv2D(4, 3, activation="relu", name="first")
        self.inner = layers.Conv2D(4, 3, padding="same", name="inner")
        self.pool, self.top = head()

    def call(self, x: Any) -> Any:
        x = self.first(x)
        x = ops.cond(ops.sum(x) > -1, lambda: self.inner(x), lambda: x)
        return self.top(self.pool(x))


@pytest.mark.filterwarnings("ignore:The heatmap of target")
def test_a_layer_inside_of_a_branch_is_not_chosen_and_refused_in_words() -> None:
    model = Branching()
    model(picture())
    if BACKEND == "torch":  # runs branches in the open
        assert eli5.explain_prediction(model, picture()).layer == "inner"
        return
    assert eli5.explain_prediction(model, picture()).layer == "first"
    with pytest.raises(ValueError, match=r"layer='inner', which runs inside of a loop, a branch"):
        eli5.explain_prediction(model, picture(), layer="inner")


def test_a_layer_of_integers_is_refused() -> None:
    inputs = keras.Input(SIZE)
    x = layers.Conv2D(3, 3, name="conv")(inputs)
    whole = layers.Lambda(lambda x: ops.cast(x, "int32"), name="whole", dtype="int32")(x)
    x = layers.Add()([x, ops.cast(whole, "float32")])
    model = with_weights(keras.Model(inputs, chain(x, head())))
    with pytest.raises(ValueError, match=r"differentiable. Received: layer='whole', .* type int32"):
        eli5.explain_prediction(model, picture(), layer="whole")


@pytest.mark.parametrize(
    "class_names", [["cat", "dog"], {0: "cat", 1: "dog"}, {"cat": 0, "dog": 1}]
)
def test_the_one_unit_of_a_binary_classifier_is_its_second_class(class_names: Any) -> None:
    explanation = eli5.explain_prediction(
        flat("sigmoid", 1), picture(), targets=[1], class_names=class_names
    )
    assert explanation.targets[0].class_name == "dog"


@pytest.mark.parametrize(
    "class_names",
    [["a", "b", "c", "d"], dict(zip("0123", "abcd", strict=True)), np.array(list("abcd"))],
)
def test_names_may_come_from_a_json_file(class_names: Any) -> None:
    explanation = eli5.explain_prediction(flat(), picture(), targets=[1], class_names=class_names)
    assert explanation.targets[0].class_name == "b"


class Scale(layers.Layer):  # type: ignore[misc]
    def __init__(self) -> None:
        super().__init__()
        self.alpha = 1.0
        self.function = ops.abs

    def call(self, x: Any) -> Any:
        return self.function(x) * self.alpha


@pytest.mark.parametrize(("name", "value"), [("alpha", 5.0), ("function", ops.negative)])
@pytest.mark.filterwarnings("ignore:The heatmap of target")
def test_an_attribute_that_is_changed_in_place_is_noticed(name: str, value: Any) -> None:
    scale = Scale()
    pool, top = head()
    model = like_flat(keras.Sequential([keras.Input(SIZE), *body(), scale, pool, top]))
    eli5.explain_prediction(model, picture(), targets=[1])
    setattr(scale, name, value)
    score = eli5.explain_prediction(model, picture(), targets=[1]).targets[0].score
    assert score == pytest.approx(float(ops.convert_to_numpy(model(picture()))[0, 1]), abs=1e-5)


@dataclass
class Contrast:
    """A score that compares by value, and therefore does not hash."""

    one: int
    other: int

    def __call__(self, outputs: Any) -> Any:
        return outputs[:, self.one] - outputs[:, self.other]


def test_a_score_need_not_hash() -> None:
    model = flat(None)
    outputs = model.predict(picture(), verbose=0)[0]
    for one, other in [(0, 1), (1, 0), (2, 3)]:
        explanation = eli5.explain_prediction(model, picture(), score=Contrast(one, other))
        assert explanation.targets[0].target == "Contrast"
        assert explanation.targets[0].score == pytest.approx(
            outputs[one] - outputs[other], abs=1e-4
        )


@pytest.mark.filterwarnings("ignore:The heatmap of target")
def test_a_method_is_a_score() -> None:
    class Scores:
        def second(self, outputs: Any) -> Any:
            return outputs[:, 1]

    scores = Scores()
    for _ in range(2):
        explanation = eli5.explain_prediction(flat(), picture(), score=scores.second)
        assert explanation.targets[0].target == "second"


def test_explaining_while_another_thread_trains_does_not_fail() -> None:
    model = make_classifier()
    model.compile("sgd", "sparse_categorical_crossentropy")
    inputs = np.concatenate([sample((12, 20, 3), seed) for seed in range(16)])
    errors: list[BaseException] = []

    def explain() -> None:
        try:
            for _ in range(30):
                eli5.explain_prediction(model, inputs[:1], score=positive)
        except BaseException as error:
            errors.append(error)

    model.fit(inputs, np.arange(16) % 4, batch_size=2, verbose=0)
    thread = threading.Thread(target=explain)
    thread.start()
    while thread.is_alive():
        model.fit(inputs, np.arange(16) % 4, batch_size=2, verbose=0)
    thread.join()
    assert not [error for error in errors if not isinstance(error, UserWarning)]


def positive(outputs: Any) -> Any:
    """Return a score that is the same whatever the training does to the signs."""
    return ops.sum(outputs * outputs, axis=1)


def test_a_batch_callback_that_uses_its_own_reference_is_told_at_once(doc: Array) -> None:
    if BACKEND != "jax":
        pytest.skip("only on JAX does Keras take the weights out of the variables")
    model = make_classifier()
    model.compile("sgd", "sparse_categorical_crossentropy")
    eli5.explain_prediction(model, doc)
    callback = keras.callbacks.LambdaCallback(
        on_train_batch_end=lambda batch, logs: eli5.explain_prediction(model, doc)
    )
    with pytest.raises(RuntimeError, match=r"in a callback, take the model from `self.model`"):
        model.fit(doc, np.array([0]), verbose=0, callbacks=[callback])


# Bad input


@pytest.mark.parametrize("model", [5, None, "model.keras", layers.Dense(2)])
def test_only_a_keras_model_is_taken(model: Any, doc: Array) -> None:
    with pytest.raises(TypeError, match=r"Expected `model` to be a keras.Model. Received: model"):
        explain_prediction_keras(model, doc)


@pytest.mark.parametrize("class_names", [5, "abcd", 1.5])
def test_names_of_a_wrong_type_are_refused(class_names: Any, doc: Array) -> None:
    with pytest.raises(TypeError, match="`class_names` to be a sequence, a mapping"):
        eli5.explain_prediction(make_classifier(), doc, class_names=class_names)


def test_an_image_without_pixels_is_refused(doc: Array) -> None:
    with pytest.raises(ValueError, match=r"to have pixels. Received: image.size=\(0, 5\)"):
        eli5.explain_prediction(make_classifier(), doc, image=Image.new("RGB", (0, 5)))


def test_a_doc_with_nan_is_told(doc: Array) -> None:
    doc = doc.copy()
    doc[0, 2, 3, 1] = np.nan
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        explanation = eli5.explain_prediction(make_classifier(), doc)
    assert "The doc holds values that are not finite" in str(explanation.description)
    assert any("The doc holds values" in str(one.message) for one in caught)
    assert np.isfinite(explanation.targets[0].heatmap).all()


@pytest.mark.parametrize("scale", [1e30, 1e300, 1e-30, 1e-300])
def test_a_map_has_no_scale(scale: float) -> None:
    weights, activations = sample((5,))[0].astype("float64"), sample((3, 4, 5))[0].astype("float64")
    expected = gradcam(weights, activations)
    np.testing.assert_allclose(gradcam(weights * scale, activations), expected, atol=1e-6)
    np.testing.assert_allclose(gradcam(weights, activations * scale), expected, atol=1e-6)
