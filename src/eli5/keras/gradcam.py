"""The documented Grad-CAM functions: the map from its terms, and the terms from a model."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np

from eli5.checks import expect_array
from eli5.keras import engine
from eli5.keras.inputs.sample import DocOptions, read_sample
from eli5.keras.methods import cam
from eli5.keras.methods.normalize import normalize
from eli5.keras.pipeline.make_plan import make_plan
from eli5.keras.pipeline.request import make_request
from eli5.keras.targets.classes import check_targets

__all__ = ["gradcam", "gradcam_backend"]

Array = np.ndarray[Any, Any]


def gradcam(weights: Array, activations: Array) -> Array:
    """Return the Grad-CAM localisation map, arXiv:1610.02391, equation 2.

    Parameters
    ----------
    weights : numpy.ndarray, shape (C,)
        One weight per map.
    activations : numpy.ndarray, shape (H, W, C)
        The maps.

    Returns
    -------
    numpy.ndarray, shape (H, W), float32
        ``ReLU(sum_k w_k A_k)`` divided by its maximum: in [0, 1]; a map of zeros stays so.

    Raises
    ------
    TypeError
        If they hold something else than numbers.
    ValueError
        If the ranks are not 1 and 3, if the numbers of maps differ, or if a value is not finite or
        masked.
    """
    weights = expect_array("weights", _as_array(weights))
    activations = expect_array("activations", _as_array(activations))
    if weights.ndim != 1 or activations.ndim != 3 or weights.shape[0] != activations.shape[2]:
        raise ValueError(
            "Expected `weights` of shape (C,) and `activations` of shape (H, W, C). "
            f"Received: weights.shape={weights.shape}, activations.shape={activations.shape}"
        )
    if not (np.isfinite(weights).all() and np.isfinite(activations).all()):
        raise ValueError(
            "Expected finite `weights` and `activations`. Received: NaN or infinite values. "
            "Check the model's weights and its input."
        )
    # The map has no scale of its own, so that none of it need over- or underflow.
    scaled = (x / (np.abs(x).max(initial=0) or 1) for x in (weights, activations))
    tensors = (keras.ops.convert_to_tensor(x[None], "float32") for x in scaled)
    return normalize(keras.ops.convert_to_numpy(cam.weighted_sum(*tensors))[0], 2)


def _as_array(values: Any) -> Any:
    """Return an array with its mask, if it has one; what is none is refused later."""
    if isinstance(values, np.ndarray):
        return values
    try:
        return np.asarray(values)
    except (TypeError, ValueError):  # of lists that differ in length
        return values


@engine.in_the_open
def gradcam_backend(
    model: keras.Model,
    doc: Array,
    targets: list[int] | None,
    activation_layer: Any,
    *,
    score: Any = "output",
) -> tuple[Array, Array, Array, int, float]:
    """Return the terms of the Grad-CAM formula, and by-products.

    Parameters
    ----------
    model : keras.Model
        A classifier.
    doc : numpy.ndarray
        One sample of the model's input, batch axis included.
    targets : list of one int, or None
        See `eli5.explain_prediction`.
    activation_layer : keras.layers.Layer, str, int or None
        The target layer.
    score : {"output", "log-odds", "logit", "auto"} or callable
        Which number is differentiated; see `eli5.explain_prediction`, where another one is the
        default. ``"output"`` is the model's output node as it is.

    Returns
    -------
    weights : numpy.ndarray, shape (C,), float32
        The mean gradient of each map.
    activations : numpy.ndarray, shape (H, W, C), float32
        The layer's output.
    gradients : numpy.ndarray, shape (H, W, C), float32
        Of the score with respect to the activations; raw.
    predicted_idx : int
        The class that is explained: the target, or the top prediction.
    predicted_val : float
        The model's own output for it.

    Raises
    ------
    TypeError, ValueError
        See `eli5.explain_prediction`.
    """
    check_targets(targets)
    request = make_request(targets=targets, layer=activation_layer, score=score)
    with engine.steady():
        plan = make_plan(request, [read_sample(model, doc, DocOptions(targets=targets))])
        select = request.target.select(plan.output, plan.head, plan.kinds, reported=plan.kinds)
        query = engine.Query(request.target.score, select, plan.sites, (_terms,))
        (terms,), report = engine.evaluate(model, plan.inputs, plan.targets, query)
    weights, activations, gradients = (term[0] for term in terms)
    return (
        weights,
        activations,
        gradients,
        int(report["targets"][0, 0]),
        float(report["outputs"][0, 0]),
    )


def _terms(activations: Any, gradients: list[Any], _: Any) -> tuple[Any, Any, Any]:
    return cam.mean_gradients(gradients[0]), activations, gradients[0]
