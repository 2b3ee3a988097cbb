"""Grad-CAM of this package, of the score that its paper explains."""

from __future__ import annotations

import functools
from typing import Any

import keras
import numpy as np

import eli5
from peers import Array, Calls


def prepare(model: keras.Model, layer: str, targets: Array) -> Calls:
    """Return the one call; it finds layer and class itself."""
    return Calls(functools.partial(_explain, model), lambda docs: reference(model, docs, targets))


def reference(model: keras.Model, docs: Array, targets: Array, **options: Any) -> Array:
    """Return the heatmaps."""
    found = _explain(model, docs, targets=targets, **options)
    return np.stack([explanation.targets[0].heatmap for explanation in found])


def _explain(model: keras.Model, docs: Array, **options: Any) -> list[Any]:
    options = {"score": "logit"} | options
    return list(eli5.explain_predictions(model, docs, batch_size=len(docs), **options))
