"""Docs for `eli5.explain_predictions`, and what its results are compared with."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest

import eli5
from helpers.models import ROUNDING

Array = np.ndarray[Any, Any]
SIZE = (12, 20, 3)


def pictures(n: int, seed: int = 0) -> Array:
    return np.random.default_rng(seed).uniform(-1, 1, (n, *SIZE)).astype("float32")


def assert_same(found: Any, expected: Any) -> None:
    """Check that two results agree in all that they say, and in numbers to 1e-6."""
    if isinstance(expected, list):
        for one, other in zip(found, expected, strict=True):
            assert_same(one, other)
        return
    for name in ("estimator", "description", "error", "method", "is_regression", "layer"):
        assert getattr(found, name) == getattr(expected, name)
    np.testing.assert_array_equal(np.asarray(found.image), np.asarray(expected.image))
    for one, other in zip(found.targets, expected.targets, strict=True):
        assert (one.target, one.class_name) == (other.target, other.class_name)
        assert one.score == pytest.approx(other.score, abs=1e-6)
        assert one.proba == pytest.approx(other.proba, abs=1e-6)
        assert one.attribution.shape == other.attribution.shape
        np.testing.assert_allclose(
            one.attribution, other.attribution, rtol=1e-6, atol=1e-6 * ROUNDING
        )
        np.testing.assert_allclose(one.heatmap, other.heatmap, atol=1e-5 * ROUNDING)
        assert (one.details or {}) == pytest.approx(other.details or {}, rel=1e-4, abs=1e-6)


def one_by_one(model: keras.Model, docs: Array, **options: Any) -> list[Any]:
    return [eli5.explain_prediction(model, doc[None], **options) for doc in docs]
