"""Maps averaged over noisy and augmented copies, against copies explained one by one."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest

import eli5
from helpers.backend_limits import ONCE, skip_what_cannot_run
from helpers.model_kinds import KINDS, flat, picture
from helpers.models import make_classifier, sample

pytestmark = ONCE  # copies are made and averaged by NumPy

Array = np.ndarray[Any, Any]


def explained(model: keras.Model, doc: Any, method: str, **options: Any) -> Array:
    """Return the attribution of class 1."""
    options = {"targets": [1]} | options
    (target,) = eli5.explain_prediction(model, doc, method=method, **options).targets
    assert target.attribution.dtype == np.float32
    return target.attribution


def copies(doc: Array, n_samples: int, noise: float, seed: int, augment: bool) -> list[Any]:
    """Return each copy, and whether it is mirrored, made in plain loops."""
    random = np.random.default_rng(seed)
    deviation = np.float32(noise * (float(doc.max()) - float(doc.min())))
    noisy = [doc]
    if n_samples:
        noisy = [
            doc + deviation * random.standard_normal(doc.shape, dtype="float32")
            for _ in range(n_samples)
        ]
    if not augment:
        return [(copy, False) for copy in noisy]
    made = []
    for copy in noisy:
        for contrast in (0.9, 1.0, 1.1):
            changed = (copy.mean() + contrast * (copy - copy.mean())).astype("float32")
            made += [(changed, False), (changed[:, :, ::-1], True)]
    return made


def one_by_one(model: keras.Model, doc: Array, method: str, made: Any, **options: Any) -> Array:
    total: Any = 0.0
    for copy, is_mirrored in made:
        found = explained(model, np.ascontiguousarray(copy), method, **options).astype("float64")
        total = total + (found[:, ::-1] if is_mirrored else found)
    return total / len(made)


@pytest.mark.filterwarnings("ignore:The heatmap of target")
@pytest.mark.parametrize(
    "method",
    [
        "Grad-CAM",
        "LayerCAM",
        "Eigen-CAM",
        "Finer-CAM",
        "Saliency",
        "Integrated Gradients",
    ],
)
@pytest.mark.parametrize(
    ("n_samples", "noise", "seed", "augment"),
    [(5, 0.15, 0, False), (3, 0.4, 7, False), (0, 0.15, 0, True), (2, 0.2, 1, True)],
)
def test_a_smoothed_map_is_the_mean_over_the_copies(
    method: str, n_samples: int, noise: float, seed: int, augment: bool
) -> None:
    model, doc = the_model(), sample((12, 20, 3), seed=4)
    where = {"layer": "relu"} if eli5.keras.METHODS[method].at == "layer" else {}
    right = one_by_one(model, doc, method, copies(doc, n_samples, noise, seed, augment), **where)
    options = {"n_samples": n_samples, "noise": noise, "seed": seed, "augment": augment}
    for batch_size in (32, 5):
        found = explained(model, doc, method, **where, **options, batch_size=batch_size)
        np.testing.assert_allclose(found, right, atol=1e-5 * np.abs(right).max())
    plain = explained(model, doc, method, **where)
    assert np.abs(plain - right).max() > 1e-2 * np.abs(right).max()


_models: list[keras.Model] = []


def the_model() -> keras.Model:
    """Return one model for all tests: what it was asked once is not compiled anew."""
    if not _models:
        _models.append(make_classifier())
    return _models[0]


@pytest.mark.parametrize("method", ["Grad-CAM", "Saliency"])
def test_no_samples_and_no_noise_give_the_plain_map(method: str) -> None:
    model, doc = the_model(), sample((12, 20, 3))
    plain = explained(model, doc, method)
    # The seed and the noise alone do nothing.
    np.testing.assert_array_equal(explained(model, doc, method, n_samples=0, seed=3), plain)
    np.testing.assert_array_equal(explained(model, doc, method, noise=0.5), plain)
    without_noise = explained(model, doc, method, n_samples=3, noise=0.0)
    np.testing.assert_allclose(without_noise, plain, rtol=1e-5, atol=1e-7)


def test_the_seed_decides() -> None:
    model, doc = the_model(), sample((12, 20, 3))
    options: dict[str, Any] = {"n_samples": 4, "layer": "relu"}
    one, two = (explained(model, doc, "LayerCAM", **options) for _ in range(2))
    np.testing.assert_array_equal(one, two)
    assert np.abs(one - explained(model, doc, "LayerCAM", seed=1, **options)).max() > 0


def test_each_class_is_smoothed_and_scores_are_those_of_the_doc() -> None:
    model, doc = the_model(), sample((12, 20, 3))
    options: dict[str, Any] = {"method": "HiResCAM", "layer": "relu", "n_samples": 3}
    several = eli5.explain_prediction(model, doc, top_targets=3, **options)
    output = model.predict(doc, verbose=0)[0]
    assert [one.target for one in several.targets] == np.argsort(-output)[:3].tolist()
    for target in several.targets:
        alone = explained(
            model, doc, "HiResCAM", targets=[target.target], layer="relu", n_samples=3
        )
        np.testing.assert_allclose(target.attribution, alone, atol=1e-5)
        assert target.score == pytest.approx(output[target.target], abs=1e-5)


def test_in_a_list_formulas_are_smoothed_and_black_box_methods_take_their_own_options() -> None:
    model, doc = the_model(), sample((12, 20, 3))
    options: dict[str, Any] = {"n_samples": 4, "seed": 2}
    both = eli5.explain_prediction(
        model, doc, targets=[1], methods=["Saliency", "SmoothGrad", "Occlusion"], **options
    )
    for explanation, own in zip(both, (options, options, {}), strict=True):
        right = explained(model, doc, explanation.method, **own)
        np.testing.assert_allclose(explanation.targets[0].attribution, right, atol=1e-6)


@pytest.mark.filterwarnings("ignore:The heatmap of target")
@pytest.mark.parametrize(
    "name", ["metadata, dict", "metadata, list", "channels first", "two outputs, dict"]
)
def test_other_kinds_of_models_are_smoothed_alike(name: str) -> None:
    kind, options = KINDS[name], {"n_samples": 2, "augment": True}
    model, doc = kind.make(), kind.doc(picture())
    skip_what_cannot_run(name, model, doc)
    for method in ("Grad-CAM", "Saliency"):
        right = explained(flat(), picture(), method, **options)
        found = explained(model, doc, method, **options, **kind.options)
        np.testing.assert_allclose(found, right, atol=1e-4 * right.max())


def test_a_grey_picture_and_a_volume_are_smoothed() -> None:
    layers = keras.layers
    grey = keras.Sequential(
        [
            keras.Input((8, 10)),
            layers.Reshape((8, 10, 1)),
            layers.Conv2D(3, 3, name="last"),
            layers.Flatten(),
            layers.Dense(2),
        ]
    )
    volume = keras.Sequential(
        [
            keras.Input((4, 6, 8, 1)),
            layers.Conv3D(3, 3, name="last"),
            layers.Flatten(),
            layers.Dense(2),
        ]
    )
    for model, shape in ((grey, (8, 10)), (volume, (4, 6, 8, 1))):
        doc = sample(shape)
        right: Any = 0.0
        made = copies(doc[..., None] if model is grey else doc, 2, 0.15, 0, False)
        for copy, _ in made:
            one = copy[..., 0] if model is grey else copy
            right = right + explained(model, one, "HiResCAM").astype("float64") / 2
        found = explained(model, doc, "HiResCAM", n_samples=2)
        np.testing.assert_allclose(found, right, atol=1e-5 * np.abs(right).max())


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"n_samples": -1}, ValueError, "`n_samples` >= 0. Received: n_samples=-1"),
        ({"n_samples": 2.0}, TypeError, "`n_samples` to be an integer. Received: n_samples=2.0"),
        ({"n_samples": True}, TypeError, "n_samples=True"),
        ({"noise": -0.1}, ValueError, "`noise` to be finite and >= 0. Received: noise=-0.1"),
        ({"noise": float("inf")}, ValueError, "noise=inf"),
        ({"noise": "0.1"}, TypeError, "`noise` to be a number. Received: noise='0.1'"),
        ({"augment": 1}, TypeError, "`augment` to be True or False. Received: augment=1"),
    ],
)
def test_bad_options_are_refused(options: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        explained(the_model(), sample((12, 20, 3)), "Grad-CAM", **options)


def test_the_details_of_a_smoothed_black_box_method_are_means() -> None:
    model, doc = make_classifier(), sample((12, 20, 3), seed=3)
    options: dict[str, Any] = {"method": "Integrated Gradients", "steps": 4, "targets": [1]}
    smooth = eli5.explain_prediction(model, doc, n_samples=3, **options)
    alone = [
        eli5.explain_prediction(model, copy, **options).targets[0].details["score_difference"]
        for copy, _ in copies(doc, 3, 0.15, 0, augment=False)
    ]
    found = smooth.targets[0].details["score_difference"]
    assert found == pytest.approx(np.mean(alone), rel=1e-5)


@pytest.mark.filterwarnings("ignore:The heatmap of target", "ignore:The doc holds values that are")
@pytest.mark.parametrize("options", [{"n_samples": 2}, {"augment": True}])
@pytest.mark.parametrize("value", [np.inf, -np.inf, np.nan])
def test_copies_of_a_doc_that_is_not_finite_give_no_warning_of_their_own(
    options: Any, value: float
) -> None:
    doc = sample((12, 20, 3))
    doc[0, :3] = value
    doc[0, 5] = -value
    found = eli5.explain_prediction(make_classifier(), doc, targets=[1], **options)
    assert "not finite" in found.description
