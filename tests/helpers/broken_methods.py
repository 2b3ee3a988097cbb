"""Ten methods that are broken on purpose, each beside the one that it should be.

Each is a mistake that an implementation may make and that its maps do not show to the eye. Most are
functions ``(model, doc, target) -> map``, as a caller would bring them.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import keras
import numpy as np
from scipy.ndimage import sobel, uniform_filter

import eli5
from eli5.keras import METHODS
from eli5.keras.methods.method import Method
from eli5.keras.methods.probe import Attributions, Probe
from eli5.metrics.maps import input_map

Array = np.ndarray[Any, Any]
MapOf = Callable[[keras.Model, Array, int], Array]


class Broken(NamedTuple):
    """A broken method, the options of the right one, and what both claim to show."""

    map_of: MapOf | Method
    right: dict[str, Any]
    claim: str = "signed"

    @property
    def options(self) -> dict[str, Any]:
        """What `eli5.benchmark` takes of it."""
        return {"method": self.map_of, "claim": self.claim}


def layer_of(model: keras.Model) -> str:
    names = [layer.name for layer in model.layers]
    return "maps" if "maps" in names else "relu_5"


def map_of(model: keras.Model, doc: Array, target: int, method: Any, **options: Any) -> Array:
    """Return what a method of the package gives, in the input's size."""
    explained = eli5.explain_prediction(model, doc, targets=[target], method=method, **options)
    return input_map(explained.targets[0])


def gradients(model: keras.Model, doc: Array, target: int) -> Array:
    return map_of(model, doc, target, "Integrated Gradients")


def at_layer(model: keras.Model, doc: Array, target: int, method: Any = "HiResCAM") -> Array:
    return map_of(model, doc, target, method, layer=layer_of(model))


def other_sign(model: keras.Model, doc: Array, target: int) -> Array:
    return -gradients(model, doc, target)


def transposed(model: keras.Model, doc: Array, target: int) -> Array:
    return at_layer(model, doc, target).T


def shifted(model: keras.Model, doc: Array, target: int) -> Array:
    """Return a map as if the cells began one place further to the left."""
    return np.roll(at_layer(model, doc, target), 1, axis=-1)


def wrong_class(model: keras.Model, doc: Array, target: int) -> Array:
    return at_layer(model, doc, (target + 1) % model.output_shape[-1])


def wrong_layer(model: keras.Model, doc: Array, target: int) -> Array:
    """Return a map of the first layer, where it is called last."""
    first = next(
        one for one in model.layers if isinstance(one, keras.layers.Conv2D | keras.layers.Conv1D)
    )
    return map_of(model, doc, target, "Grad-CAM", layer=first.name)


def unnormalised_rise(probe: Probe, *, n_masks: int = 1000) -> Attributions:
    """Return RISE's sum over all masks, divided by their number, and not by how often one shows."""
    seen = []

    def recorded(masks: Array, hidden: Array | None) -> Array:
        scores = probe.masked_scores(masks, hidden)
        seen.append(np.tensordot(scores.astype("float64"), masks, axes=(0, 0)))
        return scores

    METHODS["RISE"].function(probe._replace(masked_scores=recorded), n_masks=n_masks)
    return Attributions((np.sum(seen, axis=0) / n_masks).astype("float32"))


def blurred(model: keras.Model, doc: Array, target: int) -> Array:
    return uniform_filter(gradients(model, doc, target), 3)


def stale_weights(model: keras.Model, doc: Array, target: int) -> Array:
    return at_layer(as_built(model), doc, target)


@functools.lru_cache(8)
def as_built(model: keras.Model) -> keras.Model:
    """Return the model before it got its weights."""
    keras.utils.set_random_seed(0)
    return keras.models.clone_model(model)


def without_relu(model: keras.Model, doc: Array, target: int) -> Array:
    def formula(activations: Any, gradients: Any) -> Any:
        axes = tuple(range(1, activations.ndim - 1))
        weights = keras.ops.mean(gradients, axis=axes, keepdims=True)
        return keras.ops.sum(weights * activations, axis=-1)

    return at_layer(model, doc, target, formula)


def edges(model: keras.Model, doc: Array, target: int) -> Array:
    values = doc[0].astype("float64").sum(axis=-1)
    return (
        np.hypot(*(sobel(values, axis) for axis in range(values.ndim)))
        if values.ndim > 1
        else abs(sobel(values))
    )


_HIRES = {"method": "HiResCAM"}
BROKEN = {
    "sign": Broken(other_sign, {"method": "Integrated Gradients"}),
    "transposed": Broken(transposed, _HIRES),
    "shifted": Broken(shifted, _HIRES),
    "wrong class": Broken(wrong_class, _HIRES),
    "wrong layer": Broken(wrong_layer, {"method": "Grad-CAM"}, "for"),
    "unnormalised mean": Broken(
        METHODS["RISE"]._replace(function=unnormalised_rise), {"method": "RISE"}
    ),
    "blurred": Broken(blurred, {"method": "Integrated Gradients"}),
    "stale weights": Broken(stale_weights, _HIRES),
    "ReLU forgotten": Broken(without_relu, {"method": "Grad-CAM"}, "for"),
    "edges": Broken(edges, {"method": "Saliency"}, "size"),
}
