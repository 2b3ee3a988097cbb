"""``--vocabulary``: words for a model that takes token ids and has no tokenizer of its own."""

from __future__ import annotations

import warnings
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from eli5.cli.console import UserError, wrong_argument
from eli5.loading.files import read_lines

if TYPE_CHECKING:
    import keras

# As what a vocabulary may name padding, and words that it does not have.
_PADDING = ("", "[PAD]", "<pad>", "<PAD>")
_UNKNOWN = ("[UNK]", "<unk>", "<UNK>", "<unknown>", "<oov>", "<OOV>", "[OOV]")


class Vocabulary(NamedTuple):
    """What ``--vocabulary`` names: its file, its words, and the id of padding if that is given."""

    path: Path
    words: list[str]
    pad_value: int | None


def read_vocabulary(path: Path | None, pad_value: int | None) -> Vocabulary | None:
    """Read the file of words, one per line, if there is one; UserError if something is wrong."""
    if path is None:
        if pad_value is None:
            return None
        raise UserError(
            "Expected --pad-value only with --vocabulary; a model that takes texts knows its own "
            f"padding. Received: --pad-value={pad_value}"
        )
    words = [word.strip() for word in read_lines(path, "vocabulary", "word")]
    if not any(words):
        expected = "a text file with one word per line"
        raise wrong_argument("--vocabulary", path, expected, ", which is empty")
    twice = [word for word, n in Counter(filter(None, words)).items() if n > 1]
    if twice:
        raise UserError(
            "Expected --vocabulary to hold each word once. Received: --vocabulary="
            f"{path} with {twice[0]!r} in several lines"
        )
    return Vocabulary(path, words, pad_value)


def put_before(model: keras.Model, vocabulary: Vocabulary) -> None:
    """Give a model a ``preprocessor``, as the tasks of KerasHub have one.

    The word of line i, from 0, has the id i; the first is padding if it is named as that is.
    UserError if the model does not take ids, of this vocabulary, or if padding is not known.
    """
    path, words, pad_value = vocabulary
    length = _check_model(model, vocabulary)
    if pad_value is None and words[0] in _PADDING:
        pad_value = 0
    if pad_value is None and length is not None:
        raise UserError(
            f"Expected --pad-value, as the model takes {length} ids, and the first word of the "
            f"vocabulary is not named as padding is, such as [PAD]. Received: none, with "
            f"{words[0]!r} in the first line of --vocabulary={path}"
        )
    model.preprocessor = _Preprocessor(_Tokenizer(words, pad_value), length)


def _check_model(model: keras.Model, vocabulary: Vocabulary) -> int | None:
    """Return how many ids the model takes, or None if that is left open."""
    from eli5.keras.inputs.model_inputs import input_shapes
    from keras.layers import Embedding

    shapes = list((input_shapes(model) or {}).values())
    if len(shapes) != 1 or len(shapes[0]) != 2:
        raise UserError(
            "Expected a model with token ids as its one input, of shape (tokens,), for "
            f"--vocabulary. Received: model {model.name!r} with input shapes {shapes}"
        )
    # What a model does with an id that it does not know depends on the backend.
    sizes = [layer.input_dim for layer in model.layers if isinstance(layer, Embedding)]
    n_words = len(vocabulary.words)
    if sizes and n_words > sizes[0]:
        raise UserError(
            f"Expected --vocabulary to be that of the model, with at most {sizes[0]} words. "
            f"Received: {n_words} lines in --vocabulary={vocabulary.path}"
        )
    return shapes[0][1]


class _Tokenizer:
    """Words by white space, in lower case, and their ids."""

    def __init__(self, words: list[str], pad_id: int | None) -> None:
        self.words = words
        self.ids = {word: k for k, word in enumerate(words)}
        self.pad_token_id = pad_id
        self.oov_token = next((word for word in _UNKNOWN if word in self.ids), None)

    def __call__(self, text: str) -> list[int]:
        unknown = self.ids.get(self.oov_token or "[UNK]")
        ids = [self.ids.get(word, unknown) for word in text.lower().split()]
        return [one for one in ids if one is not None]

    def id_to_token(self, number: int) -> str:
        return self.words[number] if 0 <= number < len(self.words) else "[PAD]"


class _Preprocessor:
    """Ids of as many words as the model takes, with padding after them."""

    def __init__(self, tokenizer: _Tokenizer, length: int | None) -> None:
        self.tokenizer = tokenizer
        self.length = length

    def __call__(self, texts: list[str]) -> Any:
        import numpy as np

        if any(word not in self.tokenizer.ids for word in texts[0].lower().split()):
            name = self.tokenizer.oov_token
            what = f"and are {name} for the model" if name else "and are left out"
            warnings.warn(f"Some words are not in the vocabulary {what}.", stacklevel=2)
        ids = self.tokenizer(texts[0])[: self.length]
        padding = [self.tokenizer.pad_token_id] * ((self.length or 0) - len(ids))
        return np.array([[*ids, *padding]], "int32")
