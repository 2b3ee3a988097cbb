"""A text as a model takes it: token ids, and where each token lies in the text."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

import keras
from eli5.keras.text.align import Offsets


class TokenizedText(NamedTuple):
    """One text as a model takes it.

    Attributes
    ----------
    model : keras.Model
        That takes token ids: the model itself, or the part of it behind its `TextVectorization`.
    doc : numpy.ndarray, shape (1, T), or a dict of arrays
        What `model` takes: the ids, and what belongs to them.
    tokens : list of str
        T tokens as the model sees them; padding is ``''`` or the padding token.
    text : str
        The text.
    offsets : list of list of (int, int)
        The spans of each token in `text`, in characters, the end excluded. None for padding and
        for what a tokenizer puts around a text. Two tokens that share a character, as parts of an
        emoji do, both lie there.
    is_padding : numpy.ndarray of bool, shape (T,)
        Which tokens are padding.
    input : str, optional
        Which array of `doc` holds the ids, where there are several.
    mask_id : int, optional
        The id that stands for a token that is left out: the tokenizer's mask, such as ``[MASK]``,
        or else its padding.
    is_original : bool
        Whether `text` is the one that was given. It is not if the tokens could not be found in
        there; `text` is then the tokens, joined by spaces.
    """

    model: keras.Model
    doc: Any
    tokens: list[str]
    text: str
    offsets: Offsets
    is_padding: np.ndarray[Any, np.dtype[np.bool_]]
    input: str | None = None
    mask_id: int | None = None
    is_original: bool = True
