"""Docs of each dtype, byte order and subclass are explained as the same numbers, or refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from keras import layers

import eli5
from helpers.models import make_classifier, with_weights

Array = np.ndarray[Any, Any]
BACKEND = keras.backend.backend()
SIZE = (12, 20, 3)

# Of the numbers 0 to 99, which each of them has.
DTYPES = ["i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "f4", "f8", "g"]
DTYPES += [">i2", ">i4", ">i8", ">u2", ">u4", ">u8", ">f2", ">f4", ">f8", ">g"]


def numbers(dtype: str = "float32") -> Array:
    return np.random.default_rng(3).integers(0, 100, (1, *SIZE)).astype(dtype)


@pytest.fixture(scope="module")
def reader() -> keras.Model:
    """Return a model of token ids."""
    model = keras.Sequential(
        [
            keras.Input((6,), dtype="int32"),
            layers.Embedding(10, 4),
            layers.Conv1D(3, 3, activation="relu", name="conv"),
            layers.GlobalAveragePooling1D(),
            layers.Dense(2, activation="softmax"),
        ]
    )
    return with_weights(model)


def ids(dtype: str = "int32") -> Array:
    return np.array([[1, 2, 3, 4, 5, 6]], dtype)


def assert_same(found: Any, expected: Any) -> None:
    assert [one.target for one in found.targets] == [one.target for one in expected.targets]
    for one, other in zip(found.targets, expected.targets, strict=True):
        assert one.score == pytest.approx(other.score, rel=1e-5)
        np.testing.assert_allclose(one.heatmap, other.heatmap, atol=1e-4)
    assert found.image == expected.image


@pytest.mark.filterwarnings("ignore:The heatmap of target")
@pytest.mark.parametrize("dtype", DTYPES)
def test_a_picture_of_any_dtype(classifier: keras.Model, dtype: str) -> None:
    expected = eli5.explain_prediction(classifier, numbers())
    assert_same(eli5.explain_prediction(classifier, numbers(dtype)), expected)
    (found,) = eli5.explain_predictions(classifier, numbers(dtype))
    assert_same(found, expected)


@pytest.mark.filterwarnings("ignore:The heatmap of target")
@pytest.mark.parametrize("dtype", DTYPES)
def test_token_ids_of_any_dtype(reader: keras.Model, dtype: str) -> None:
    expected = eli5.explain_prediction(reader, ids())
    assert_same(eli5.explain_prediction(reader, ids(dtype)), expected)


@pytest.mark.filterwarnings("ignore:The heatmap of target")
@pytest.mark.parametrize("dtype", ["int64", "uint64", ">i8"])
def test_integers_wider_than_the_backend_has(classifier: keras.Model, dtype: str) -> None:
    doc = numbers(dtype)
    doc[0, 0, 0, 0] = 2**31
    if BACKEND == "jax":
        with pytest.raises(ValueError, match=r"numbers up to 2\.14748e\+09, as int32 .*2\.14748e"):
            eli5.explain_prediction(classifier, doc)
    else:
        as_floats = eli5.explain_prediction(classifier, doc.astype("float32"), targets=[1])
        assert_same(eli5.explain_prediction(classifier, doc, targets=[1]), as_floats)


def test_unsigned_integers_beyond_all_others_are_refused(classifier: keras.Model) -> None:
    doc = numbers("uint64")
    doc[0, 0, 0, 0] = 2**64 - 1
    match = r"Received: an array of uint64 with numbers from 0 to 1\.84467e\+19.*doc\.astype\('flo"
    with pytest.raises(ValueError, match=match):
        eli5.explain_prediction(classifier, doc)


@pytest.mark.parametrize("number", [1e300, -1e39])
def test_floats_that_would_become_infinite_are_refused(
    classifier: keras.Model, number: float
) -> None:
    doc = numbers("float64")
    doc[0, 5, 5, 1] = number
    with pytest.raises(
        ValueError, match=r"numbers up to 3\.40282e\+38, as float32 has them.*Scale"
    ):
        eli5.explain_prediction(classifier, doc)


def test_masked_values_are_refused(classifier: keras.Model) -> None:
    doc = np.ma.masked_array(numbers(), numbers() > 50)
    n_masked = int(doc.mask.sum())
    match = rf"`doc` without masked values.*doc with {n_masked} of 720 values masked.*doc\.filled"
    with pytest.raises(ValueError, match=match):
        eli5.explain_prediction(classifier, doc)
    with pytest.raises(TypeError, match=r"array of numbers\. Received: doc\.dtype=object"):
        eli5.explain_prediction(classifier, doc.astype(object))
    docs: list[Any] = [doc, [doc], [doc[0]], iter([doc[0]])]
    for one in docs:
        with pytest.raises(ValueError, match=match):
            list(eli5.explain_predictions(classifier, one))


@pytest.mark.filterwarnings("ignore:The heatmap of target", "ignore:the matrix subclass")
def test_subclasses_of_arrays_are_taken_as_arrays(
    classifier: keras.Model, reader: keras.Model, tmp_path: Path
) -> None:
    on_disk: Array = np.memmap(tmp_path / "doc", "float32", "w+", shape=(1, *SIZE))
    on_disk[:] = numbers()
    for doc in (on_disk, np.ma.masked_array(numbers()), numbers().view(np.recarray)):
        assert_same(
            eli5.explain_prediction(classifier, doc), eli5.explain_prediction(classifier, numbers())
        )
    expected = eli5.explain_prediction(reader, ids())
    assert_same(eli5.explain_prediction(reader, np.matrix(ids())), expected)


@pytest.mark.parametrize(
    ("doc", "advice"),
    [
        ((one for one in [numbers()]), r"Take a doc from it: `next\(doc\)`"),
        ([numbers()], r"Take a doc from it: `doc\[0\]`; eli5\.explain_predictions explains many"),
        ([[1.0]], r"Convert it with `np\.asarray\(doc\)`"),
        ({1.0}, r"of type set\. Convert it"),
    ],
    ids=["generator", "list of arrays", "numbers", "set"],
)
def test_what_is_no_array_is_refused_with_what_makes_it_one(
    classifier: keras.Model, doc: Any, advice: str
) -> None:
    with pytest.raises(TypeError, match=rf"`doc` to be a NumPy array.*{advice}"):
        eli5.explain_prediction(classifier, doc)


def test_a_masked_array_is_no_list_of_classes() -> None:
    classes = np.ma.masked_array([0, 1], [False, True])
    with pytest.raises(TypeError, match="`classes` to be a list of class ids and names"):
        eli5.explain_prediction(make_classifier(), numbers() / 100, classes=classes)


@pytest.mark.filterwarnings("ignore:The heatmap of target")
def test_classes_may_come_from_a_generator(classifier: keras.Model) -> None:
    found = eli5.explain_prediction(classifier, numbers(), classes=(k for k in [2, 0]))
    assert [one.target for one in found.targets] == [2, 0]
    with pytest.raises(TypeError, match=r"1\.5 \(of type float\) among them"):
        eli5.explain_prediction(classifier, numbers(), classes=(k for k in [2, 1.5]))
