"""Each row of docs/looks-wrong.md is tried: the symptom shows, and the call in the row mends it."""

from __future__ import annotations

import logging
import re
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import keras
import numpy as np
import pytest
from keras import layers, ops
from PIL import Image

import eli5
from helpers.models import make_classifier, sample, with_weights

PAGE = (Path(__file__).parents[2] / "docs" / "looks-wrong.md").read_text(encoding="utf-8")
ROWS = {
    cells[0]: cells
    for line in re.findall(r"^\| (.*) \|$", PAGE, flags=re.MULTILINE)
    if len(cells := line.split(" | ")) == 3 and cells[0] not in ("you see", "---")
}
SIZE = (8, 10, 3)
OBJECTS = np.zeros((1, *SIZE), "float32")  # two, of different colours
OBJECTS[:, 2:5, 1:4, 0] = OBJECTS[:, 3:6, 6:9, 1] = 1
RAMP = np.linspace(0.1, 1, 240, dtype="float32").reshape(1, *SIZE)


def mean_of_class_1(outputs: Any) -> Any:
    return ops.mean(outputs[..., 1], axis=(1, 2))


# What the calls of the page speak of.
NAMES = {
    "mean_of_class_1": mean_of_class_1,
    "picture": Image.new("RGB", (10, 8), "teal"),
    "words": ["very", "good", "indeed", "", ""],
}


class Case(NamedTuple):
    """A call that shows the symptom; the row's is the same with the options that it names."""

    model: keras.Model
    doc: Any
    given: dict[str, Any]
    is_mended: Callable[[Any, Any], bool]  # of the explanations before and after
    shows: Callable[[Any], bool] = lambda before: True


def pooled(*first: Any, kernel: Any = ((0.5, 1.0),) * 4, activation: Any = "softmax") -> Any:
    """Return two convolutions and a head of pooling and one dense layer, with positive weights."""
    steps = [
        keras.Input(SIZE),
        *first,
        layers.Conv2D(4, 1, activation="relu", kernel_initializer="ones", name="early"),
        layers.Conv2D(4, 3, 2, activation="relu", kernel_initializer="ones", name="late"),
        layers.GlobalAveragePooling2D(),
        layers.Dense(len(kernel[0]), activation=activation, name="head"),
    ]
    model = keras.Sequential(steps)
    model.get_layer("head").kernel.assign(np.array(kernel, "float32") / 40)
    return model


def masks() -> keras.Model:
    steps = [
        keras.Input(SIZE),
        layers.Conv2D(4, 3, padding="same", activation="relu", name="early"),
        layers.Conv2D(4, 3, padding="same", activation="relu"),
        layers.Conv2D(2, 1, name="late"),
    ]
    return with_weights(keras.Sequential(steps))


class Everywhere(layers.Layer):  # type: ignore[misc]
    """Each of whose cells sees all places."""

    def call(self, x: Any) -> Any:
        return 0 * x + ops.mean(x, axis=(1, 2), keepdims=True)


def dense() -> keras.Model:
    steps = [keras.Input(SIZE), layers.Flatten(), layers.Dense(2, activation="softmax")]
    return with_weights(keras.Sequential(steps))


def decided() -> keras.Model:
    """Return a model that says 1 for the class that its maps tell, and 0 for the other."""
    inputs = keras.Input(SIZE)
    maps = layers.Conv2D(2, 3, name="conv")(inputs)
    model = keras.Model(inputs, ops.one_hot(ops.argmax(ops.max(maps, axis=(1, 2)), -1), 2))
    kernel = np.zeros((3, 3, 3, 2), "float32")
    kernel[:, :, 0, 0] = 1
    model.get_layer("conv").set_weights([kernel, np.array([0, 8.5], "float32")])
    return model


def folded() -> keras.Model:
    steps = [
        keras.Input((20,)),
        layers.Reshape((4, 5, 1)),
        layers.Conv2D(3, 3),
        layers.Flatten(),
        layers.Dense(2),
    ]
    return with_weights(keras.Sequential(steps))


def pair() -> keras.Model:
    left, right = (keras.Input(SIZE, name=name) for name in ("left", "right"))
    maps = [layers.Conv2D(2, 3, name=f"at_{one.name}")(one) for one in (left, right)]
    both = layers.Concatenate()([layers.GlobalAveragePooling2D()(one) for one in maps])
    return with_weights(keras.Model([left, right], layers.Dense(2)(both)))


