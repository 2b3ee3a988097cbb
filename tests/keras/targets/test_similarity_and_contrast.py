"""Cosines with an embedding, and differences of scores: against NumPy and finite differences."""

from __future__ import annotations

import logging
from typing import Any

import keras
import numpy as np
import pytest
from keras import layers

import eli5
from eli5.targets import Contrast, Pixel, Region, Similarity
from helpers.models import sample, with_weights
from helpers.segmenters import SIZE, make_segmenter, mean_score

Array = np.ndarray[Any, Any]
DOC = sample((8, 10, 3))
CLOSE: dict[str, Any] = {"rtol": 1e-5, "atol": 1e-5}


def make_model(units: int, activation: str | None) -> keras.Model:
    inputs = keras.Input((8, 10, 3))
    x = layers.Conv2D(4, 3, activation="tanh", name="conv")(inputs)
    x = layers.GlobalAveragePooling2D()(x)
    return with_weights(keras.Model(inputs, layers.Dense(units, activation=activation)(x)), seed=2)


@pytest.fixture(scope="module")
def embedder() -> keras.Model:
    return make_model(5, None)


@pytest.fixture(scope="module")
def classifier() -> keras.Model:
    return make_model(4, "softmax")


def cosine(one: Array, other: Array) -> float:
    """Return the cosine of two vectors, number by number."""
    products = [float(a) * float(b) for a, b in zip(one.ravel(), other.ravel(), strict=True)]
    lengths = [np.sqrt(sum(float(a) ** 2 for a in vector.ravel())) for vector in (one, other)]
    return float(sum(products) / (lengths[0] * lengths[1]))


def explain(model: keras.Model, target: Any, **options: Any) -> list[Any]:
    expl = eli5.explain_prediction(model, DOC, target=target, **{"method": "Saliency"} | options)
    return list(expl.targets)


def test_similarities_are_cosines_in_one_run(embedder: keras.Model) -> None:
    output = embedder.predict(DOC, verbose=0)[0]
    others = [*np.random.default_rng(0).normal(size=(2, 5)), np.arange(1, 6)[None]]
    found = explain(embedder, [Similarity(one) for one in others])
    for target, other in zip(found, others, strict=True):
        np.testing.assert_allclose(target.explained, cosine(output, other), **CLOSE)
        assert target.score == target.explained
        assert (target.target, target.explained_name) == ("similarity", "cosine")
    with pytest.warns(UserWarning, match="the gradient of the cosine of the output"):
        (same,) = explain(embedder, Similarity(output))  # nothing makes it more alike
    assert same.explained == pytest.approx(1)


def test_the_map_of_a_similarity_is_its_gradient(embedder: keras.Model) -> None:
    other = np.arange(1.0, 6.0)
    (target,) = explain(embedder, Similarity(other), method="Gradient × Input")
    step = 1e-2
    for row, column in ((2, 3), (5, 7)):
        gradient = []
        for channel in range(3):
            moved = np.repeat(DOC, 2, axis=0)
            moved[0, row, column, channel] += step
            moved[1, row, column, channel] -= step
            up, down = embedder.predict(moved, verbose=0)
            gradient.append((cosine(up, other) - cosine(down, other)) / (2 * step))
        right = (np.array(gradient) * DOC[0, row, column]).sum()
        np.testing.assert_allclose(target.attribution[row, column], right, rtol=2e-2, atol=1e-5)


def test_one_program_does_for_all_embeddings(
    embedder: keras.Model, caplog: pytest.LogCaptureFixture
) -> None:
    for number in range(3):
        if number == 1:
            caplog.set_level(logging.INFO, "eli5")
        explain(embedder, Similarity(np.arange(1.0, 6.0) + number))
    assert "Compiling" not in caplog.text


