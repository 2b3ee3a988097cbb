"""From a model and a text to what the engine can explain: token ids, and where they lie."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np

from eli5.checks import wrong_type, wrong_value
from eli5.keras.text.align import TokenizedText
from eli5.keras.text.subword_tokenizer import tokenize_with_preprocessor, tokenizer_of
from eli5.keras.text.text_vectorization import tokenize_with_vectorizer

_SHAPES = ((), (1,), (1, 1))


def tokenize(model: keras.Model, doc: Any) -> TokenizedText:
    """Return a text as token ids, with the model that takes them.

    Parameters
    ----------
    model : keras.Model
        Its first layer is a `TextVectorization`, or it has a `preprocessor` with a `tokenizer`, as
        the tasks of KerasHub have. Such an object of one's own is called with a list of one text
        and gives arrays of shape (1, T); its tokenizer has an `id_to_token` and gives ids of a
        text when it is called, or is one of the package tokenizers.
    doc : str or numpy.ndarray of shape (1,) or (1, 1)
        One text; bytes are UTF-8.

    Raises
    ------
    TypeError, ValueError
        If `doc` is no text, if the model does not take texts in one of these ways, or if the tokens
        of a `TextVectorization` cannot be found in the text.
    """
    text = _text_of(doc)
    if tokenizer_of(model) is not None:
        return tokenize_with_preprocessor(model, text)
    return tokenize_with_vectorizer(model, text)


def is_string(doc: Any) -> bool:
    """Tell a doc that is a text as people write it, or an array of them, from numbers."""
    if not isinstance(doc, np.ndarray):
        return isinstance(doc, str | bytes)
    is_object = doc.dtype.kind == "O" and doc.size > 0
    return doc.dtype.kind in "UST" or (
        is_object and isinstance(np.asarray(doc).flat[0], str | bytes)
    )


def _text_of(doc: Any) -> str:
    text = doc.item() if isinstance(doc, np.ndarray) and doc.shape in _SHAPES else doc
    if not isinstance(text, str | bytes):
        expected = "one text: a string, or an array of shape (1,) or (1, 1) with one"
        raise wrong_type("doc", doc, expected)
    try:
        text = text.decode() if isinstance(text, bytes) else str(text)
        text.encode()
    except UnicodeError as error:
        raise wrong_value("doc", text, "to be a text that UTF-8 can write") from error
    return text