class Patches(layers.Layer):  # type: ignore[misc]
    """Cuts ten patches that are not square."""

    def call(self, x: Any) -> Any:
        rows = ops.reshape(x, (-1, 2, 4, 5, 2, 3))
        return ops.reshape(ops.transpose(rows, (0, 1, 3, 2, 4, 5)), (-1, 10, 24))


def of_patches() -> keras.Model:
    steps = [
        keras.Input(SIZE),
        Patches(),
        layers.Dense(4, activation="relu"),
        layers.GlobalAveragePooling1D(),
        layers.Dense(2),
    ]
    return with_weights(keras.Sequential(steps))


def reader() -> keras.Model:
    steps = [
        keras.Input((5,)),
        layers.Embedding(6, 4),
        layers.Conv1D(3, 3, padding="same"),
        layers.GlobalAveragePooling1D(),
        layers.Dense(2),
    ]
    return with_weights(keras.Sequential(steps))


class Silent(keras.Model):  # type: ignore[misc]
    """Whose layers do not show where the channels of a doc ``(1, 3, 10, 3)`` are."""

    def __init__(self) -> None:
        super().__init__()
        self.dense = layers.Dense(2, kernel_initializer="ones")

    def call(self, x: Any) -> Any:
        return self.dense(ops.reshape(x, (-1, 90)))


def heat(explanation: Any) -> float:
    return float(explanation.targets[0].heatmap.sum())


def has_heat(before: Any, after: Any) -> bool:
    return heat(after) > 0


def is_finer(before: Any, after: Any) -> bool:
    return after.targets[0].heatmap.size > before.targets[0].heatmap.size


def targets(*expected: Any) -> Callable[[Any, Any], bool]:
    return lambda before, after: [target.target for target in after.targets] == list(expected)


def unlike_each_other(explanation: Any) -> bool:
    first, second = (target.attribution for target in explanation.targets)
    return not np.allclose(first, second)


def text_of(explanation: Any) -> str:
    return explanation.targets[0].weighted_spans.docs_weighted_spans[0].document


