"""From a model and a text to what the engine can explain: token ids, and where they lie."""

from __future__ import annotations

from typing import Any

import numpy as np

import keras
from eli5.keras.text.subwords import read_with_preprocessor, tokenizer_of
from eli5.keras.text.text_vectorization import read_with_vectorizer
from eli5.keras.text.token_offsets import Tokenized

__all__ = ["Tokenized", "is_text", "mask_id", "tokenize"]

_SHAPES = ((), (1,), (1, 1))


def is_text(doc: Any) -> bool:
    """Tell whether `doc` is one text: a string, or an array of shape (1,) or (1, 1) with one."""
    if isinstance(doc, str | bytes):
        return True
    if not isinstance(doc, np.ndarray) or doc.shape not in _SHAPES:
        return False
    return isinstance(doc.item(), str | bytes)


def tokenize(model: keras.Model, doc: Any) -> Tokenized:
    """Return a text as token ids, with the model that takes them.

    Parameters
    ----------
    model : keras.Model
        Its first layer is a `TextVectorization`, or it has a `preprocessor` with a `tokenizer`, as
        the tasks of KerasHub have. Such an object of one's own is called with a list of one text
        and gives arrays of shape (1, T); its tokenizer has an `id_to_token` and gives ids of a
        text when it is called.
    doc : str or numpy.ndarray of shape (1,) or (1, 1)
        One text; bytes are UTF-8.

    Returns
    -------
    Tokenized

    Raises
    ------
    TypeError
        If `doc` is no text.
    ValueError
        If the model does not take texts in one of these ways, or if the tokens of a
        `TextVectorization` cannot be found in the text.
    """
    text = _text_of(doc)
    if tokenizer_of(model) is not None:
        return read_with_preprocessor(model, text)._replace(mask_id=mask_id(model))
    return read_with_vectorizer(model, text)._replace(mask_id=mask_id(model))


def mask_id(model_or_tokenizer: Any) -> int | None:
    """Return the id that stands for a token that was left out, or None if there is none known.

    It is the tokenizer's mask, such as ``[MASK]``, or else its padding. A `TextVectorization` has
    padding only.
    """
    tokenizer = tokenizer_of(model_or_tokenizer) or model_or_tokenizer
    for name in ("mask_token_id", "pad_token_id"):
        found = getattr(tokenizer, name, None)
        if found is not None:
            return int(found)
    layers = [tokenizer, *getattr(tokenizer, "layers", [])]
    return 0 if any(isinstance(x, keras.layers.TextVectorization) for x in layers) else None


def _text_of(doc: Any) -> str:
    if not is_text(doc):
        shown = f"of shape {doc.shape} and type {doc.dtype}" if hasattr(doc, "dtype") else ""
        raise TypeError(
            "Expected `doc` to be one text: a string, or an array of shape (1,) or (1, 1) with "
            f"one. Received: doc of type {type(doc).__name__} {shown}".rstrip()
        )
    text = doc.item() if isinstance(doc, np.ndarray) else doc
    try:
        text = text.decode() if isinstance(text, bytes) else text
        text.encode()
    except UnicodeError as error:
        raise ValueError(
            f"Expected `doc` to be a text that UTF-8 can write. Received: doc={text!r}"
        ) from error
    return str(text)


def is_string(doc: Any) -> bool:
    """Tell a doc that is a text as people write it, or several, from numbers."""
    if not isinstance(doc, np.ndarray):
        return isinstance(doc, str | bytes)
    is_object = doc.dtype.kind == "O" and doc.size > 0
    return doc.dtype.kind in "UST" or (is_object and isinstance(doc.flat[0], str | bytes))
