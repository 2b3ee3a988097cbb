"""Many docs: targets, images, options and docs that are wrong."""

from __future__ import annotations

import itertools
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import keras
import numpy as np
import pytest
from keras import layers
from PIL import Image

import eli5
from helpers.many_docs import SIZE, assert_same, one_by_one, pictures

empty_heatmaps = pytest.mark.filterwarnings("ignore:The heatmap of target")


IN_ANY_FORM: dict[str, Callable[[], Any]] = {
    "list": lambda: [0, 1, 2, 3, 0],
    "array": lambda: np.array([0, 1, 2, 3, 0]),
    "column": lambda: np.array([[0], [1], [2], [3], [0]], "uint8"),
    "generator": lambda: (k % 4 for k in range(5)),
    "lists": lambda: [[0], (1,), np.array([2]), [np.int32(3)], 0],
}


@empty_heatmaps
@pytest.mark.parametrize("form", IN_ANY_FORM)
def test_targets(classifier: keras.Model, form: str) -> None:
    docs = pictures(5)
    expected = [
        eli5.explain_prediction(classifier, doc[None], targets=[target])
        for doc, target in zip(docs, [0, 1, 2, 3, 0], strict=True)
    ]
    targets = IN_ANY_FORM[form]()
    found = eli5.explain_predictions(classifier, docs, targets=targets, batch_size=2)
    assert_same(list(found), expected)


@empty_heatmaps
@pytest.mark.parametrize("methods", [["Grad-CAM", "Finer-CAM"], ["Integrated Gradients"]])
def test_each_doc_may_have_another_number_of_targets(
    classifier: keras.Model, methods: list[str]
) -> None:
    docs = pictures(4)
    targets = [[3], [0, 1], 1, [2, 2]]
    options: dict[str, Any] = {"methods": methods} | ({"steps": 3} if len(methods) == 1 else {})
    found = eli5.explain_predictions(classifier, docs, targets=targets, batch_size=3, **options)
    for explanations, doc, own in zip(found, docs, targets, strict=True):
        listed = own if isinstance(own, list) else [own]
        assert [len(explanation.targets) for explanation in explanations] == [len(listed)] * len(
            methods
        )
        for k, target in enumerate(listed):
            alone = eli5.explain_prediction(classifier, doc[None], targets=[target], **options)
            for explanation, other in zip(explanations, alone, strict=True):
                assert explanation.targets[k].target == target
                np.testing.assert_allclose(
                    explanation.targets[k].attribution, other.targets[0].attribution, atol=1e-6
                )


def infinite() -> Iterator[int]:
    return itertools.cycle([1])


@pytest.mark.parametrize("n_targets", [0, 2, 4])
def test_as_many_targets_as_docs_are_needed(classifier: keras.Model, n_targets: int) -> None:
    for targets in ([1] * n_targets, np.ones(n_targets, int), dict.fromkeys(range(n_targets))):
        with pytest.raises(
            ValueError, match=f"`targets` per doc, 3 of them. Received: {n_targets}"
        ):
            eli5.explain_predictions(classifier, pictures(3), targets=targets)


@empty_heatmaps
def test_a_generator_of_too_few_or_too_many_targets(classifier: keras.Model) -> None:
    few = eli5.explain_predictions(classifier, pictures(3), targets=iter([1, 1]), batch_size=1)
    assert len([next(few), next(few)]) == 2
    with pytest.raises(
        ValueError, match=r"in `targets` per doc. Received: 2 for more docs"
    ) as info:
        next(few)
    assert_note(info, 2)
    for targets in (iter([1, 1, 1, 1]), iter([1, 1, 1, None]), infinite()):
        many = eli5.explain_predictions(classifier, pictures(3), targets=targets, batch_size=1)
        assert len([next(many), next(many), next(many)]) == 3
        with pytest.raises(ValueError, match=r"`targets` per doc, 3 of them. Received: more"):
            next(many)
    docs = iter(pictures(2))
    late = eli5.explain_predictions(classifier, docs, targets=[1, 1, 1])
    with pytest.raises(ValueError, match=r"`targets` per doc, 2 of them. Received: more"):
        list(late)


def assert_note(info: pytest.ExceptionInfo[Any], number: int) -> None:
    assert info.value.__notes__ == [f"Raised at doc {number} of `docs`, counted from 0."]


@pytest.mark.parametrize("targets", [3, "012", 1.5, True])
def test_targets_of_another_type(classifier: keras.Model, targets: Any) -> None:
    with pytest.raises(TypeError, match=r"`targets` to be None or to hold one entry per doc"):
        eli5.explain_predictions(classifier, pictures(3), targets=targets)


@empty_heatmaps
@pytest.mark.parametrize(
    "entry", ["1", [], 1.5, True, [0, None], [1.0], None, {}, np.array(1.5), ["a"], np.zeros(1)]
)
@pytest.mark.parametrize("at", [0, 1, 2])
def test_an_entry_of_targets_of_another_type(classifier: keras.Model, entry: Any, at: int) -> None:
    targets = [1, 1, 1]
    targets[at] = entry
    explanations = eli5.explain_predictions(classifier, pictures(3), targets=targets, batch_size=2)
    with pytest.raises(TypeError, match="entry in `targets` to be a class id or a list") as info:
        list(explanations)
    assert_note(info, at)


