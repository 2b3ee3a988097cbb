"""Small detectors of fixed weights, and synthetic candidates."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import layers, ops

from helpers.models import with_weights

Array = np.ndarray[Any, Any]
SIZE = (32, 48)
GRID = (8, 12)
N_CLASSES = 3


def cells_to_boxes(cells: Any) -> Any:
    """Return boxes ``xyxy`` in pixels of a grid's numbers (B, h, w, 4)."""
    _, height, width, _ = cells.shape
    stride = SIZE[0] / height
    rows, columns = np.mgrid[:height, :width].astype("float32") * stride + stride / 2
    centre_x = stride * ops.tanh(cells[..., 0]) + columns[None]
    centre_y = stride * ops.tanh(cells[..., 1]) + rows[None]
    half_w, half_h = (stride * ops.exp(ops.tanh(cells[..., k])) for k in (2, 3))
    corners = [centre_x - half_w, centre_y - half_h, centre_x + half_w, centre_y + half_h]
    return ops.reshape(ops.stack(corners, axis=-1), (-1, height * width, 4))


def make_detector(*, activation: str | None = None, as_dict: bool = True) -> keras.Model:
    """Return a detector with two levels, and boxes and scores in a dict or a list."""
    inputs = keras.Input((*SIZE, 3))
    x = layers.Conv2D(6, 3, 2, padding="same", activation="relu", name="stem")(inputs)
    fine = layers.Conv2D(8, 3, 2, padding="same", activation="relu", name="fine")(x)
    coarse = layers.Conv2D(8, 3, 2, padding="same", activation="relu", name="coarse")(fine)
    towers = layers.Conv2D(8, 3, padding="same", activation="relu", name="tower")
    box_head, class_head = layers.Conv2D(4, 1, name="to_box"), layers.Conv2D(3, 1, name="to_class")
    boxes, scores = [], []
    for level in (fine, coarse):
        tower = towers(level)
        boxes.append(cells_to_boxes(box_head(tower)))
        flat = layers.Reshape((-1, N_CLASSES), name=f"flat_{level.shape[1]}")
        scores.append(flat(class_head(tower)))
    all_boxes = layers.Concatenate(axis=1, name="boxes")(boxes)
    all_scores = layers.Concatenate(axis=1, name="scores")(scores)
    if activation is not None:
        all_scores = layers.Activation(activation, name="probabilities")(all_scores)
    outputs = {"boxes": all_boxes, "scores": all_scores} if as_dict else [all_boxes, all_scores]
    model = with_weights(keras.Model(inputs, outputs), seed=5)
    kernel, bias = model.get_layer("to_class").get_weights()
    model.get_layer("to_class").set_weights([6 * kernel, bias])
    return model
