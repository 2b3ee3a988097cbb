"""What `eli5.warm_up` prepares is all that later explanations need, counted: no clock."""

from __future__ import annotations

import logging
from typing import Any

import keras
import numpy as np
import pytest
from keras import layers

import eli5
from eli5.keras import engine
from helpers.models import make_classifier, sample, with_weights

SIZE = (12, 20, 3)

pytestmark = pytest.mark.filterwarnings("ignore:.*heatmap of target")


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return a list that each compiled program and each trace of a model adds a word to."""
    made: list[str] = []
    for name in ("_compile", "_trace"):
        make = getattr(engine, name)

        def noted(*given: Any, name: str = name, make: Any = make) -> Any:
            made.append(name)
            return make(*given)

        monkeypatch.setattr(engine, name, noted)
    return made


def with_two_inputs() -> keras.Model:
    inputs = {"photo": keras.Input(SIZE, name="photo"), "age": keras.Input((1,), name="age")}
    maps = layers.Conv2D(4, 3, activation="relu")(inputs["photo"])
    both = layers.Concatenate()([layers.GlobalAveragePooling2D()(maps), inputs["age"]])
    return with_weights(keras.Model(inputs, layers.Dense(3, activation="softmax")(both)))


def of_any_size() -> keras.Model:
    steps = [keras.Input((None, None, 3)), layers.Conv2D(4, 3), layers.GlobalAveragePooling2D()]
    return with_weights(keras.Sequential([*steps, layers.Dense(3, activation="softmax")]))


def reader(*first: Any) -> keras.Model:
    steps = [*first, layers.Conv1D(4, 3, padding="same"), layers.GlobalAveragePooling1D()]
    return with_weights(keras.Sequential([*steps, layers.Dense(2, activation="softmax")]))


OPTIONS: dict[str, dict[str, Any]] = {
    "as it comes": {},
    "formulas": {"methods": ["Grad-CAM", "LayerCAM", "Saliency"], "top_targets": 3},
    "a layer and a score": {"layer": "conv", "score": "output"},
    "black boxes": {"methods": ["RISE", "Ablation-CAM"], "n_masks": 8, "batch_size": 4},
    "gradients of a path": {"method": "Integrated Gradients", "steps": 6, "targets": [1]},
    "copies": {"method": "HiResCAM", "n_samples": 3},
    "with a grade": {"grade": True},
}


@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
def test_the_next_explanation_compiles_nothing(options: dict[str, Any], made: list[str]) -> None:
    model = make_classifier()
    assert eli5.warm_up(model, SIZE, **options) is None  # type: ignore[func-returns-value]
    assert "_compile" in made
    made.clear()
    eli5.explain_prediction(model, sample(SIZE), **options)
    assert made == []


IDS = np.array([[3, 2, 0, 0, 0, 0]])
SERIES = sample((6, 2))

GIVEN: dict[str, tuple[Any, Any, Any, dict[str, Any]]] = {
    "a doc": (make_classifier, sample(SIZE, 1), sample(SIZE), {}),
    "a batch size of None": (make_classifier, (None, *SIZE), sample(SIZE), {}),
    "a batch size of 1": (make_classifier, [1, *SIZE], sample(SIZE), {}),
    "sizes that the model knows": (make_classifier, (None, None, None, 3), sample(SIZE), {}),
    "a model of any size": (of_any_size, (9, 8, 3), sample((9, 8, 3)), {}),
    "several inputs": (
        with_two_inputs,
        {"photo": SIZE, "age": (None, 1)},
        {"photo": sample(SIZE), "age": np.ones((1, 1), "float32")},
        {},
    ),
    "token ids": (
        lambda: reader(keras.Input((6,)), layers.Embedding(5, 4)),
        (6,),
        IDS,
        {"tokens": list("abcdef"), "pad_value": 0},
    ),
    "a series": (lambda: reader(keras.Input((6, 2))), (None, 6, 2), SERIES, {"time": range(6)}),
    "a series, never built": (reader, (1, 6, 2), SERIES, {}),
}


@pytest.mark.parametrize("case", GIVEN.values(), ids=GIVEN)
def test_a_doc_or_a_shape(case: tuple[Any, Any, Any, dict[str, Any]], made: list[str]) -> None:
    make, given, doc, options = case
    model = make()
    eli5.warm_up(model, given, **options)
    made.clear()
    assert not eli5.explain_prediction(model, doc, **options).error
    assert made == []


def test_a_list_of_shapes(made: list[str]) -> None:
    photo, age = keras.Input(SIZE), keras.Input((1,))
    maps = layers.GlobalAveragePooling2D()(layers.Conv2D(4, 3)(photo))
    model = keras.Model([photo, age], layers.Dense(3)(layers.Concatenate()([maps, age])))
    eli5.warm_up(model, model.input_shape)
    made.clear()
    eli5.explain_prediction(model, [sample(SIZE), np.ones((1, 1), "float32")])
    assert made == []


def test_batches_are_prepared_as_they_will_be_filled(made: list[str]) -> None:
    model = make_classifier()
    eli5.warm_up(model, SIZE, batch_sizes=[1, 3, 6], batch_size=6)
    assert made.count("_compile") == 3  # of 1, 4 and 6 docs
    made.clear()
    eli5.explain_prediction(model, sample(SIZE))
    for n in (3, 4, 5, 13):
        docs = np.concatenate([sample(SIZE, seed) for seed in range(n)])
        assert len(list(eli5.explain_predictions(model, docs, batch_size=6))) == n
    assert made == []


def test_no_warning_of_a_doc_that_is_made_up() -> None:
    model = make_classifier()
    model.get_layer("head").kernel.assign(np.zeros((8, 4)))
    with pytest.warns(UserWarning, match="is empty"):
        eli5.explain_prediction(model, sample(SIZE))
    eli5.warm_up(model, SIZE)  # warnings are errors


@pytest.mark.parametrize(
    ("shape", "make"),
    [
        ((None, None, None, 3), of_any_size),
        ((8, *SIZE), make_classifier),
        ((None, None, 2), reader),
    ],
)
def test_a_shape_that_leaves_something_open(shape: Any, make: Any) -> None:
    with pytest.raises(ValueError, match=r"no size is None, and the batch size is 1 or None\. Rec"):
        eli5.warm_up(make(), shape)


@pytest.mark.parametrize("sizes", [(), (0,), (1, 64)])
def test_sizes_of_batches_that_never_come(sizes: Any) -> None:
    with pytest.raises(ValueError, match=r"`batch_sizes` to hold sizes from 1 to batch_size=32"):
        eli5.warm_up(make_classifier(), SIZE, batch_sizes=sizes)


def test_what_is_no_model_or_no_size() -> None:
    with pytest.raises(TypeError, match=r"Expected `model` to be a Keras 3 model\. Received: est"):
        eli5.warm_up("model", SIZE)
    with pytest.raises(TypeError, match=r"Expected `batch_sizes` to be a list of integers"):
        eli5.warm_up(make_classifier(), SIZE, batch_sizes=8)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"Expected `doc` of shape \(1, 12, 20, 3\)"):
        eli5.warm_up(make_classifier(), (12, 20))


# ---- what is logged ------------------------------------------------------------------------------


def test_what_is_compiled_and_explained_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    model, doc = make_classifier(), sample(SIZE)
    with caplog.at_level(logging.DEBUG, logger="eli5"):
        eli5.explain_prediction(model, doc)
        eli5.explain_prediction(model, doc)
    logged = [(one.levelname, one.getMessage().partition(",")[0]) for one in caplog.records]
    assert logged == [
        ("DEBUG", "Tracing the layers of model 'classifier'"),
        ("DEBUG", "Explaining model 'classifier'"),
        ("INFO", "Compiling for model 'classifier'"),
        ("DEBUG", "Explaining model 'classifier'"),
    ]
    assert caplog.records[1].getMessage().endswith("1 doc(s): Grad-CAM, at layer relu")
    assert "(1, 12, 20, 3)" in caplog.records[2].getMessage()
    assert {one.name.partition(".")[0] for one in caplog.records} == {"eli5"}


def test_nothing_is_printed_unless_asked_for(capfd: pytest.CaptureFixture[str]) -> None:
    assert any(isinstance(one, logging.NullHandler) for one in logging.getLogger("eli5").handlers)
    eli5.explain_prediction(make_classifier(), sample(SIZE))
    assert capfd.readouterr() == ("", "")