@empty_heatmaps
@pytest.mark.parametrize("target", [4, -1, [0, 4]])
@pytest.mark.parametrize("at", [0, 1, 2])
def test_a_class_that_does_not_exist(classifier: keras.Model, target: Any, at: int) -> None:
    targets = [1, 1, 1]
    targets[at] = target
    explanations = eli5.explain_predictions(classifier, pictures(3), targets=targets, batch_size=2)
    with pytest.raises(ValueError, match=r"class id in \[0, 4\)") as info:
        list(explanations)
    assert_note(info, at)


def test_images(classifier: keras.Model) -> None:
    images = [Image.new("RGB", (40 + k, 24)) for k in range(3)]
    found = eli5.explain_predictions(classifier, pictures(3), images=iter(images), batch_size=2)
    assert [explanation.image for explanation in found] == images
    some = [None, images[1], None]
    mixed = list(eli5.explain_predictions(classifier, pictures(3), images=some))
    assert mixed[1].image is images[1]
    assert [explanation.image.size for explanation in mixed] == [(20, 12), (41, 24), (20, 12)]
    with pytest.raises(ValueError, match=r"in `images` per doc, 3 of them. Received: 2"):
        eli5.explain_predictions(classifier, pictures(3), images=images[:2])
    wrong = eli5.explain_predictions(classifier, pictures(3), images=[images[0], "cat.png", None])
    with pytest.raises(TypeError, match="`image` to be a Pillow image") as info:
        next(wrong)
    assert_note(info, 1)


BAD: dict[str, tuple[type[Exception], str, dict[str, Any]]] = {
    "method": (ValueError, "one of the methods", {"method": "Grad-CAN"}),
    "option": (TypeError, "an option of the method", {"steps": 3}),
    "image": (TypeError, "an option of the method", {"image": Image.new("RGB", (2, 2))}),
    "methods": (TypeError, "`methods` to be a list", {"methods": "Grad-CAM"}),
    "batch size": (ValueError, "`batch_size` >= 1", {"batch_size": 0}),
    "type of batch size": (TypeError, "`batch_size` to be an integer", {"batch_size": 2.0}),
    "score": (ValueError, "`score` to be one of", {"score": "logits"}),
    "layer": (TypeError, "layer", {"layer": 1.5}),
    "top": (ValueError, "either `targets` or", {"targets": [1, 1], "top_targets": 2}),
    "own": (ValueError, "no `targets`", {"targets": [1, 1], "score": len}),
    "images": (TypeError, "`images` to be None or to hold", {"images": 3}),
}


@pytest.mark.parametrize("name", BAD)
def test_options_are_checked_at_the_call(classifier: keras.Model, name: str) -> None:
    error, message, options = BAD[name]
    with pytest.raises(error, match=message):
        eli5.explain_predictions(classifier, pictures(2), **options)


@pytest.mark.parametrize("model", ["a model", None, object(), layers.Dense(3)])
def test_a_model_that_is_not_keras_3(model: Any) -> None:
    with pytest.raises(TypeError, match=r"`model` to be a Keras 3 model. Received: .* supported"):
        eli5.explain_predictions(model, pictures(2))


BROKEN: dict[str, tuple[Any, type[Exception], str]] = {
    "shape": (np.zeros((1, 12, 21, 3)), ValueError, "of shape"),
    "rank": (np.zeros((3, 3)), ValueError, "of shape"),
    "text": ("a doc", TypeError, "NumPy array.*Read the picture"),
    "list": ([[1.0]], TypeError, "NumPy array|hold 1 arrays"),
    "nothing": (None, TypeError, "NumPy array"),
    "objects": (np.full((1, *SIZE), None), TypeError, "of numbers"),
}


@pytest.mark.parametrize("name", BROKEN)
@pytest.mark.parametrize(("at", "n_before"), [(0, 0), (1, 0), (2, 2), (3, 2), (4, 4)])
def test_a_bad_doc(classifier: keras.Model, name: str, at: int, n_before: int) -> None:
    bad, error, message = BROKEN[name]
    docs: list[Any] = [doc[None] for doc in pictures(5)]
    docs[at] = bad
    seen: list[Any] = []
    with pytest.raises(error, match=message) as info:
        seen.extend(eli5.explain_predictions(classifier, docs, batch_size=2))
    assert_note(info, at)
    assert_same(seen, one_by_one(classifier, pictures(5)[:n_before]))


def test_a_doc_that_is_not_finite_is_warned_of_alone(classifier: keras.Model) -> None:
    docs = pictures(5)
    expected = one_by_one(classifier, docs)
    docs[2, 3, 4, 0] = np.nan
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        found = list(eli5.explain_predictions(classifier, docs, batch_size=4))
    assert [warning.filename for warning in caught] == [__file__] * 2
    assert "is empty" in str(caught[0].message)
    assert "not finite (NaN or infinity)" in str(caught[1].message)
    assert not found[2].targets[0].heatmap.any()
    for k in (0, 1, 3, 4):
        assert_same(found[k], expected[k])
