"""Grad-CAM by hand on TensorFlow, as Keras's own example does it: eager, one doc at a time."""

from __future__ import annotations

import keras
import numpy as np
import tensorflow as tf

from peers import Array, Calls, find_layer, one_by_one


def prepare(model: keras.Model, layer: str, targets: Array, is_kept: bool = False) -> Calls:
    """Take the softmax off, and make the sub-model now or at each call."""
    model.layers[-1].activation = None
    kept = _sub_model(model, layer) if is_kept else None

    def explain(doc: Array) -> Array:
        sub_model = _sub_model(model, layer) if kept is None else kept
        with tf.GradientTape() as tape:
            activations, outputs = sub_model(doc)
            score = outputs[:, tf.argmax(outputs[0])]
        weights = tf.reduce_mean(tape.gradient(score, activations), axis=(1, 2))
        heatmap = tf.nn.relu(tf.einsum("bhwc,bc->bhw", activations, weights))[0]
        return np.asarray(heatmap / tf.reduce_max(heatmap))

    return one_by_one(explain)


def _sub_model(model: keras.Model, layer: str) -> keras.Model:
    return keras.Model(model.inputs, [find_layer(model, layer).output, model.output])
