"""Pick the implementation that explains an estimator, by its type."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from eli5.base import Explanation

__all__ = ["explain_prediction"]


def explain_prediction(estimator: Any, doc: Any, **kwargs: Any) -> Explanation:
    """Explain one prediction of an estimator.

    Parameters
    ----------
    estimator : keras.Model
        The model: functional, `Sequential` or subclassed.
    doc : numpy.ndarray
        One sample of the model's input, with batch size 1.
    **kwargs
        Options of the implementation: for Keras models those of
        `eli5.keras.explain_prediction.explain_prediction_keras_image`.

    Returns
    -------
    Explanation
        With ``error`` set if estimators of this type are not supported.
    """
    if _is_keras_model(estimator):
        from eli5.keras.explain_prediction import explain_prediction_keras

        return explain_prediction_keras(estimator, doc, **kwargs)
    from eli5.base import Explanation

    return Explanation(repr(estimator), error=_not_supported(estimator))


def _is_keras_model(estimator: Any) -> bool:
    """Tell without loading Keras: where there is a Keras model, Keras is loaded already."""
    keras = sys.modules.get("keras")
    return keras is not None and isinstance(estimator, keras.Model)


def _not_supported(estimator: Any) -> str:
    error = f"estimator {estimator!r} is not supported"
    if type(estimator).__module__.startswith("tf_keras"):
        error += ": it is a Keras 2 model; load it with Keras 3"
    return error
