"""Raw strings as docs: what is explained are the tokens that the model makes of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import keras
from eli5.keras.inputs.text import Words
from eli5.keras.targets.classes import is_integer
from eli5.keras.text.tokenize import is_string, tokenize


def as_ids(
    model: keras.Model, doc: Any, words: Words, options: Mapping[str, Any]
) -> tuple[keras.Model, Any, Words, dict[str, Any]]:
    """Return model, doc, words and options for token ids; what is no string comes back as it is.

    Parameters
    ----------
    model : keras.Model
    doc : str or numpy.ndarray, or a list or dict of them
    words : Words
        What the caller says; of a string nothing is needed.
    options : mapping
        As `eli5.keras.pipeline.request.make_request` takes them.

    Raises
    ------
    TypeError
        If `doc` is an array of strings that is not one text.
    ValueError
        If the caller gives tokens or padding for a string, or if it cannot be cut into tokens.
    """
    if not is_string(doc):
        return model, doc, words, dict(options)
    if words != Words():
        raise ValueError(
            "Expected neither `tokens` nor padding for a string, which the model itself cuts into "
            f"tokens. Received: doc={doc!r} with them. Give the token ids as `doc`."
        )
    found = tokenize(model, doc)
    own: dict[str, Any] = {"mask_id": found.mask_id, "input": found.input}
    if is_integer(options.get("layer")) and found.model is not model:
        own["layer"] = model.layers[options["layer"]]  # the part has other indices
    said = Words(found.tokens, None, None, found.text, found.offsets, found.is_padding)
    return found.model, found.doc, said, {**options, **own}
