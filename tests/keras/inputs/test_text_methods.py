"""Each method on texts, against the same written out in NumPy; so the backends agree, too."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest
from keras import layers

import eli5
from helpers.models import with_weights
from helpers.text_twins import N_CLASSES, WORDS, Twin, text_model

Array = np.ndarray[Any, Any]
IDS = np.array([[1, 2, 3, 4, 5, 0, 0, 0]], "int32")
TARGET = 1


@pytest.fixture(scope="module")
def model() -> keras.Model:
    return text_model()


@pytest.fixture(scope="module")
def twin(model: keras.Model) -> Twin:
    return Twin(model)


def attribution(model: keras.Model, method: str, **options: Any) -> Array:
    """Return the attribution of the logit, which the twin computes."""
    options |= {"targets": [TARGET], "method": method, "score": "logit"}
    expl = eli5.explain_prediction(model, IDS, **options)
    return np.asarray(expl.targets[0].attribution)


def close(found: Array, expected: Array) -> None:
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5 * np.abs(expected).max())


def test_grad_cam(model: keras.Model, twin: Twin) -> None:
    vectors = twin.vectors(IDS[0])
    weights = twin.map_gradients(vectors, TARGET).mean(axis=0)
    close(attribution(model, "Grad-CAM"), np.maximum(twin.maps(vectors) @ weights, 0))


def test_hires_cam_at_the_embedding(model: keras.Model, twin: Twin) -> None:
    vectors = twin.vectors(IDS[0])
    expected = (twin.gradients(vectors, TARGET) * vectors).sum(axis=1)
    close(attribution(model, "HiResCAM", layer="embed"), expected)
    close(attribution(model, "Gradient × Input"), expected)


def test_cam_is_the_dense_layers_own_weights(model: keras.Model, twin: Twin) -> None:
    maps = twin.maps(twin.vectors(IDS[0]))
    close(attribution(model, "CAM"), maps @ twin.dense[:, TARGET])


def test_ablation_cam(model: keras.Model, twin: Twin) -> None:
    vectors = twin.vectors(IDS[0])
    maps, whole = twin.maps(vectors), twin.logits(vectors)[TARGET]
    drops = []
    for k in range(maps.shape[1]):
        left = maps.copy()
        left[:, k] = 0
        drops.append(whole - (left.mean(axis=0) @ twin.dense + twin.offset)[TARGET])
    close(attribution(model, "Ablation-CAM"), np.maximum(maps @ np.array(drops) / abs(whole), 0))


def test_saliency(model: keras.Model, twin: Twin) -> None:
    gradients = twin.gradients(twin.vectors(IDS[0]), TARGET)
    close(attribution(model, "Saliency"), np.abs(gradients).max(axis=1))


def test_integrated_gradients(model: keras.Model, twin: Twin) -> None:
    vectors = twin.vectors(IDS[0])
    nodes = (np.arange(4000) + 0.5) / 4000
    mean = np.mean([twin.gradients(vectors * t, TARGET) for t in nodes], axis=0)
    found = attribution(model, "Integrated Gradients", steps=300)
    np.testing.assert_allclose(found, (vectors * mean).sum(axis=1), rtol=1e-2, atol=1e-3)


def test_integrated_gradients_are_complete(model: keras.Model, twin: Twin) -> None:
    vectors = twin.vectors(IDS[0])
    whole, empty = twin.logits(vectors)[TARGET], twin.logits(0 * vectors)[TARGET]
    options: dict[str, Any] = {"method": "Integrated Gradients", "steps": 200, "score": "logit"}
    expl = eli5.explain_prediction(model, IDS, targets=[TARGET], **options)
    assert expl.targets[0].attribution.sum() == pytest.approx(whole - empty, rel=0.01)
    assert expl.targets[0].details["completeness_error"] < 0.01
    assert expl.targets[0].details["score_difference"] == pytest.approx(whole - empty, rel=1e-4)


def test_smooth_grad(model: keras.Model, twin: Twin) -> None:
    vectors = twin.vectors(IDS[0])
    noise = np.random.default_rng(0).standard_normal((6, *vectors.shape), dtype="float32")
    width = 0.15 * (vectors.max() - vectors.min())
    mean = np.mean([twin.gradients(vectors + width * one, TARGET) for one in noise], axis=0)
    close(attribution(model, "SmoothGrad", n_samples=6), np.abs(mean).max(axis=1))


def test_occlusion_without_a_known_padding(model: keras.Model, twin: Twin) -> None:
    vectors = twin.vectors(IDS[0])
    expected = []
    for step in range(len(vectors)):
        covered = vectors.copy()
        covered[step] = 0
        expected.append((twin.logits(vectors) - twin.logits(covered))[TARGET])
    close(attribution(model, "Occlusion"), np.array(expected))


def test_occlusion_puts_padding_in_place_of_a_token(model: keras.Model, twin: Twin) -> None:
    whole = twin.logits(twin.vectors(IDS[0]))
    expected = []
    for step in range(5):
        ids = IDS[0].copy()
        ids[step] = 0
        expected.append((whole - twin.logits(twin.vectors(ids)))[TARGET])
    close(attribution(model, "Occlusion", pad_value=0), np.array(expected))


def test_occlusion_by_a_window(model: keras.Model, twin: Twin) -> None:
    whole = twin.logits(twin.vectors(IDS[0]))
    sums, counts = np.zeros(5), np.zeros(5)
    for start in range(4):  # of the windows without padding
        ids = IDS[0].copy()
        ids[start : start + 2] = 0
        sums[start : start + 2] += (whole - twin.logits(twin.vectors(ids)))[TARGET]
        counts[start : start + 2] += 1
    found = attribution(model, "Occlusion", pad_value=0, patch=2, stride=1)
    close(found, sums / counts)


def test_lime(model: keras.Model, twin: Twin) -> None:
    coalitions = np.random.default_rng(0).integers(0, 2, (300, 5)).astype(bool)
    coalitions[0] = True
    scores = []
    for shown in coalitions:
        ids = np.append(np.where(shown, IDS[0, :5], 0), [0, 0, 0])
        vectors = twin.vectors(ids)
        if not ids.any():  # nothing but padding would be left, so the words' vectors are hidden
            vectors[:5] = 0
        scores.append(twin.logits(vectors)[TARGET])
    distances = 1 - np.sqrt(coalitions.mean(axis=1))
    weights = np.diag(np.sqrt(np.exp(-(distances**2) / 0.25**2)))
    rows = np.column_stack([coalitions, np.ones(300)]).astype("float64")
    penalty = np.diag([1.0] * 5 + [0.0])
    values = np.linalg.solve(rows.T @ weights @ rows + penalty, rows.T @ weights @ np.array(scores))
    close(attribution(model, "LIME", pad_value=0, n_samples=300), values[:5])


def test_kernel_shap_adds_up(model: keras.Model, twin: Twin) -> None:
    vectors = twin.vectors(IDS[0])
    found = attribution(model, "KernelSHAP", baseline=0.0)
    gap = twin.logits(vectors)[TARGET] - twin.logits(0 * vectors)[TARGET]
    assert found.sum() == pytest.approx(gap, rel=1e-4)


def test_score_cam(model: keras.Model, twin: Twin) -> None:
    vectors = twin.vectors(IDS[0])
    maps = twin.maps(vectors)
    kept = np.flatnonzero(np.ptp(maps, axis=0) > 0)
    masks = [(maps[:, k] - maps[:, k].min()) / np.ptp(maps[:, k]) for k in kept]
    scores = np.array([twin.logits(vectors * mask[:, None])[TARGET] for mask in masks])
    weights = np.exp(scores - scores.max())
    weights /= weights.sum()
    close(attribution(model, "Score-CAM"), np.maximum(maps[:, kept] @ weights, 0))


@pytest.mark.parametrize("method", ["Grad-CAM", "Integrated Gradients", "Occlusion"])
def test_all_classes_in_one_call(model: keras.Model, method: str) -> None:
    expl = eli5.explain_prediction(model, IDS, method=method, top_targets=N_CLASSES, pad_value=0)
    for target in expl.targets:
        alone = eli5.explain_prediction(
            model, IDS, method=method, targets=[target.target], pad_value=0
        )
        np.testing.assert_allclose(
            target.attribution, alone.targets[0].attribution, rtol=1e-4, atol=1e-6
        )


# ---- padding -------------------------------------------------------------------------------------

MASKING = {
    "dense": lambda: [layers.Dense(4, activation="relu"), layers.GlobalAveragePooling1D()],
    "lstm": lambda: [
        layers.Bidirectional(layers.LSTM(3, return_sequences=True)),
        layers.GlobalAveragePooling1D(),
    ],
    "pool": lambda: [layers.GlobalAveragePooling1D()],
}


SEEDS = {"dense": 0, "lstm": 2, "pool": 0}  # of weights with which no map is empty


@pytest.mark.parametrize("kind", MASKING)
def test_padding_changes_nothing_where_the_model_masks_it(kind: str) -> None:
    model = keras.Sequential(
        [
            keras.Input((None,), dtype="int32"),
            layers.Embedding(len(WORDS), 5, mask_zero=True),
            *MASKING[kind](),
            layers.Dense(3, activation="softmax"),
        ]
    )
    with_weights(model, seed=SEEDS[kind])
    short, long = np.array([[4, 5, 2, 8]]), np.array([[4, 5, 2, 8, 0, 0, 0]])
    for method in ("Grad-CAM", "HiResCAM", "Gradient × Input", "Occlusion", "Integrated Gradients"):
        options: dict[str, Any] = {"method": method, "targets": [1], "score": "logit"}
        plain = eli5.explain_prediction(model, short, **options).targets[0]
        padded = eli5.explain_prediction(model, long, **options).targets[0]
        assert plain.score == pytest.approx(padded.score, abs=1e-6)
        np.testing.assert_allclose(padded.heatmap, plain.heatmap, atol=1e-4)
        assert np.abs(plain.attribution).max() > 0


def test_a_text_that_speaks_against_a_class_as_a_whole_is_not_empty() -> None:
    model = text_model()
    vectors, dense = np.ones((len(WORDS), 5)), np.zeros((6, N_CLASSES))
    dense[:, TARGET] = -1
    kernel, bias, offset = np.ones((3, 5, 6)), np.zeros(6), np.zeros(N_CLASSES)
    model.set_weights([vectors, kernel, bias, dense, offset])
    options: dict[str, Any] = {"method": "Gradient × Input", "score": "logit"}
    (against,) = eli5.explain_prediction(model, IDS, targets=[TARGET], **options).targets
    assert (against.attribution < 0).all()
    assert not against.heatmap.any()
    with pytest.warns(UserWarning, match="The heatmap of target 0 at the input is empty"):
        eli5.explain_prediction(model, IDS, targets=[0], **options)


def test_a_text_is_not_mirrored(model: keras.Model) -> None:
    with pytest.raises(ValueError, match=r"Expected a picture for augment=True.*a text.*n_samples"):
        attribution(model, "Grad-CAM", augment=True)
