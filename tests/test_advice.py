"""What is said of a wrong model or doc can be written as it stands."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from eli5.advice import fits, fitting, model_advice, not_supported, number_advice

Array = np.ndarray[Any, Any]


@pytest.mark.parametrize(
    ("shape", "expected", "call"),
    [
        ((1, 4, 5, 3), (1, 4, 5, 3), "doc"),
        ((4, 5, 3), (1, 4, 5, 3), "doc[None]"),
        ((7, 4, 5, 3), (1, 4, 5, 3), "doc[:1]"),
        ((1, 1, 4, 5, 3), (1, 4, 5, 3), "doc[0]"),
        ((1, 4, 5), (1, 4, 5, 1), "doc[..., None]"),
        ((1, 4, 5, 1), (1, 4, 5), "doc[..., 0]"),
        ((1, 4, 5, 4), (1, 4, 5, 3), "doc[..., :3]"),
        ((1, 4, 5, 1), (1, 4, 5, 3), "np.repeat(doc, 3, axis=-1)"),
        ((1, 4, 5), (1, 4, 5, 3), "np.repeat(doc[..., None], 3, axis=-1)"),
        ((1, 3, 4, 5), (1, 4, 5, 3), "np.moveaxis(doc, 1, -1)"),
        ((1, 4, 5, 3), (1, 3, 4, 5), "np.moveaxis(doc, -1, 1)"),
        ((1, 5, 4, 3), (1, 4, 5, 3), "np.swapaxes(doc, 1, 2)"),
        ((3, 4, 5), (1, 4, 5, 3), "np.moveaxis(doc[None], 1, -1)"),
        ((7, 4, 5), (1, 4, 5, 1), "doc[:1][..., None]"),
        ((9, 2), (1, None, 2), "doc[None]"),
        ((6,), (1, 6), "doc[None]"),
        ((0, 4, 5, 3), (1, 4, 5, 3), None),
        ((), (1, 6), None),
        ((1, 8, 9, 3), (1, 4, 5, 3), None),
        (None, (1, 6), None),
        ((1, 6), None, None),
    ],
)
def test_an_array_is_written_in_the_shape_that_is_expected(
    shape: Any, expected: Any, call: str | None
) -> None:
    assert fitting("doc", shape, expected) == call
    if call is not None:
        assert fits(eval(call, {"doc": np.zeros(shape), "np": np}).shape, expected)


@pytest.mark.parametrize(
    ("array", "call"),
    [
        (np.array([[1, 2]], object), "doc.astype('float32')"),
        (np.array([[1j]]), "np.abs(doc)"),
        (np.array(["2020-01-01"], "M8[D]"), "doc.astype('int64')"),
        (np.array([3], "m8[s]"), "doc.astype('int64')"),
        (np.array(["a"]), None),
    ],
    ids=["objects", "complex", "dates", "durations", "texts"],
)
def test_numbers_are_made_of_what_is_none(array: Array, call: str | None) -> None:
    said = number_advice("doc", array)
    assert re.findall("`(.*)`", said) == ([call] if call else [])
    if call:
        assert eval(call, {"doc": array, "np": np}).dtype.kind in "fi"


def test_objects_that_are_arrays_are_stacked_if_they_can_be() -> None:
    rows = np.empty(2, object)
    rows[:] = [np.zeros(3), np.ones(3)]
    (call,) = re.findall("`(.*)`", number_advice("doc", rows))
    assert eval(call, {"doc": rows, "np": np}).shape == (2, 3)
    rows[1] = np.ones(4)
    assert "differ in shape: explain them one by one, doc[0]" in number_advice("doc", rows)
    rows[1] = None
    assert "Put numbers in the place of None" in number_advice("doc", rows)


class Wrapper:
    def __init__(self, model: Any) -> None:
        self.model = model


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("runs/model.keras", "load the model first: keras.saving.load_model('runs/model.keras')"),
        (Path("model.h5"), "load the model first: keras.saving.load_model('model.h5')"),
        (np.zeros((1, 99, 99, 3)), "it is no model, which comes first: eli5.explain_prediction(m"),
        (Wrapper, "it makes models; call it, as in model = Wrapper(...)"),
        (Wrapper(3), "eli5 explains Keras 3 models"),
        ([1, 2], "eli5 explains Keras 3 models"),
        (None, "eli5 explains Keras 3 models"),
    ],
    ids=["string", "path", "array", "class", "wrapper", "list", "nothing"],
)
def test_what_is_no_model_is_told_what_makes_one(given: Any, said: str) -> None:
    assert said in model_advice(given)
    sentence = not_supported(given)
    assert "is not supported: " in sentence
    assert len(sentence) < 300
    assert "\n" not in sentence