def test_a_contrast_of_classes(classifier: keras.Model) -> None:
    p = classifier.predict(DOC, verbose=0)[0].astype("float64")
    odds = np.log(p / (1 - p))
    names = ["cat", "dog", "cow", "elk"]
    right = {
        "auto": ("difference of logits", np.log(p[0] / p[2])),
        "logit": ("difference of logits", np.log(p[0] / p[2])),
        "log-odds": ("difference of log-odds", odds[0] - odds[2]),
        "output": ("difference of outputs", p[0] - p[2]),
    }
    for score, (name, value) in right.items():
        (target,) = explain(classifier, Contrast(0, "cow"), class_names=names, score=score)
        np.testing.assert_allclose(target.explained, value, **CLOSE)
        np.testing.assert_allclose(target.score, p[0] - p[2], **CLOSE)
        assert (target.target, target.explained_name) == ("cat and not cow", name)
    (plain,) = explain(classifier, Contrast(0, 2))
    assert plain.target == "class 0 and not class 2"


def test_a_contrast_is_the_difference_of_the_maps(classifier: keras.Model) -> None:
    options: dict[str, Any] = {"method": "HiResCAM", "score": "logit"}
    (difference,) = explain(classifier, Contrast(0, 2), **options)
    expl = eli5.explain_prediction(classifier, DOC, classes=[0, 2], **options)
    one, other = (target.attribution for target in expl.targets)
    np.testing.assert_allclose(difference.attribution, one - other, **CLOSE)


@pytest.mark.skipif(keras.backend.backend() != "torch", reason="differs in no backend")
def test_a_contrast_of_regions() -> None:
    model, doc = make_segmenter(), sample((*SIZE, 3))
    p = model.predict(doc, verbose=0)[0]
    mask = np.zeros(SIZE, bool)
    mask[3:9, 2:8] = True
    finer = mask[:, ::-1].copy()
    asked = [Contrast(Region(1, mask), Region(0, finer)), Contrast(Pixel(1, 1, 2), Pixel(1, 1))]
    expl = eli5.explain_prediction(model, doc, target=asked, method="Occlusion")
    first, second = expl.targets
    right = mean_score(p, 1, mask) - mean_score(p, 0, finer)
    np.testing.assert_allclose(first.explained, right, **CLOSE)
    assert first.target == "class 1 over 36 pixels and not class 0 over 36 pixels"
    assert first.region == Region(1, mask)
    assert second.target.startswith("class 2 at row 1, column 1 and not class")
    coarse = make_segmenter(stride=2)
    expl = eli5.explain_prediction(coarse, doc, target=asked[:1], method="Saliency")
    assert "was resized to the output's 8x10" in expl.description
    absent = int(np.bincount(p.argmax(axis=-1).ravel(), minlength=4).argmin())
    with pytest.raises(ValueError, match=rf"target=Region\({absent}\), where it predicts"):
        eli5.explain_prediction(model, doc, target=Contrast(Region(absent), Region(0, mask)))


@pytest.mark.parametrize(
    ("asked", "error", "match"),
    [
        (Similarity(np.ones(4)), ValueError, r"output's shape, \(5,\). Received: embedding.shape"),
        (Contrast(0, 5), ValueError, r"in \[0, 5\).*in `b`. Received: b=5"),
        (Contrast(7, 1), ValueError, r"in \[0, 5\).*in `a`. Received: a=7"),
        ([Contrast(0, 1), Contrast(Pixel(0, 0), Pixel(1, 1))], TypeError, "a Contrast of what"),
        ([Contrast(Pixel(0, 0), Pixel(1, 1))], ValueError, "Expected a segmenter"),
    ],
    ids=range(5),
)
def test_what_does_not_fit(
    embedder: keras.Model, asked: Any, error: type[Exception], match: str
) -> None:
    with pytest.raises(error, match=match):
        explain(embedder, asked)


def test_other_misfits(embedder: keras.Model) -> None:
    with pytest.raises(ValueError, match="no `score` beside a Similarity"):
        explain(embedder, Similarity(np.ones(5)), score="logit")
    with pytest.raises(ValueError, match="several classes for a Contrast"):
        explain(make_model(1, None), Contrast(0, 1))
    docs = np.concatenate([DOC, DOC])
    asked = [Similarity(np.ones(5)), Pixel(0, 0)]
    with pytest.raises(TypeError, match=r"Similarity, as the others are"):
        list(eli5.explain_predictions(embedder, docs, target=asked, method="Saliency"))
