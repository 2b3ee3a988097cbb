"""When `ExplainCallback` explains, and what."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from PIL import Image

import eli5
from eli5.callbacks import ExplainCallback
from helpers.trainings import SIZE, drive, explained, pictures, small_network, train

IMAGES = pictures(2)


@pytest.fixture
def callback(tmp_path: Path) -> ExplainCallback:
    return ExplainCallback(IMAGES, log_dir=tmp_path)


# ---- when ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("every", "epochs", "expected"),
    [
        (1, 3, [1, 2, 3]),
        (2, 4, [2, 4]),
        (2, 5, [2, 4, 5]),
        (5, 12, [5, 10, 12]),
        (9, 2, [2]),
    ],
)
def test_every_so_many_epochs_and_the_last(
    every: int, epochs: int, expected: list[int], tmp_path: Path, classifier: keras.Model
) -> None:
    callback = ExplainCallback(IMAGES, every=every, log_dir=tmp_path)
    assert callback.page is None
    drive(callback, classifier, epochs)
    assert explained(callback) == expected


def test_the_last_epoch_is_also_one_that_another_callback_ends(
    tmp_path: Path, classifier: keras.Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    callback = ExplainCallback(IMAGES, every=5, log_dir=tmp_path)
    callback.set_model(classifier)
    callback.set_params({"epochs": 100})
    callback.on_train_begin()
    callback.on_epoch_end(0)
    assert callback.page is None
    monkeypatch.setattr(classifier, "stop_training", True, raising=False)
    callback.on_epoch_end(1)
    assert explained(callback) == [2]


def test_a_second_fit_goes_on_counting(callback: ExplainCallback, classifier: keras.Model) -> None:
    drive(callback, classifier, 2)
    drive(callback, classifier, 2)
    assert explained(callback) == [1, 2, 3, 4]
    drive(callback, classifier, 6, initial_epoch=4)  # the user counts on, too
    assert explained(callback) == [1, 2, 3, 4, 5, 6]
    drive(callback, classifier, 12, initial_epoch=10)
    assert explained(callback) == [1, 2, 3, 4, 5, 6, 11, 12]
    drive(callback, classifier, 3, initial_epoch=2)
    assert explained(callback) == [1, 2, 3, 4, 5, 6, 11, 12, 13]


def test_a_resumed_training_keeps_its_numbers(
    callback: ExplainCallback, classifier: keras.Model
) -> None:
    drive(callback, classifier, 12, initial_epoch=10)
    assert explained(callback) == [11, 12]


def test_each_callback_has_its_own_folder(tmp_path: Path, classifier: keras.Model) -> None:
    pages = []
    for _ in range(3):
        callback = ExplainCallback(IMAGES, log_dir=tmp_path)
        drive(callback, classifier, 1)
        pages.append(callback.page)
    assert pages == [tmp_path / f"run-{number}" / "index.html" for number in (1, 2, 3)]


def test_a_fit_calls_it_right(tmp_path: Path) -> None:
    callback = ExplainCallback(IMAGES, every=3, log_dir=tmp_path)
    model = small_network()
    train(model, callback, epochs=4, validation_data=None)
    train(model, callback, epochs=1, validation_data=None)
    assert explained(callback) == [3, 4, 5]


# ---- what ----------------------------------------------------------------------------------------


def test_it_explains_what_it_is_told_to(tmp_path: Path, classifier: keras.Model) -> None:
    options: dict[str, Any] = {"methods": ["LayerCAM", "Saliency"], "targets": [1, [2, 3]]}
    options |= {"class_names": list("abcd"), "score": "output"}
    picture = Image.new("RGB", (90, 60), "red")
    callback = ExplainCallback(
        IMAGES, layer="relu", pictures=[picture] * 2, log_dir=tmp_path, colormap="magma", **options
    )
    drive(callback, classifier, 1)
    expected = eli5.explain_predictions(
        classifier, IMAGES, layer="relu", images=[picture] * 2, **options
    )
    assert callback.explanations == list(expected)


def test_it_draws_as_it_is_told_to(tmp_path: Path, classifier: keras.Model) -> None:
    # As large as they are logged, or they would be made larger.
    options: dict[str, Any] = {"method": "HiResCAM", "pictures": [Image.new("RGB", (200, 150))] * 2}
    callback = ExplainCallback(IMAGES, log_dir=tmp_path, signed=True, **options)
    drive(callback, classifier, 1)
    assert callback.page is not None
    ((expl,), _) = callback.explanations
    with Image.open(callback.page.parent / "epoch-0001" / "1-hirescam.png") as logged:
        shown = np.asarray(logged)[..., :3]
    drawn = {signed: eli5.format_as_image(expl, signed=signed) for signed in (True, False)}
    np.testing.assert_array_equal(shown, np.asarray(drawn[True])[..., :3])
    assert (shown != np.asarray(drawn[False])[..., :3]).any()


def test_one_method_can_be_given_as_elsewhere(tmp_path: Path, classifier: keras.Model) -> None:
    callback = ExplainCallback(IMAGES, method="layercam", log_dir=tmp_path)
    drive(callback, classifier, 1)
    assert [[expl.method for expl in one] for one in callback.explanations] == [["LayerCAM"]] * 2


@pytest.mark.parametrize("kind", ["list of docs", "rows of a list", "tensor", "changed array"])
def test_images_of_several_kinds(kind: str, tmp_path: Path, classifier: keras.Model) -> None:
    array = IMAGES.copy()
    images = {
        "list of docs": [array[:1], array[1:]],
        "rows of a list": list(array),
        "tensor": keras.ops.convert_to_tensor(array),
        "changed array": array,
    }[kind]
    callback = ExplainCallback(images, log_dir=tmp_path)
    array += 1
    drive(callback, classifier, 1)
    expected = [[one] for one in eli5.explain_predictions(classifier, IMAGES)]
    assert callback.explanations == expected


@pytest.mark.parametrize("names", [("a", "b"), None], ids=["dict", "list"])
def test_images_for_several_inputs(names: Any, tmp_path: Path) -> None:
    inputs = [keras.Input(SIZE, name="a"), keras.Input((2,), name="b")]
    maps = keras.layers.Conv2D(3, 3)(inputs[0])
    merged = keras.layers.concatenate([keras.layers.Flatten()(maps), inputs[1]])
    outputs = keras.layers.Dense(3)(merged)
    model = keras.Model(dict(zip(names, inputs, strict=True)) if names else inputs, outputs)
    arrays = [IMAGES, np.array([[0.0, 1.0], [2.0, 3.0]], "float32")]
    images = dict(zip(names, arrays, strict=True)) if names else arrays
    callback = ExplainCallback(images, log_dir=tmp_path)
    drive(callback, model, 1)
    assert callback.explanations == [[one] for one in eli5.explain_predictions(model, images)]
