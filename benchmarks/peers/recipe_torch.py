"""Grad-CAM by hand on PyTorch: a backward pass through the whole model, one doc at a time."""

from __future__ import annotations

import keras
import torch

from peers import Array, Calls, find_layer, one_by_one


def prepare(model: keras.Model, layer: str, targets: Array, is_kept: bool = False) -> Calls:
    """Take the softmax off, and make the sub-model now or at each call."""
    model.layers[-1].activation = None
    kept = _sub_model(model, layer) if is_kept else None

    def explain(doc: Array) -> Array:
        sub_model = _sub_model(model, layer) if kept is None else kept
        activations, outputs = sub_model(keras.ops.convert_to_tensor(doc), training=False)
        activations.retain_grad()
        sub_model.zero_grad()
        outputs[0, outputs[0].argmax()].backward()
        weights = activations.grad.mean((1, 2))
        heatmap = torch.relu(torch.einsum("bhwc,bc->bhw", activations, weights))[0]
        return (heatmap / heatmap.max()).detach().cpu().numpy()

    return one_by_one(explain)


def _sub_model(model: keras.Model, layer: str) -> keras.Model:
    return keras.Model(model.inputs, [find_layer(model, layer).output, model.output])