IDS = np.array([[3, 2, 4, 0, 0]])
CAFFE = (RAMP * 200 - [103.939, 116.779, 123.68]).astype("float32")
CASES: dict[str, Callable[[], Case]] = {
    '"nothing in the layer\'s activations raises the log-odds of the class"': lambda: Case(
        pooled(), RAMP, {"targets": [0]}, has_heat, lambda before: heat(before) == 0
    ),
    '"the output is saturated there"': lambda: Case(
        pooled(kernel=((0, 9e3),) * 4), RAMP, {"targets": [1], "score": "output"}, has_heat
    ),
    '"did not react to any change of the input that was tried"': lambda: Case(
        pooled(), 0 * RAMP, {"targets": [0], "method": "Occlusion"}, has_heat
    ),
    "a few large blocks": lambda: Case(
        pooled(), RAMP, {"targets": [1]}, is_finer, lambda one: one.targets[0].heatmap.size < 20
    ),
    "the same for each class": lambda: Case(
        two_objects(),
        OBJECTS,
        {"method": "Eigen-CAM", "top_targets": 2},
        lambda before, after: unlike_each_other(after),
        lambda before: not unlike_each_other(before),
    ),
    '"Where its cells lie in the picture could not be told"': lambda: Case(
        pooled(Everywhere()),
        RAMP,
        {"targets": [1]},
        lambda before, after: "could not be told" not in after.description,
    ),
    '"the heatmap shows the prediction, and not what it comes from"': lambda: Case(
        masks(),
        RAMP,
        {"layer": "late", "score": mean_of_class_1},
        lambda before, after: "shows the prediction" not in after.description,
    ),
    '"Nothing in the model tells where the channels of the doc are"': lambda: Case(
        Silent(),
        RAMP[:, :3],
        {"method": "Saliency"},
        lambda before, after: "Nothing in the model" not in after.description,
    ),
    '"The picture is drawn in grey"': lambda: Case(
        pooled(), CAFFE, {"targets": [1]}, lambda before, after: after.image.mode == "RGB"
    ),
    '"Take more `steps`"': lambda: Case(
        make_classifier(),
        4 * sample((12, 20, 3)),
        {"method": "Integrated Gradients", "steps": 1},
        lambda before, after: "Take more" not in after.description,
    ),
    "the other object in the picture, too": lambda: Case(
        # Two objects: what the maps 0, 1 see speaks for class 0, what 2, 3 see for both.
        two_objects(),
        OBJECTS,
        {"targets": [0], "method": "LayerCAM", "score": "logit"},
        lambda before, after: after.targets[0].heatmap[:, 3].max() == 0 < heat(after),
        lambda before: before.targets[0].heatmap[:, 3].max() > 0.1,
    ),
    "a class that you did not mean": lambda: Case(
        pooled(kernel=((1, 0.5),) * 4), RAMP, {}, targets(1), lambda before: targets(0)(0, before)
    ),
    '"one sigmoid unit, which stands for two classes"': lambda: Case(
        pooled(kernel=((1.0,),) * 4, activation="sigmoid"), RAMP, {}, targets(0)
    ),
    "no probability, `proba` is None": lambda: Case(
        pooled(activation=None),
        RAMP,
        {"targets": [1]},
        lambda before, after: 0 < after.targets[0].proba < 1,
        lambda before: before.targets[0].proba is None,
    ),
    "numbers in the place of words": lambda: Case(
        reader(),
        IDS,
        {},
        lambda before, after: text_of(after).startswith("very good indeed"),
        lambda before: text_of(before).startswith("3 2 4"),
    ),
    "the padding of a text": lambda: Case(
        reader(),
        IDS,
        {},
        lambda before, after: after.targets[0].heatmap.shape == (3,),
        lambda before: before.targets[0].heatmap.shape == (5,),
    ),
    '"Expected a model with a layer that gives a feature map"': lambda: Case(
        dense(), RAMP, {}, has_heat
    ),
    '"tokens lie on a known grid"': lambda: Case(
        of_patches(), RAMP, {}, lambda before, after: after.targets[0].heatmap.shape == (2, 5)
    ),
    '"followed by global average pooling and one dense layer"': lambda: Case(
        make_classifier(), sample((12, 20, 3)), {"method": "CAM", "targets": [0]}, has_heat
    ),
    '"methods that tell for from against a class"': lambda: Case(
        pooled(), RAMP, {"targets": [0], "method": "Saliency", "sign": "negative"}, has_heat
    ),
    '"Expected a layer that takes in the input that is explained"': lambda: Case(
        pair(),
        [RAMP, RAMP],
        {"layer": "at_right", "input": "left"},
        lambda before, after: after.layer == "at_right",
    ),
    '"Expected a classifier, a model with an output of shape (1, n_classes)"': lambda: Case(
        masks(), RAMP, {}, lambda before, after: after.layer == "early"
    ),
    '"behind which no gradient flows back"': lambda: Case(decided(), OBJECTS, {}, has_heat),
    "'try passing the \"image\" argument'": lambda: Case(
        folded(),
        RAMP.reshape(1, -1)[:, :20],
        {},
        lambda before, after: after.image.size == (5, 4),
    ),
    '"Expected `input` to say which of the inputs"': lambda: Case(
        pair(), [RAMP, RAMP], {}, lambda before, after: not after.error
    ),
    '"Expected the name of a layer of model"': lambda: Case(
        pooled(), RAMP, {"layer": "no-such", "targets": [1]}, has_heat
    ),
}
# Whose mending is no option of the call; each has a test below.
OTHERS = {
    '"a dead layer"',
    '"not finite (NaN or infinite weights"',
    '"Expected `doc` of shape"',
    '"Expected `doc` to be a NumPy array"',
    '"The doc holds values that are not finite"',
    '"as pixels of a file are"',
    "the first call takes seconds",
    "every call takes seconds",
    "the heatmap of before, after you changed something",
}


def two_objects() -> keras.Model:
    model = pooled(kernel=((80, 0), (40, 80), (0, 0), (0, 0)))
    kernel = np.zeros((1, 1, 3, 4), "float32")
    kernel[0, 0, 0, 0] = kernel[0, 0, 1, 1] = 1
    model.get_layer("early").kernel.assign(kernel)
    late = np.zeros((3, 3, 4, 4), "float32")
    late[1, 1] = np.eye(4)
    model.get_layer("late").kernel.assign(late)
    return model


