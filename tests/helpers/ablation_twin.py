"""Ablation-CAM by running the whole model once for each map."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np

from helpers.models import sample

Array = np.ndarray[Any, Any]


def output_of(model: keras.Model, layer: str) -> Array:
    part = keras.Model(model.inputs, model.get_layer(layer).output)
    return part.predict(sample_of(model), verbose=0)[0].astype("float64")


def sample_of(model: keras.Model) -> Array:
    return sample(model.input_shape[1:], seed=2)


def brute_force(model: keras.Model, layer: str, n_before: int = 0) -> Array:
    """Run the whole model once for each map that is set to zero, in a copy cut at `layer`.

    The maps of all classes, shape (classes, *grid).
    """
    output = model.get_layer(layer).output
    cut = keras.Model([model.inputs[0], output], model.layers[-1].input)
    kernel, bias = model.layers[-1].get_weights()
    doc, maps = sample_of(model), output_of(model, layer)

    def scores(maps: Array) -> Array:
        inputs = [doc, maps[None].astype("float32")]
        return cut.predict(inputs, verbose=0)[0].astype("float64") @ kernel + bias

    whole, places = scores(maps), maps[n_before:]
    result = np.zeros((len(whole), *places.shape[:-1]))
    for k in range(maps.shape[-1]):
        ablated = maps.copy()
        ablated[n_before:, ..., k] = 0
        result += np.multiply.outer((whole - scores(ablated)) / abs(whole), places[..., k])
    return np.maximum(result, 0)
