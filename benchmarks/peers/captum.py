"""Captum's layer Grad-CAM on a Keras model, which is a module of PyTorch's."""

from __future__ import annotations

from typing import Any

import keras
import torch
from captum.attr import LayerGradCam

from peers import Array, Calls, find_layer


def prepare(model: keras.Model, layer: str, targets: Array) -> Calls:
    """Make the explainer."""
    explainer = LayerGradCam(model, find_layer(model, layer))
    classes = torch.as_tensor(targets, dtype=torch.int64)

    def explain(docs: Array) -> Any:
        tensor = keras.ops.convert_to_tensor(docs)
        target = classes.to(tensor.device)
        found = explainer.attribute(tensor, target=target, relu_attributions=True)
        return found.detach().cpu().numpy()

    return Calls(explain, lambda docs: explain(docs)[:, 0])
