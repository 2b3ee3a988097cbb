"""How a doc is seen: as a picture, as tokens, or as a series."""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

import numpy as np

from eli5.keras.engine import Trace
from eli5.keras.layers.candidate_layers import suitable_calls

Array = np.ndarray[Any, Any]
Kind = Literal["image", "tokens", "series"]

_NAMES: dict[Kind | None, str] = {"tokens": "text", "series": "series"}
_SAID: dict[Kind | None, str] = {
    "tokens": "`tokens`, `pad_value` and `pad_token`",
    "series": "`time` and `channel_names`",
}


class View(NamedTuple):
    """How a doc is seen.

    Attributes
    ----------
    kind : {"image", "tokens", "series"}
        Tokens are ids ``(1, T)`` or vectors ``(1, T, F)``; a series is numbers ``(1, T, F)``, or
        ``(1, T)`` if it is said to be one. The difference between vectors and a series: each number
        of a series is a place of its own.
    size : tuple of int
        ``(H, W)``, for volumes ``(D, H, W)``; ``(T,)`` of tokens and series.
    """

    kind: Kind
    size: tuple[int, ...]


def view_of(doc: Array, trace: Trace, kind: Kind | None) -> View:
    """Return how a doc is seen; where nobody says it, as what the model makes of it.

    Parameters
    ----------
    doc : numpy.ndarray
        The input that is explained, batch axis included.
    trace : Trace
        Of the model's call.
    kind : {"image", "tokens", "series"} or None

    Raises
    ------
    ValueError
        If it is said to be a text or a series, and has the shape of neither.
    """
    if doc.ndim > 3 and kind in _NAMES:
        raise ValueError(
            f"Expected the {_NAMES[kind]} that is described to have a shape of (1, T) or "
            f"(1, T, F). Received: an input of shape {doc.shape}. Say with `input` which of "
            f"several inputs is the {_NAMES[kind]}, or leave out {_SAID[kind]}."
        )
    if doc.ndim > 3 or kind == "image":
        return View("image", _size(doc, trace.channels_first))
    if kind == "tokens" or (doc.ndim == 2 and kind is None):
        steps = doc.shape[-1] if doc.ndim == 3 and trace.channels_first else doc.shape[1]
        return View("tokens", (steps,))
    if kind is None and any(len(call.shape) == 4 for call in suitable_calls(trace, doc.shape[1:])):
        return View("image", doc.shape[1:])
    return View("series", (doc.shape[-1 if trace.channels_first else 1],))


def _size(doc: Array, channels_first: bool) -> tuple[int, ...]:
    if doc.ndim == 3:
        return doc.shape[1:]
    return doc.shape[2:] if channels_first else doc.shape[1:-1]
