"""Pick the implementation that explains an estimator, by its type."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from typing import Any

__all__ = ["explain_prediction", "explain_predictions"]


def explain_prediction(estimator: Any, doc: Any, **kwargs: Any) -> Any:
    """Explain one prediction of an estimator.

    Parameters
    ----------
    estimator : keras.Model
        The model: functional, `Sequential` or subclassed.
    doc : numpy.ndarray
        One sample of the model's input, with batch size 1: a picture, token ids, a series; or a
        string, for a model that takes strings.
    **kwargs
        Options of the implementation: for Keras models those of
        `eli5.keras.explain_prediction.explain_prediction_keras_image`, of texts and series also
        those of ``explain_prediction_keras_text`` and ``explain_prediction_keras_series`` there.

    Returns
    -------
    Explanation, or a list of them if ``methods=`` is given
        With ``error`` set if estimators of this type are not supported.
    """
    if _is_keras_model(estimator):
        from eli5.keras.explain_prediction import explain_prediction_keras

        return explain_prediction_keras(estimator, doc, **kwargs)
    from eli5.base import Explanation

    return Explanation(repr(estimator), error=_not_supported(estimator))


def explain_predictions(
    model: Any,
    docs: Any,
    *,
    targets: Iterable[Any] | None = None,
    images: Iterable[Any] | None = None,
    tokens: Iterable[Any] | None = None,
    batch_size: int = 32,
    progress: bool = False,
    **options: Any,
) -> Iterator[Any]:
    """Explain many predictions, batch by batch.

    Parameters
    ----------
    model : keras.Model
    docs : Any
        An array ``(N, ...)``, any iterable of docs, a `keras.utils.PyDataset`, a
        ``tf.data.Dataset`` or a torch ``DataLoader`` (labels are left aside); for a model with
        several inputs also a list or dict of arrays ``(N, ...)``.
    targets : iterable, optional
        Per doc a class id or a list of them; the top prediction of each if not given.
    images : iterable of PIL.Image.Image, optional
        Per doc the picture to lay the heatmap over; made from the doc if not given.
    tokens : iterable of lists of str, optional
        Per doc that is a text its tokens; see
        `eli5.keras.explain_prediction.explain_prediction_keras_text`. Strings themselves, as a list
        or an array, need none.
    batch_size : int
        How many docs, or perturbed inputs, the model sees at once. A smaller last batch is filled
        up and compiles nothing anew.
    progress : bool
        Whether a bar is shown on standard error.
    **options
        ``method``, ``methods``, ``layer``, ``score`` and all else of
        `eli5.keras.explain_prediction.explain_prediction_keras_image`.

    Yields
    ------
    Explanation, or a list of them if ``methods=`` is given
        One per doc, in order. At most one batch is in memory.

    Raises
    ------
    TypeError, ValueError
        See `eli5.keras.explain_prediction.explain_prediction_keras_image`. Options are checked at
        once, docs as they come; a note on the error tells which doc it is about.
    """
    if not _is_keras_model(model):
        raise TypeError(
            f"Expected `model` to be a Keras 3 model. Received: {_not_supported(model)}"
        )
    from eli5.keras.explain_predictions import explain_predictions_keras

    return explain_predictions_keras(
        model,
        docs,
        targets=targets,
        images=images,
        tokens=tokens,
        batch_size=batch_size,
        progress=progress,
        **options,
    )


def _is_keras_model(estimator: Any) -> bool:
    """Tell without loading Keras: where there is a Keras model, Keras is loaded already."""
    keras = sys.modules.get("keras")
    return keras is not None and isinstance(estimator, keras.Model)


def _not_supported(estimator: Any) -> str:
    error = f"estimator {estimator!r} is not supported"
    if type(estimator).__module__.startswith("tf_keras"):
        error += ": it is a Keras 2 model; load it with Keras 3"
    return error
