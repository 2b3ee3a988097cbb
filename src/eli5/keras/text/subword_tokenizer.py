"""Texts for models with a preprocessor and its tokenizer, as the tasks of KerasHub have."""

from __future__ import annotations

import functools
import itertools
from typing import Any

import keras
import numpy as np

from eli5.keras.text.align import Offsets, TokenizedText, align_folded, candidate_offsets

Array = np.ndarray[Any, Any]

# Names of the arrays that preprocessors give, the most usual first.
_IDS = ("token_ids", "input_ids")
_MASKS = ("padding_mask", "attention_mask")
_SPECIAL = ("start", "end", "cls", "sep", "bos", "eos", "pad", "mask")

_ADVICE = "Give the token ids as `doc` and their texts as `tokens`."


def tokenizer_of(model: Any) -> Any:
    """Return the tokenizer of the model's preprocessor, or None."""
    preprocessor = getattr(model, "preprocessor", None)
    tokenizer = getattr(preprocessor, "tokenizer", None)
    return tokenizer if callable(preprocessor) and hasattr(tokenizer, "id_to_token") else None


def tokenize_with_preprocessor(model: Any, text: str) -> TokenizedText:
    """Return `text` as the model takes it behind its preprocessor."""
    tokenizer = tokenizer_of(model)
    doc = _arrays(_preprocess(model.preprocessor, text))
    name = _name_of_ids(doc)
    ids = (doc if name is None else doc[name])[0].tolist()
    special, is_padding = _special_ids(tokenizer, *_SPECIAL), _is_padding(tokenizer, doc, ids)
    of_text = [not pad and i not in special for i, pad in zip(ids, is_padding, strict=True)]
    shown = list(itertools.compress(ids, of_text))
    own, offsets = _encode(tokenizer, text)
    own = shown if own is None else own
    tokens, own_tokens = _tokens(tokenizer, ids), _tokens(tokenizer, own)
    of_bytes = _align_bytes(text, own_tokens)
    offsets = of_bytes or offsets or _align(tokenizer, text, own_tokens)
    rows = [(i, spans) for i, spans in zip(own, offsets or (), strict=False) if i not in special]
    # The preprocessor may cut off the end of a text, and put special ids around it.
    is_original = offsets is not None and [i for i, _ in rows[: len(shown)]] == shown
    if is_original:
        rest = iter(rows)
        offsets = [next(rest)[1] if one else [] for one in of_text]
        tokens = [_decode(token) for token in tokens] if of_bytes else tokens
    else:
        text, offsets = _joined(tokens, of_text)
    mask_id = next(iter(_special_ids(tokenizer, "mask", "pad")), None)
    return TokenizedText(model, doc, tokens, text, offsets, is_padding, name, mask_id, is_original)


def _preprocess(preprocessor: Any, text: str) -> Any:
    """Return a text as the model reads it.

    Of a causal language model's preprocessor that is what it goes on from: called, it makes labels
    for training, and ends the text.
    """
    go_on_from = getattr(preprocessor, "generate_preprocess", None)
    return go_on_from([text]) if callable(go_on_from) else preprocessor([text])


def _arrays(doc: Any) -> Any:
    arrays: Any = {k: _array(v) for k, v in doc.items()} if isinstance(doc, dict) else _array(doc)
    for array in arrays.values() if isinstance(doc, dict) else [arrays]:
        if array.ndim < 2 or len(array) != 1 or array.dtype.kind not in "biuf":
            raise ValueError(
                "Expected the model's preprocessor to give numbers with a batch of 1 for a list of "
                f"one text. Received: shape {array.shape}, {array.dtype}. {_ADVICE}"
            )
    return arrays


def _array(value: Any) -> Array:
    # A tensor may be on a device, where NumPy does not reach it.
    return keras.ops.convert_to_numpy(value) if keras.ops.is_tensor(value) else np.asarray(value)


def _name_of_ids(doc: Any) -> str | None:
    if not isinstance(doc, dict):
        return None
    known = [name for name in _IDS if name in doc]
    of_integers = [k for k, v in doc.items() if v.ndim == 2 and v.dtype.kind in "iu"]
    if not known and len(of_integers) != 1:
        raise ValueError(
            "Expected the model's preprocessor to give one array of integers, or the token ids as "
            f"'token_ids'. Received: {list(doc)}. {_ADVICE}"
        )
    return (known or of_integers)[0]


def _special_ids(tokenizer: Any, *names: str) -> list[int]:
    ids = [getattr(tokenizer, f"{name}_token_id", None) for name in names]
    return [int(i) for i in ids if i is not None]


def _is_padding(tokenizer: Any, doc: Any, ids: list[int]) -> Array:
    masks = [doc[name] for name in _MASKS if isinstance(doc, dict) and name in doc]
    if masks:
        return ~masks[0][0].astype(bool)
    return np.isin(ids, _special_ids(tokenizer, "pad"))


def _encode(tokenizer: Any, text: str) -> tuple[list[int] | None, Offsets | None]:
    """Return the ids of the text alone, and their offsets, as far as the tokenizer gives them."""
    encoded: Any = tokenizer.encode(text) if hasattr(tokenizer, "encode") else None
    if hasattr(encoded, "offsets"):  # as the package tokenizers has it
        return encoded.ids, [[(i, k)] if i < k else [] for i, k in encoded.offsets]
    ids = _array(tokenizer(text)) if callable(tokenizer) else None
    if ids is None or (ids.size and ids.dtype.kind not in "iu"):
        return None, None
    return ids.ravel().tolist(), None


def _tokens(tokenizer: Any, ids: list[int]) -> list[str]:
    names = {i: str(tokenizer.id_to_token(i)) for i in set(ids)}
    return [names[i] for i in ids]


def _align(tokenizer: Any, text: str, tokens: list[str]) -> Offsets | None:
    @functools.cache
    def cut(part: str) -> list[str]:
        return _tokens(tokenizer, _encode(tokenizer, part)[0] or [])

    return next(candidate_offsets(text, tokens, lambda parts: list(map(cut, parts))), None)


# Byte-level pieces, as those of GPT-2, write each byte as a character. A visible one of Latin-1
# stands for itself; the others are numbered from 256 on.
_HIDDEN = [*range(33), *range(127, 161), 173]
_BYTES = {256 + number: byte for number, byte in enumerate(_HIDDEN)}


def _align_bytes(text: str, tokens: list[str]) -> Offsets | None:
    """Return the spans of byte-level pieces, or None if they are not the text but for spaces."""
    pieces = [token.translate(_BYTES).replace(" ", "") for token in tokens]
    part = 0, len(text)
    return align_folded(text, part, pieces, lambda x: x.strip(" ").encode().decode("latin-1"))


def _decode(token: str) -> str:
    characters = token.translate(_BYTES)
    if max(characters, default="") > "\xff":
        return token
    return characters.encode("latin-1").decode(errors="backslashreplace")


def _joined(tokens: list[str], of_text: list[bool]) -> tuple[str, Offsets]:
    """Return the tokens as a text of their own, and where they lie in it."""
    text, offsets = "", Offsets()
    for token, is_shown in zip(tokens, of_text, strict=True):
        start = len(text) + bool(text)
        text += f"{' ' if text else ''}{token}" if is_shown else ""
        offsets.append([(start, len(text))] if is_shown else [])
    return text, offsets