def explained(case: Case, **options: Any) -> tuple[Any, str]:
    """Return the explanation, or None, and all that was said: warnings, error, description."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            found = eli5.explain_prediction(case.model, case.doc, **case.given | options)
        except (TypeError, ValueError) as error:
            return None, str(error)
    said = [str(one.message) for one in caught]
    return found, " ".join([*said, found.description or "", found.error or ""])


@pytest.mark.parametrize("symptom", CASES)
def test_the_symptom_shows_and_the_call_mends_it(symptom: str) -> None:
    case = CASES[symptom]()
    before, said = explained(case)
    for quoted in re.findall(r"^'(.*)'$|\"(.*?)\"", symptom):
        assert "".join(quoted) in said
    assert case.shows(before)
    options = re.findall(r"`([a-z_]+=.*?)`", ROWS[symptom][2])
    assert options
    for option in options:
        after, said = explained(case, **eval(f"dict({option})", NAMES))
        assert after is not None, said
        if option == options[0]:
            assert case.is_mended(before, after)


def test_each_row_is_tried() -> None:
    assert set(ROWS) == set(CASES) | OTHERS


@pytest.mark.filterwarnings("ignore:.*heatmap of target")
def test_docs_that_must_be_mended_first() -> None:
    with pytest.warns(UserWarning, match="a dead layer"):
        eli5.explain_prediction(pooled(), -RAMP, targets=[1])
    assert heat(eli5.explain_prediction(pooled(), RAMP, targets=[1])) > 0
    doc = RAMP.copy()
    doc[0, 2, 2] = np.nan
    with pytest.warns(UserWarning, match="The doc holds values that are not finite"):
        eli5.explain_prediction(pooled(), doc, targets=[1])
    assert heat(eli5.explain_prediction(pooled(), np.nan_to_num(doc), targets=[1])) > 0
    model = pooled()
    weights = model.get_weights()
    model.set_weights([np.nan * weight for weight in weights])
    with pytest.warns(UserWarning, match=r"not finite \(NaN or infinite weights"):
        eli5.explain_prediction(model, RAMP, targets=[1])
    model.set_weights(weights)
    assert heat(eli5.explain_prediction(model, RAMP, targets=[1])) > 0


def test_docs_that_are_no_arrays_of_a_batch() -> None:
    model = pooled()
    with pytest.raises(ValueError, match="Expected `doc` of shape"):
        eli5.explain_prediction(model, RAMP[0])
    assert eli5.explain_prediction(model, RAMP[0][None], targets=[1]).targets
    with pytest.raises(TypeError, match="Expected `doc` to be a NumPy array"):
        eli5.explain_prediction(model, RAMP.tolist())
    doc = np.asarray(RAMP.tolist())
    assert eli5.explain_prediction(model, doc, targets=[1]).targets


@pytest.mark.filterwarnings("ignore:.*heatmap of target")
def test_raw_pixels() -> None:
    applications = keras.applications
    model = applications.MobileNetV2(weights=None, alpha=0.35, input_shape=(32, 32, 3))
    doc = np.random.default_rng(0).integers(0, 256, (1, 32, 32, 3)).astype("float32")
    with pytest.warns(UserWarning, match="as pixels of a file are"):
        eli5.explain_prediction(model, doc)
    with warnings.catch_warnings():
        warnings.filterwarnings("error", message=".*pixels of a file")
        eli5.explain_prediction(model, applications.mobilenet_v2.preprocess_input(doc))


def test_a_new_function_each_time_is_compiled_each_time(caplog: pytest.LogCaptureFixture) -> None:
    def compiled(make_score: Callable[[], Any]) -> int:
        model = masks()
        caplog.clear()
        with caplog.at_level(logging.INFO, logger="eli5"):
            for _ in range(3):
                eli5.explain_prediction(model, RAMP, score=make_score())
        return sum(one.getMessage().startswith("Compiling") for one in caplog.records)

    assert compiled(lambda: mean_of_class_1) + 2 == compiled(
        lambda: lambda outputs: mean_of_class_1(outputs)
    )


def test_what_is_changed_deep_within_is_forgotten_by_hand() -> None:
    factors = np.ones(2, "float32")
    model = pooled()
    inputs = keras.Input(SIZE)
    held = keras.Model(
        inputs,
        layers.Lambda(lambda x: x * ops.convert_to_tensor(factors), output_shape=(2,))(
            model(inputs)
        ),
    )
    options: dict[str, Any] = {"targets": [1], "method": "Occlusion", "score": "output"}
    before = eli5.explain_prediction(held, RAMP, **options).targets[0].score
    factors[:] = 3
    if keras.backend.backend() != "torch":  # which compiles nothing
        assert eli5.explain_prediction(held, RAMP, **options).targets[0].score == before
    eli5.keras.forget(held)
    after = eli5.explain_prediction(held, RAMP, **options).targets[0].score
    assert after == pytest.approx(3 * before, rel=1e-4)
