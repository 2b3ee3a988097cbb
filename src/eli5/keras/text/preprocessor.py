"""Texts for models with a preprocessor and its tokenizer, as the tasks of KerasHub have."""

from __future__ import annotations

import functools
import itertools
from typing import Any

import numpy as np

import keras
from eli5.keras.text.align import Offsets, Span, candidate_offsets
from eli5.keras.text.tokenized_text import TokenizedText

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
    """Return `text` as the model takes it behind its preprocessor.

    Raises
    ------
    ValueError
        If the preprocessor does not give token ids for one text.
    """
    tokenizer = tokenizer_of(model)
    doc = _arrays(model.preprocessor([text]))
    name = _name_of_ids(doc)
    ids = (doc if name is None else doc[name])[0].tolist()
    special, is_padding = _special_ids(tokenizer), _is_padding(tokenizer, doc, ids)
    of_text = [not pad and i not in special for i, pad in zip(ids, is_padding, strict=True)]
    own, offsets = _encode(tokenizer, text)
    own = list(itertools.compress(ids, of_text)) if own is None else own
    tokens, own_tokens = _tokens(tokenizer, ids), _tokens(tokenizer, own)
    of_bytes = _byte_offsets(text, own_tokens)
    offsets = of_bytes or offsets or _aligned(tokenizer, text, own_tokens)
    start, end = _find_run(ids, own)
    # Where ids are cut off, the rest must be what the preprocessor puts around each text.
    is_certain = end - start == len(own) or {*ids[:start], *ids[end:]} <= special
    is_original = offsets is not None and is_certain
    if offsets is not None and is_certain:
        offsets = [[]] * start + offsets[: end - start] + [[]] * (len(ids) - end)
        tokens = [_decoded(token) for token in tokens] if of_bytes else tokens
    else:
        text, offsets = _joined(tokens, of_text)
    mask_id = _mask_id(tokenizer)
    return TokenizedText(model, doc, tokens, text, offsets, is_padding, name, mask_id, is_original)


# ---- what the preprocessor gives -----------------------------------------------------------------


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


def _special_ids(tokenizer: Any) -> set[int]:
    named = {getattr(tokenizer, f"{name}_token_id", None) for name in _SPECIAL}
    return {int(i) for i in named if i is not None}


def _is_padding(tokenizer: Any, doc: Any, ids: list[int]) -> Array:
    masks = [doc[name] for name in _MASKS if isinstance(doc, dict) and name in doc]
    if masks:
        return ~masks[0][0].astype(bool)
    return np.array(ids) == getattr(tokenizer, "pad_token_id", None)


def _mask_id(tokenizer: Any) -> int | None:
    ids = [getattr(tokenizer, f"{name}_token_id", None) for name in ("mask", "pad")]
    return next((int(i) for i in ids if i is not None), None)


# ---- offsets -------------------------------------------------------------------------------------


def _encode(tokenizer: Any, text: str) -> tuple[list[int] | None, Offsets | None]:
    """Return the ids of the text alone, and their offsets, as far as the tokenizer gives them."""
    encoded: Any = tokenizer.encode(text) if hasattr(tokenizer, "encode") else None
    if hasattr(encoded, "offsets"):  # as the package tokenizers has it
        spans = [tuple(span) for span in encoded.offsets]
        return list(encoded.ids), [[span] if span[0] < span[1] else [] for span in spans]
    ids = _array(tokenizer(text)) if callable(tokenizer) else None
    if ids is None or (ids.size and ids.dtype.kind not in "iu"):
        return None, None
    return ids.ravel().tolist(), None


def _tokens(tokenizer: Any, ids: list[int]) -> list[str]:
    names = {i: str(tokenizer.id_to_token(i)) for i in set(ids)}
    return [names[i] for i in ids]


def _find_run(ids: list[int], own: list[int]) -> tuple[int, int]:
    """Return where most of the text's own ids start and end: the last may be cut off."""
    lengths = []
    for start in range(len(ids)):
        pairs = itertools.takewhile(
            lambda pair: pair[0] == pair[1], zip(ids[start:], own, strict=False)
        )
        lengths.append(len(list(pairs)))
    start = lengths.index(max(lengths))
    return start, start + lengths[start]


def _aligned(tokenizer: Any, text: str, tokens: list[str]) -> Offsets | None:
    @functools.cache
    def cut_one(part: str) -> list[str]:
        return _tokens(tokenizer, _encode(tokenizer, part)[0] or [])

    candidates = candidate_offsets(text, tokens, lambda parts: list(map(cut_one, parts)))
    return next(candidates, None)


def _joined(tokens: list[str], of_text: list[bool]) -> tuple[str, Offsets]:
    """Return the tokens as a text of their own, and where they lie in it."""
    text, offsets = "", Offsets()
    for token, is_shown in zip(tokens, of_text, strict=True):
        start = len(text) + bool(text)
        text += f"{' ' if text else ''}{token}" if is_shown else ""
        offsets.append([(start, len(text))] if is_shown else [])
    return text, offsets


# ---- pieces of bytes -----------------------------------------------------------------------------


def _byte_characters() -> dict[str, int]:
    """Return the byte that each character of a byte-level piece stands for, as GPT-2 has them.

    Visible characters of Latin-1 stand for themselves; the other bytes are numbered from 256 on.
    """
    visible = [*range(33, 127), *range(161, 173), *range(174, 256)]
    hidden = [byte for byte in range(256) if byte not in visible]
    return {chr(b): b for b in visible} | {chr(256 + k): b for k, b in enumerate(hidden)}


_BYTES = _byte_characters()


def _bytes_of(token: str) -> bytes | None:
    known = all(character in _BYTES for character in token)
    return bytes(_BYTES[character] for character in token) if known else None


def _byte_offsets(text: str, tokens: list[str]) -> Offsets | None:
    """Return the offsets of byte-level pieces, or None if they are not exactly the text."""
    pieces = [_bytes_of(token) for token in tokens]
    joined, given = b"".join(piece or b"" for piece in pieces), text.encode()
    # Some put a space in front of the text.
    if None in pieces or joined not in (given, b" " + given):
        return None
    characters = [k for k, character in enumerate(text) for _ in character.encode()]
    ends = itertools.accumulate(map(len, tokens), initial=len(given) - len(joined))
    return [
        _visible(text, characters[max(start, 0) : end]) for start, end in itertools.pairwise(ends)
    ]


def _visible(text: str, characters: list[int]) -> list[Span]:
    """Return the span of these characters without the blanks around them, if there is more."""
    bare = [k for k in characters if not text[k].isspace()] or characters
    return [(bare[0], bare[-1] + 1)] if bare else []


def _decoded(token: str) -> str:
    piece = _bytes_of(token)
    return token if piece is None else piece.decode(errors="backslashreplace")
