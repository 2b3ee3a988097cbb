"""The Grad-CAM of tf-keras-vis, on a copy of the model without its softmax."""

from __future__ import annotations

from typing import Any

import keras
from tf_keras_vis.gradcam import Gradcam
from tf_keras_vis.utils.model_modifiers import ReplaceToLinear
from tf_keras_vis.utils.scores import CategoricalScore

from peers import Array, Calls, find_layer


def prepare(model: keras.Model, layer: str, targets: Array) -> Calls:
    """Make the explainer."""
    explainer = Gradcam(model, model_modifier=ReplaceToLinear(), clone=True)
    score = CategoricalScore([int(target) for target in targets])

    def explain(docs: Array, **options: Any) -> Array:
        return explainer(
            score,
            docs,
            penultimate_layer=find_layer(explainer.model, layer),
            seek_penultimate_conv_layer=False,
            **options,
        )

    # By default it stretches the map over the picture, and its values over [0, 1].
    return Calls(explain, lambda docs: explain(docs, expand_cam=False, normalize_cam=False))
