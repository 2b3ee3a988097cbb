"""The Grad-CAM of tf-explain: one class for a whole batch, and by default guided gradients."""

from __future__ import annotations

import keras
import numpy as np
import tensorflow as tf
from tf_explain.core.grad_cam import GradCAM

from peers import Array, Calls, name_of


def prepare(model: keras.Model, layer: str, targets: Array) -> Calls:
    """Make the explainer."""
    explainer, name, target = GradCAM(), name_of(layer), int(targets[0])

    def maps(docs: Array) -> Array:
        """Return what `explain` colours; see there."""
        found = explainer.get_gradients_and_filters(model, docs, name, target, True)
        cams = explainer.generate_ponderated_output(*found)
        return np.asarray(tf.nn.relu(tf.stack(cams)))

    def explain(docs: Array) -> Array:
        return explainer.explain((docs, None), model, class_index=target, layer_name=name)

    return Calls(explain, maps)
