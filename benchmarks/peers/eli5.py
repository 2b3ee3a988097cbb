"""The package that is called eli5 on the package index; it has the name of this one's, too."""

from __future__ import annotations

import keras

from eli5.keras.explain_prediction import explain_prediction_keras
from peers import Array, Calls, find_layer, one_by_one


def prepare(model: keras.Model, layer: str, targets: Array) -> Calls:
    """Return the one call."""

    def explain(doc: Array) -> Array:
        found = explain_prediction_keras(model, doc, layer=find_layer(model, layer))
        return found.targets[0].heatmap

    return one_by_one(explain)
