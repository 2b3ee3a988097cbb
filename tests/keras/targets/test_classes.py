"""Which class is meant: one unit for two, names and ids, and what the outputs are."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pytest
from keras import ops

import eli5
from eli5.keras.gradcam import gradcam_backend
from helpers.backend_limits import ONCE
from helpers.model_kinds import flat, picture

pytestmark = ONCE  # ids, names and checks

NAMES = ["ant", "bee", "cat", "dog"]
empty_heatmaps = pytest.mark.filterwarnings("ignore:The heatmap of target")


def unit(p: float, rank: int = 2) -> keras.Model:
    """Return a model of one sigmoid unit that says `p` of the picture."""
    model = flat(None if rank == 1 else "sigmoid", 1)
    kernel, bias = model.layers[-1].get_weights()
    logit = flat(None, 1).predict(picture(), verbose=0)[0, 0]
    model.layers[-1].set_weights([kernel, bias + np.log(p / (1 - p)) - logit])
    return model if rank == 2 else keras.Model(model.inputs, ops.sigmoid(model.outputs[0][:, 0]))


# One sigmoid unit stands for two classes


@empty_heatmaps
def test_a_low_value_predicts_the_first_class() -> None:
    expl = eli5.explain_prediction(unit(0.03), picture(), class_names=["cat", "dog"])
    (target,) = expl.targets
    assert (target.target, target.class_name) == (0, "cat")
    assert target.proba == target.score == pytest.approx(0.97, abs=1e-5)
    assert target.explained == pytest.approx(np.log(0.97 / 0.03), abs=1e-4)
    assert not expl.is_regression
    assert "one sigmoid unit, which stands for two classes" in expl.description
    high = eli5.explain_prediction(unit(0.8), picture(), class_names=["cat", "dog"])
    assert (high.targets[0].target, high.targets[0].class_name) == (1, "dog")


@empty_heatmaps
@pytest.mark.parametrize("score", ["auto", "log-odds", "logit", "output"])
@pytest.mark.parametrize("method", ["HiResCAM", "Occlusion"])
def test_what_speaks_for_one_speaks_against_the_other(method: str, score: str) -> None:
    options: dict[str, Any] = {"method": method, "score": score}
    cat, dog = eli5.explain_prediction(unit(0.3), picture(), top_targets=2, **options).targets
    assert (cat.target, dog.target) == (0, 1)
    assert cat.proba + dog.proba == pytest.approx(1)
    assert cat.heatmap.any()
    atol = 1e-4 * np.abs(dog.attribution).max()
    np.testing.assert_allclose(cat.attribution, -dog.attribution, atol=atol)
    alone = eli5.explain_prediction(unit(0.3), picture(), targets=[1], **options).targets[0]
    np.testing.assert_allclose(alone.attribution, dog.attribution, atol=atol)


@empty_heatmaps
def test_its_own_class_is_explained_as_the_unit() -> None:
    right = eli5.explain_prediction(flat(None, 1), picture(), method="HiResCAM").targets[0]
    found = eli5.explain_prediction(flat("sigmoid", 1), picture(), method="HiResCAM", targets=[1])
    np.testing.assert_allclose(found.targets[0].attribution, right.attribution, atol=1e-6)


@empty_heatmaps
def test_a_unit_without_an_axis_of_its_own_has_two_classes_too() -> None:
    expl = eli5.explain_prediction(unit(0.25, rank=1), picture(), top_targets=2)
    assert [target.target for target in expl.targets] == [0, 1]
    assert [target.proba for target in expl.targets] == pytest.approx([0.75, 0.25], abs=1e-5)


@empty_heatmaps
def test_a_saturated_unit_has_a_map_for_both() -> None:
    expl = eli5.explain_prediction(unit(1 - 1e-12), picture(), top_targets=2, method="HiResCAM")
    one, other = expl.targets
    assert (one.target, one.proba, other.proba) == (1, 1.0, 0.0)
    assert one.heatmap.any() or other.heatmap.any()
    assert one.explained == -other.explained > 20


@empty_heatmaps
def test_the_backend_takes_both_classes() -> None:
    model = unit(0.03)
    _, _, of_cat, index, value = gradcam_backend(model, picture(), None, "last")
    assert index == 0
    assert value == pytest.approx(0.97, abs=1e-5)
    _, _, of_dog, index, value = gradcam_backend(model, picture(), [1], "last")
    assert index == 1
    assert value == pytest.approx(0.03, abs=1e-5)
    np.testing.assert_allclose(of_cat, -of_dog, atol=1e-8)


def test_a_third_class_is_refused() -> None:
    with pytest.raises(ValueError, match=r"in \[0, 2\).*\(1, 1\), whose unit stands for two"):
        eli5.explain_prediction(unit(0.5), picture(), targets=[2])


# Names


@pytest.mark.parametrize(
    "class_names",
    [
        NAMES,
        tuple(NAMES),
        np.array(NAMES),
        dict(enumerate(NAMES)),
        {str(k): name for k, name in enumerate(NAMES)},
        {name: k for k, name in enumerate(NAMES)},
        {name: np.int64(k) for k, name in reversed(list(enumerate(NAMES)))},
        lambda k: NAMES[k],
    ],
)
def test_names_come_in_many_forms(class_names: Any) -> None:
    expl = eli5.explain_prediction(flat(), picture(), top_targets=4, class_names=class_names)
    assert all(target.class_name == NAMES[target.target] for target in expl.targets)
    named = eli5.explain_prediction(flat(), picture(), classes=["dog"], class_names=class_names)
    assert named.targets[0].target == 3


@pytest.mark.parametrize(
    ("make", "class_names", "message"),
    [
        (flat, NAMES[:3], r"name each of the model's 4 classes. Received: 3 names, class_names="),
        (
            flat,
            [*NAMES, "elk"],
            r"4 classes. Received: 5 names.*classes are 0 to 3: leave out the o",
        ),
        (flat, {"cat": 0}, r"Received: 1 name, .*class_names=\{0: 'cat'\}\.get$"),
        (flat, ["ant"], r"give a function of the class id.*class_names=\{0: 'ant'\}\.get$"),
        (flat, {7: "ant"}, r"Received: 1 name, .*classes are 0 to 3: leave out the other names$"),
        (flat, {"cat": 0, "dog": 1}, "Received: 2 names"),
        (flat, {0: "a", 1: "b", 2: "c", 4: "d"}, "Received: 4 names, none of them for class 3"),
        (flat, {"cat": 0, "dog": 0}, r"or each name to its class id. Received.*A mapping that"),
        (flat, {"cat": "feline"}, "to map each class id to its name"),
        (flat, {1.5: "cat"}, "to map each class id to its name"),
        (lambda: flat("sigmoid", 1), ["cat"], "2 classes. Received: 1 name, "),
        (lambda: flat(None, 1), ["cat", "dog"], r'logit of two classes, say so: task="classifica'),
    ],
)
def test_names_that_are_not_those_of_all_classes_are_refused(
    make: Callable[[], keras.Model], class_names: Any, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        eli5.explain_prediction(make(), picture(), class_names=class_names)


# Several classes


def test_classes_are_given_by_id_and_name() -> None:
    expl = eli5.explain_prediction(flat(), picture(), classes=[3, "bee", 3], class_names=NAMES)
    assert [target.target for target in expl.targets] == [3, 1]
    for target in expl.targets:
        alone = eli5.explain_prediction(flat(), picture(), targets=[target.target])
        np.testing.assert_allclose(target.heatmap, alone.targets[0].heatmap, atol=1e-5)
    ids = eli5.explain_prediction(flat(), picture(), classes=np.array([2, 0]))
    assert [target.target for target in ids.targets] == [2, 0]


@pytest.mark.filterwarnings("ignore:Doc .. The heatmap of target")
def test_many_docs_have_the_same_classes() -> None:
    docs = np.concatenate([picture(), 2 * picture(), -picture()])
    options: dict[str, Any] = {"classes": ["dog", 0], "class_names": NAMES}
    found = list(eli5.explain_predictions(flat(), docs, batch_size=2, **options))
    assert [[target.target for target in expl.targets] for expl in found] == [[3, 0]] * 3


def test_show_prediction_takes_classes() -> None:
    shown: Any = eli5.show_prediction(flat(), picture(), classes=[0, 1])
    assert shown.width > picture().shape[2]


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"classes": "dog"}, TypeError, r"list of class ids and names.*Give a list: classes=\['do"),
        ({"classes": 2}, TypeError, r"Give a list: classes=\[2\]"),
        ({"classes": [1.5]}, TypeError, r"Received: 1.5 \(of type float\) among them"),
        ({"classes": [True]}, TypeError, "of type bool"),
        ({"classes": []}, ValueError, r"at least one class. Received: classes=\[\]"),
        ({"classes": [4]}, ValueError, r"a class id in \[0, 4\), or the name.*classes=\[4\]"),
        ({"classes": ["dog"]}, ValueError, r"`class_names` beside a name.*classes=\[0\] to"),
        ({"classes": ["dgo"], "class_names": NAMES}, ValueError, "Did you mean 'dog'?"),
        (
            {"classes": ["ox"], "class_names": ["ox", "a", "ox", "b"]},
            ValueError,
            r"which names 2. Give the id: classes=\[0, 2\]",
        ),
        ({"classes": [1], "targets": [1]}, ValueError, "either `targets` or `top_targets` or `cla"),
        ({"classes": [1], "top_targets": 2}, ValueError, "top_targets=2 and classes="),
        ({"classes": [1], "score": lambda y: y[:, 0]}, ValueError, "beside a callable `score`"),
        ({"targets": 281}, TypeError, r"targets=281 \(of type int\).*targets=\[281\], several, .*"),
        ({"targets": "cat"}, TypeError, r"several, by id or name, with classes=\['cat'\]$"),
        ({"targets": (0, 1)}, TypeError, r"with classes=\[0, 1\]$"),
        ({"targets": [0, 1]}, ValueError, r"with 2 items. Ask for several with classes=\[0, 1\]$"),
        ({"targets": [1, -1]}, ValueError, r"Ask for several with classes=\[0, 'dog'\]$"),
        ({"targets": -1}, TypeError, r"asked for with targets=\[0\], several.*\[0, 'dog'\]$"),
        ({"targets": ["cat"]}, TypeError, r"are asked for with classes=\['cat'\]$"),
        ({"targets": [None]}, TypeError, r"are asked for with classes=\[0, 'dog'\]$"),
    ],
)
def test_a_wrong_way_to_name_classes_says_the_right_one(
    options: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        eli5.explain_prediction(flat(), picture(), **options)


def test_of_many_docs_too_names_are_asked_for_as_classes() -> None:
    found = eli5.explain_predictions(flat(), picture(), targets=["cat"])
    with pytest.raises(TypeError, match=r"of all docs, by id or name, are asked for with classes="):
        list(found)


# What the outputs are


@empty_heatmaps
def test_values_are_declared_to_be_no_classes() -> None:
    model = flat(None, 2)
    values = model.predict(picture(), verbose=0)[0]
    expl = eli5.explain_prediction(model, picture(), task="regression")
    assert expl.is_regression
    assert (expl.targets[0].target, expl.targets[0].proba) == (0, None)
    both = eli5.explain_prediction(
        model, picture(), task="regression", classes=["width", 0], class_names=["height", "width"]
    )
    assert [target.target for target in both.targets] == [1, 0]
    assert [target.score for target in both.targets] == pytest.approx(values[::-1], abs=1e-5)
    assert all(target.explained == target.score for target in both.targets)
    assert not eli5.explain_prediction(model, picture()).is_regression
    bounded = eli5.explain_prediction(flat("sigmoid", 1), picture(), task="regression")
    (target,) = bounded.targets
    assert (target.target, target.proba, target.explained_name) == (0, None, "output")
    assert bounded.is_regression


@empty_heatmaps
@pytest.mark.parametrize("units", [4, 1])
def test_logits_that_are_declared_have_probabilities(units: int) -> None:
    model = flat(None, units)
    n_targets = max(units, 2)
    expl = eli5.explain_prediction(
        model, picture(), task="classification", top_targets=n_targets, method="HiResCAM"
    )
    logits = model.predict(picture(), verbose=0)[0]
    outputs = logits if units > 1 else np.array([-logits[0], logits[0]])
    scale = outputs if units > 1 else outputs / 2
    probabilities = np.exp(scale) / np.exp(scale).sum()
    assert [one.target for one in expl.targets] == np.argsort(-outputs).tolist()
    right = eli5.explain_prediction(
        flat("softmax" if units > 1 else "sigmoid", units),
        picture(),
        top_targets=n_targets,
        method="HiResCAM",
    )
    assert not expl.is_regression
    for one, other in zip(expl.targets, right.targets, strict=True):
        assert one.target == other.target
        assert one.proba == pytest.approx(probabilities[one.target], abs=1e-5)
        assert one.score == pytest.approx(outputs[one.target], abs=1e-5)
        assert one.explained == pytest.approx(other.explained, abs=1e-5)
        assert one.explained_name == "log-odds"
        np.testing.assert_allclose(one.attribution, other.attribution, atol=1e-5)


def test_the_logits_of_a_log_softmax_have_probabilities_if_declared() -> None:
    options: dict[str, Any] = {"top_targets": 4, "task": "classification"}
    found = eli5.explain_prediction(flat("log_softmax"), picture(), **options)
    right = eli5.explain_prediction(flat(), picture(), **options)
    for one, other in zip(found.targets, right.targets, strict=True):
        assert one.proba == pytest.approx(other.proba, abs=1e-6)
        assert one.score == pytest.approx(np.log(other.proba), abs=1e-5)
        np.testing.assert_allclose(one.heatmap, other.heatmap, atol=1e-5)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"task": "ranking"}, ValueError, r"\('classification', 'regression'\) or None"),
        ({"task": 1}, TypeError, "`task`"),
        ({"task": "regression", "score": "log-odds"}, ValueError, "Leave `score` out"),
        ({"task": "regression", "top_targets": 2}, ValueError, r"Say which: classes=\[0, 1\]"),
    ],
)
def test_a_task_that_cannot_be_is_refused(
    options: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        eli5.explain_prediction(flat(), picture(), **options)


def test_the_number_that_is_explained_is_that_of_each_score() -> None:
    model = flat()
    p = model.predict(picture(), verbose=0)[0].astype("float64")
    logits = flat(None).predict(picture(), verbose=0)[0]
    right = {
        "auto": (np.log(p[2] / (1 - p[2])), "log-odds"),
        "log-odds": (np.log(p[2] / (1 - p[2])), "log-odds"),
        "logit": (logits[2], "logit"),
        "output": (p[2], "output"),
    }
    for score, (number, name) in right.items():
        (target,) = eli5.explain_prediction(model, picture(), targets=[2], score=score).targets
        assert (target.explained, target.explained_name) == (pytest.approx(number, abs=1e-5), name)
    (target,) = eli5.explain_prediction(model, picture(), score=square).targets
    assert (target.explained, target.explained_name) == (target.score, "square")


def square(outputs: Any) -> Any:
    return ops.square(outputs[:, 2])


def test_some_names_by_a_function_as_the_error_says() -> None:
    expl = eli5.explain_prediction(flat(), picture(), top_targets=4, class_names={0: "cat"}.get)
    names = {target.target: target.class_name for target in expl.targets}
    assert names == {0: "cat", 1: None, 2: None, 3: None}
