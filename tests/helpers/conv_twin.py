"""A small convolutional net in NumPy and float64, and the class activation maps of it."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import layers

from helpers import cam_twins as twins
from helpers.models import with_weights

Array = np.ndarray[Any, Any]

SIZE = (6, 8, 2)
N_CLASSES = 3

# Those that a gradient and the activations make; ShapleyCAM needs second derivatives.
TWINS = {
    "Grad-CAM": twins.slow_grad_cam,
    "Grad-CAM++": twins.slow_grad_cam_plus_plus,
    "HiResCAM": twins.slow_hires_cam,
    "XGrad-CAM": twins.slow_xgrad_cam,
    "LayerCAM": twins.slow_layer_cam,
    "Eigen-CAM": twins.slow_eigen_cam,
}


def conv_net() -> keras.Model:
    """Return convolution, ReLU, a flat dense layer and softmax: the gradient differs by place."""
    return with_weights(
        keras.Sequential(
            [
                keras.Input(SIZE),
                layers.Conv2D(3, 3, activation="relu", name="conv"),
                layers.Flatten(name="flat"),
                layers.Dense(N_CLASSES, activation="softmax", name="head"),
            ],
            name="conv_net",
        ),
        4,
    )


class ConvTwin:
    """The same net: what it computes for a doc, and what its gradients are."""

    def __init__(self, model: keras.Model) -> None:
        weights = [keras.ops.convert_to_numpy(one).astype("float64") for one in model.weights]
        self._kernel, self._bias, self._dense, self._dense_bias = weights

    def activations(self, doc: Array) -> Array:
        """Return the maps (H, W, C) behind the ReLU."""
        picture = np.asarray(doc, "float64")[0]
        height, width = self._kernel.shape[:2]
        rows, columns = picture.shape[0] - height + 1, picture.shape[1] - width + 1
        maps = np.zeros((rows, columns, self._kernel.shape[-1]))
        for i, j in np.ndindex(rows, columns):
            patch = picture[i : i + height, j : j + width]
            maps[i, j] = np.tensordot(patch, self._kernel, 3) + self._bias
        return np.maximum(maps, 0)

    def logits(self, maps: Array) -> Array:
        """Return the numbers before the softmax."""
        return maps.ravel() @ self._dense + self._dense_bias

    def probabilities(self, maps: Array) -> Array:
        """Return the output."""
        logits = self.logits(maps)
        powers = np.exp(logits - logits.max())
        return powers / powers.sum()

    def attribution(
        self, doc: Array, method: str, target: int, score: str = "auto", sign: int = 1
    ) -> Array:
        """Return the map of a method for a class."""
        maps = self.activations(doc)
        gradient = sign * self._dense @ self._of_logits(self.logits(maps), target, score)
        return TWINS[method](maps, gradient.reshape(maps.shape))

    def _of_logits(self, logits: Array, target: int, score: str) -> Array:
        """Return the gradient of the score with respect to the logits."""
        one_hot = np.eye(N_CLASSES)[target]
        if score == "logit":
            return one_hot
        powers = np.exp(logits - logits.max())
        if score == "output":
            probs = powers / powers.sum()
            return probs[target] * (one_hot - probs)
        others = np.where(one_hot == 1, -np.inf, logits)
        others = np.exp(others - others.max())
        return one_hot - others / others.sum()
