"""The Grad-CAM of Xplique."""

from __future__ import annotations

import keras
import numpy as np
from xplique.attributions import GradCAM

from peers import Array, Calls, name_of


def prepare(model: keras.Model, layer: str, targets: Array) -> Calls:
    """Make the explainer."""
    explainer = GradCAM(model, batch_size=len(targets), conv_layer=name_of(layer))
    one_hot = np.eye(model.output_shape[-1], dtype="float32")[targets]

    def explain(docs: Array) -> Array:
        return np.asarray(explainer(docs, one_hot))

    return Calls(explain, lambda docs: explain(docs)[..., 0], interpolation="bicubic")
