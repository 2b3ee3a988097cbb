"""Explain and show in one call, as one does in a notebook."""

from __future__ import annotations

import functools
import warnings
from typing import TYPE_CHECKING, Any

from eli5.base import missing_picture_libraries
from eli5.explain import explain_prediction
from eli5.formatters.overlay.drawable import has_canvas
from eli5.formatters.texts.weighted_text import has_texts
from eli5.tracebacks import ShortErrors

if TYPE_CHECKING:
    from PIL.Image import Image

    from eli5.base import Explanation, Explanations

# Written down, because the signature cannot be read where Pillow is missing; a test compares them.
_FORMAT_OPTIONS = ("resampling_filter", "colormap", "alpha_limit", "percentile", "signed")


def show_prediction(estimator: Any, doc: Any, **kwargs: Any) -> Image | Explanation | Explanations:
    """Explain a prediction and show the explanation.

    Parameters
    ----------
    estimator : keras.Model
        See `eli5.explain_prediction`.
    doc : numpy.ndarray
        See `eli5.explain_prediction`.
    **kwargs
        The options of `eli5.format_as_image` and those of `eli5.explain_prediction`, in any order.

    Returns
    -------
    PIL.Image.Image or Explanation
        What `eli5.format_as_image` makes of the explanation, or of all that ``methods=`` gives; in
        a notebook it shows as the explanation does, with its slider, its classes and a legend, in
        the look that the options ask for. The explanation itself, or all of them, if it is one of a
        text, if there is an error, or neither an image nor a series, or if Pillow
        or matplotlib is missing.

    Warns
    -----
    UserWarning
        If Pillow or matplotlib is missing; the warning names them.
    """
    format_options = {name: kwargs.pop(name) for name in _FORMAT_OPTIONS if name in kwargs}
    with ShortErrors():
        expl = explain_prediction(estimator, doc, **kwargs)
    explanations = expl if isinstance(expl, list) else [expl]
    if any(one.error or has_texts(one) for one in explanations):
        return expl
    if missing := missing_picture_libraries():
        warnings.warn(
            f"No picture can be drawn, because of missing dependencies: {', '.join(missing)}. "
            "Install them with pip. The Explanation is returned instead.",
            UserWarning,
            stacklevel=2,
        )
        return expl
    if not all(map(has_canvas, explanations)):
        return expl

    from eli5.formatters.image import format_as_image
    from eli5.formatters.notebook import mimebundle

    picture = format_as_image(expl, **format_options)
    # Notebooks ask the object itself, and take this before the picture's own forms.
    shown = functools.partial(mimebundle, explanations, **format_options)
    vars(picture)["_repr_mimebundle_"] = shown
    return picture
