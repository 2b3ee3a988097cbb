"""Grades of explanations of models of all kinds: pictures, texts, series, volumes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pytest
from keras import layers

import eli5
from eli5.metrics.grade import MOST_PASSES
from eli5.targets import Contrast
from helpers.model_kinds import KINDS as MODELS
from helpers.model_kinds import picture
from helpers.models import sample, with_weights

Array = np.ndarray[Any, Any]


def reader_of(
    shape: tuple[int, ...],
    *parts: Any,
    n: int = 3,
    activation: str | None = "softmax",
    **options: Any,
) -> keras.Model:
    top = layers.Dense(n, activation=activation)
    return with_weights(keras.Sequential([keras.Input(shape, **options), *parts, top]), seed=4)


def picture_model(n: int = 4, activation: str | None = "softmax") -> keras.Model:
    conv = layers.Conv2D(4, 3, activation="relu")
    parts = conv, layers.GlobalAveragePooling2D()
    return reader_of((12, 14, 3), *parts, n=n, activation=activation)


def text_model() -> keras.Model:
    conv = layers.Conv1D(4, 3, padding="same", activation="relu")
    parts = layers.Embedding(20, 4), conv, layers.GlobalAveragePooling1D()
    return reader_of((9,), *parts, dtype="int32")


def series_model() -> keras.Model:
    conv = layers.Conv1D(4, 3, padding="same", activation="relu")
    return reader_of((16, 3), conv, layers.GlobalMaxPooling1D())


def volume_model() -> keras.Model:
    conv = layers.Conv3D(4, 3, padding="same", activation="relu")
    return reader_of((4, 6, 8, 1), conv, layers.GlobalMaxPooling3D())


PICTURE = sample((12, 14, 3))
IDS = np.array([[3, 5, 7, 9, 2, 4, 0, 0, 0]])
WORDS = {"tokens": [*"abcdef---"], "pad_value": 0}
KINDS: dict[str, tuple[Callable[[], keras.Model], Array, dict[str, Any]]] = {
    "picture": (picture_model, PICTURE, {}),
    "per pixel": (picture_model, PICTURE, {"method": "Saliency"}),
    "second order": (picture_model, PICTURE, {"method": "ShapleyCAM"}),
    "contrast": (picture_model, PICTURE, {"method": "Finer-CAM"}),
    "text": (text_model, IDS, WORDS),
    "token by token": (text_model, IDS, {**WORDS, "method": "Gradient x Input"}),
    "series": (series_model, sample((16, 3)), {}),
    "series, by channel": (series_model, sample((16, 3)), {"method": "Gradient x Input"}),
    "volume": (volume_model, sample((4, 6, 8, 1)), {}),
}


@pytest.mark.parametrize("name", KINDS)
def test_each_kind_has_all_parts_for_at_most_40_passes(name: str) -> None:
    make, doc, options = KINDS[name]
    model = make()
    plain = eli5.explain_prediction(model, doc, **options).targets[0]
    found = eli5.explain_prediction(model, doc, **options, grade=True).targets[0]
    grade, found.grade = found.grade, None
    assert found == plain
    assert 0 <= grade.value <= 1
    assert grade.reason == ""
    assert 20 < grade.passes <= MOST_PASSES
    is_text = "tokens" in options
    assert grade.baseline == ("mask" if is_text else "mean")
    missing = {name for name, part in grade.parts.items() if part is None}
    assert missing == ({"edges"} if is_text else set())
    for part in ("noise", "other class", "edges"):
        assert 0 <= (grade.parts[part] or 0) <= 1
    again = eli5.explain_prediction(model, doc, **options, grade=True).targets[0].grade
    assert again.parts == pytest.approx(grade.parts, abs=1e-4, nan_ok=True)


@pytest.mark.parametrize("name", ["nested functional", "two outputs, dict", "channels first"])
def test_one_network_has_one_grade_in_whatever_shape(name: str) -> None:
    flat, kind = MODELS["flat"].make(), MODELS[name]
    expected = eli5.explain_prediction(flat, picture(), grade=True).targets[0].grade
    doc = kind.doc(picture())
    found = eli5.explain_prediction(kind.make(), doc, **kind.options, grade=True).targets[0].grade
    assert found.parts == pytest.approx(expected.parts, abs=1e-4)


def test_a_model_that_takes_one_number_of_docs_is_graded_alike() -> None:
    steps = [layers.Conv2D(4, 3, activation="relu"), layers.GlobalAveragePooling2D()]
    top = layers.Dense(4, activation="softmax")
    fixed = keras.Sequential([keras.Input((12, 14, 3), batch_size=4), *steps, top])
    found = grade_of(with_weights(fixed, seed=4))
    assert found.parts == pytest.approx(grade_of(picture_model()).parts, abs=1e-4)


def grade_of(model: keras.Model, **options: Any) -> Any:
    return eli5.explain_prediction(model, PICTURE, **options, grade=True).targets[0].grade


def own_score(outputs: Any) -> Any:
    return 2 * outputs[:, 0]


@pytest.mark.parametrize(
    ("model", "options", "reason"),
    [
        (lambda: picture_model(1, None), {}, "no other class"),
        (lambda: picture_model(3, None), {"task": "regression"}, "no other class"),
        (picture_model, {"score": own_score}, "no other class"),
        (picture_model, {"target": Contrast(0, 1)}, "no other class"),
        (lambda: picture_model(1, "sigmoid"), {"targets": [1]}, "the other's opposite"),
        (lambda: picture_model(2), {"targets": [1]}, "the other's opposite"),
    ],
    ids=["value", "values", "own score", "contrast", "one unit", "two classes"],
)
def test_without_another_class_it_is_graded_without_that(
    model: Any, options: dict[str, Any], reason: str
) -> None:
    grade = grade_of(model(), **options)
    assert grade.parts["other class"] is None
    assert grade.parts["noise"] is not None
    assert reason in grade.reason
    assert grade.value is not None


def test_the_map_of_a_class_that_is_explained_too_costs_nothing() -> None:
    model = picture_model()
    alone = grade_of(model)
    both = grade_of(model, top_targets=2)
    assert alone.parts == pytest.approx(both.parts, abs=1e-4)
    assert alone.passes == both.passes + 2


def test_a_method_that_runs_the_model_often_is_not_asked_again() -> None:
    model = picture_model()
    grade = grade_of(model, method="Occlusion")
    assert (grade.parts["noise"], grade.parts["other class"]) == (None, None)
    assert "too often" in grade.reason
    assert grade.passes == 31
    grade = grade_of(model, n_samples=3)
    assert grade.parts["noise"] is None
    both = grade_of(model, method="Occlusion", top_targets=2)
    assert both.parts["other class"] is not None


def test_a_method_without_classes_has_one_map_for_all() -> None:
    grade = grade_of(picture_model(), method="Eigen-CAM")
    assert grade.parts["other class"] == pytest.approx(0, abs=1e-6)
    assert grade.value <= 0.5


def test_a_map_of_nothing_is_not_gradable() -> None:
    expl = eli5.explain_prediction(picture_model(), 0 * PICTURE, grade=True)
    grade = expl.targets[0].grade
    assert (grade.verdict, grade.value, grade.passes) == ("not gradable", None, 0)
    assert "same everywhere" in grade.reason


def test_many_docs_and_methods_have_the_grades_of_each() -> None:
    model = picture_model()
    docs = np.concatenate([sample((12, 14, 3), seed) for seed in range(3)])
    methods = ["Grad-CAM", "Saliency"]
    many = list(eli5.explain_predictions(model, docs, methods=methods, grade=True, batch_size=2))
    for doc, explanations in zip(docs, many, strict=True):
        for method, expl in zip(methods, explanations, strict=True):
            one = eli5.explain_prediction(model, doc[None], method=method, grade=True, batch_size=2)
            expected, found = one.targets[0].grade, expl.targets[0].grade
            assert found.verdict == expected.verdict
            assert found.parts == pytest.approx(expected.parts, abs=1e-3)


@pytest.mark.parametrize("grade", ["yes", 1, None])
def test_only_a_truth_value_asks_for_it(grade: Any) -> None:
    match = rf"^Expected `grade` to be True or False. Received: grade={grade!r}"
    model = picture_model()
    with pytest.raises(TypeError, match=match):
        eli5.explain_prediction(model, PICTURE, grade=grade)
    with pytest.raises(TypeError, match=match):
        eli5.explain_predictions(model, PICTURE, grade=grade)
    with pytest.raises(TypeError, match=r"It is an option of eli5\.explain_prediction"):
        eli5.keras.explain_prediction_keras(model, PICTURE, grade=True)


def test_it_is_shown_in_a_text_and_a_page() -> None:
    expl = eli5.explain_prediction(picture_model(), PICTURE, grade=True)
    grade = expl.targets[0].grade
    words = f"{grade.value:.2f}, {grade.verdict}"
    assert words in eli5.format_as_text(expl)
    assert f"SRG {grade.parts['SRG']:.2f}" in eli5.format_as_text(expl)
    page = eli5.format_as_page(expl)
    assert f"Grade {words}" in page
    assert f"{grade.passes} passes" in page
    shown: Any = eli5.show_prediction(picture_model(), PICTURE, grade=True)
    assert shown.size == (14, 12)
