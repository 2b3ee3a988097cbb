"""``--vocabulary``: words for a model that takes token ids and has no tokenizer of its own."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np

import keras
from eli5.cli.console import UserError
from eli5.keras.inputs.model_inputs import input_shapes

__all__ = ["give_words"]

Array = np.ndarray[Any, Any]

# As what a vocabulary may name padding, and words that it does not have.
_PADDING = ("", "[PAD]", "<pad>", "<PAD>")
_UNKNOWN = ("[UNK]", "<unk>", "<UNK>", "<unknown>", "<oov>", "<OOV>", "[OOV]")


def give_words(model: keras.Model, words: list[str], path: Path, pad_value: int | None) -> None:
    """Put a tokenizer in front of a model, as the tasks of KerasHub have one.

    Parameters
    ----------
    model : keras.Model
        Is given a ``preprocessor``.
    words : list of str
        Those of the file; that of line i, from 0, has the id i.
    path : Path
        The file.
    pad_value : int, optional
        The id of padding; the first word if it is named as padding is.

    Raises
    ------
    UserError
        If the model does not take ids, of this vocabulary, or if it is not known what padding is.
    """
    length = _length(model)
    _check_words(words, path)
    _check_size(model, words, path)
    if pad_value is None and words[0] in _PADDING:
        pad_value = 0
    if pad_value is None and length is not None:
        raise UserError(
            f"Expected --pad-value, as the model takes {length} ids, and the first word of the "
            f"vocabulary is not named as padding is, such as [PAD]. Received: none, with "
            f"{words[0]!r} in the first line of --vocabulary={path}"
        )
    model.preprocessor = _Preprocessor(_Tokenizer(words, pad_value), length)


def _check_words(words: list[str], path: Path) -> None:
    """Check that each word has one id."""
    seen: set[str] = set()
    for word in words:
        if word and word in seen:
            raise UserError(
                "Expected --vocabulary to hold each word once. Received: --vocabulary="
                f"{path} with {word!r} in two lines"
            )
        seen.add(word)


def _length(model: keras.Model) -> int | None:
    """Return how many ids the model takes, or None if that is left open."""
    shapes = list((input_shapes(model) or {}).values())
    if len(shapes) != 1 or len(shapes[0]) != 2:
        raise UserError(
            "Expected a model with token ids as its one input, of shape (tokens,), for "
            f"--vocabulary. Received: model {model.name!r} with input shapes {shapes}"
        )
    length = shapes[0][1]
    return None if length is None else int(length)


def _check_size(model: keras.Model, words: list[str], path: Path) -> None:
    """Check that no word has an id that the model does not know: what it would do is not known."""
    embeddings = [one for one in model.layers if isinstance(one, keras.layers.Embedding)]
    if embeddings and len(words) > embeddings[0].input_dim:
        raise UserError(
            f"Expected --vocabulary to be that of the model, with at most "
            f"{embeddings[0].input_dim} words. Received: {len(words)} lines in --vocabulary={path}"
        )


class _Tokenizer:
    """Words by white space, in lower case, and their ids."""

    def __init__(self, words: list[str], pad_id: int | None) -> None:
        self.words = words
        self.ids = {word: k for k, word in enumerate(words)}
        self.pad_token_id = pad_id
        self.oov_token = next((word for word in _UNKNOWN if word in self.ids), None)

    def __call__(self, text: str) -> list[int]:
        unknown = None if self.oov_token is None else self.ids[self.oov_token]
        ids = [self.ids.get(word, unknown) for word in text.lower().split()]
        return [one for one in ids if one is not None]

    def id_to_token(self, number: int) -> str:
        return self.words[number] if 0 <= number < len(self.words) else "[PAD]"


class _Preprocessor:
    """Ids of as many words as the model takes, with padding after them."""

    def __init__(self, tokenizer: _Tokenizer, length: int | None) -> None:
        self.tokenizer = tokenizer
        self.length = length

    def __call__(self, texts: list[str]) -> Array:
        (text,) = texts
        ids = self.tokenizer(text)
        self._warn_of_unknown(text)
        ids = ids[: self.length]
        padding = [self.tokenizer.pad_token_id] * ((self.length or 0) - len(ids))
        return np.array([[*ids, *padding]], "int32")

    def _warn_of_unknown(self, text: str) -> None:
        known = self.tokenizer.ids
        if any(word not in known for word in text.lower().split()):
            name = self.tokenizer.oov_token
            what = "and are left out" if name is None else f"and are {name} for the model"
            warnings.warn(f"Some words are not in the vocabulary {what}.", stacklevel=2)
