"""Models with a preprocessor and its tokenizer, as KerasHub's: where their pieces of words lie."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

import keras
from eli5.keras.text.token_offsets import (
    Place,
    Reading,
    Tokenized,
    find_places,
    folds,
    is_ascii_blank,
    is_blank,
    run_end,
    word_end,
)

Array = np.ndarray[Any, Any]

# Names of the arrays that preprocessors give, the most usual first.
_IDS = ("token_ids", "input_ids")
_MASKS = ("padding_mask", "attention_mask")
_SPECIAL = ("start", "end", "cls", "sep", "bos", "eos", "pad", "mask")
_UNKNOWN = ("[UNK]", "<unk>")


def _byte_characters() -> dict[str, int]:
    """Return the byte that each character of a byte-level piece stands for.

    Visible characters of Latin-1 stand for themselves; the other bytes are numbered from 256 on.
    """
    visible = [*range(33, 127), *range(161, 173), *range(174, 256)]
    hidden = [byte for byte in range(256) if byte not in visible]
    return {chr(b): b for b in visible} | {chr(256 + k): b for k, b in enumerate(hidden)}


_BYTES = _byte_characters()


def tokenizer_of(model: Any) -> Any:
    """Return the tokenizer of the model's preprocessor, or None."""
    preprocessor = getattr(model, "preprocessor", None)
    tokenizer = getattr(preprocessor, "tokenizer", None)
    return tokenizer if callable(preprocessor) and hasattr(tokenizer, "id_to_token") else None


def read_with_preprocessor(model: Any, text: str) -> Tokenized:
    """Return `text` as the model takes it behind its preprocessor.

    Raises
    ------
    ValueError
        If the preprocessor does not give token ids for one text.
    """
    tokenizer = tokenizer_of(model)
    doc = _arrays(model.preprocessor([text]))
    own = _own_ids(tokenizer, text)
    name = _name_of_ids(doc, own)
    ids = (doc if name is None else doc[name])[0].tolist()
    special, is_pad = _special_ids(tokenizer), _padding(tokenizer, doc, ids)
    kept = [not pad and i not in special for i, pad in zip(ids, is_pad, strict=True)]
    own = list(itertools.compress(ids, kept)) if own is None else own
    names = {i: str(tokenizer.id_to_token(i)) for i in {*ids, *own}}
    tokens = [names[i] for i in ids]
    start, n_shown = _locate(ids, own)
    found = None
    # Where ids are cut off, the rest must be what the preprocessor puts around each text.
    if n_shown == len(own) or {*ids[:start], *ids[start + n_shown :]} <= special:
        found = _places(tokenizer, text, [names[i] for i in own])
    if found is None:
        text, spans = _joined(tokens, kept)
        return Tokenized(model, doc, tokens, text, spans, is_pad, name, is_original=False)
    places, are_bytes = found
    spans = [[] for _ in ids]
    spans[start : start + n_shown] = places[:n_shown]
    tokens = [_decoded(token) for token in tokens] if are_bytes else tokens
    return Tokenized(model, doc, tokens, text, spans, is_pad, name)


# ---- what the preprocessor gives -----------------------------------------------------------------


def _arrays(doc: Any) -> Any:
    arrays: Any = {k: _array(v) for k, v in doc.items()} if isinstance(doc, dict) else _array(doc)
    for array in arrays.values() if isinstance(doc, dict) else [arrays]:
        if array.ndim < 2 or len(array) != 1 or array.dtype.kind not in "biuf":
            raise ValueError(
                "Expected the model's preprocessor to give numbers with a batch of 1 for a list of "
                f"one text. Received: shape {array.shape}, {array.dtype}. Give the token ids as "
                "`doc` and their texts as `tokens`."
            )
    return arrays


def _array(value: Any) -> Array:
    # A tensor may be on a device, where NumPy does not reach it.
    return keras.ops.convert_to_numpy(value) if keras.ops.is_tensor(value) else np.asarray(value)


def _own_ids(tokenizer: Any, text: str) -> list[int] | None:
    """Return the ids of the text alone, or None if they do not come from calling the tokenizer."""
    ids = _array(tokenizer(text)) if callable(tokenizer) else None
    return (
        None if ids is None or (ids.size and ids.dtype.kind not in "iu") else ids.ravel().tolist()
    )


def _name_of_ids(doc: Any, own: list[int] | None) -> str | None:
    if not isinstance(doc, dict):
        return None
    likely = [name for name in _IDS if name in doc]
    names = [k for k, v in doc.items() if v.ndim == 2 and v.dtype.kind in "iu"]
    if likely or len(names) == 1:
        return (likely or names)[0]
    lengths = {name: _locate(doc[name][0].tolist(), own or [])[1] for name in names}
    if not any(lengths.values()):
        raise ValueError(
            "Expected the model's preprocessor to give the token ids as 'token_ids'. Received: "
            f"{list(doc)}. Give the token ids as `doc` and their texts as `tokens`."
        )
    return max(lengths, key=lambda name: lengths[name])


def _locate(ids: list[int], own: list[int]) -> tuple[int, int]:
    """Return where the text's own ids start, and how many of them there are."""
    starts = {}
    for start in range(len(ids)):
        pairs = zip(ids[start:], own, strict=False)
        starts[start] = sum(1 for _ in itertools.takewhile(lambda pair: pair[0] == pair[1], pairs))
    start = max(starts, key=lambda start: starts[start])
    return start, starts[start]


def _special_ids(tokenizer: Any) -> set[int]:
    named = {getattr(tokenizer, f"{name}_token_id", None) for name in _SPECIAL}
    return {int(i) for i in named if i is not None}


def _padding(tokenizer: Any, doc: Any, ids: list[int]) -> Array:
    masks = [doc[name] for name in _MASKS if isinstance(doc, dict) and name in doc]
    if masks:
        return ~masks[0][0].astype(bool)
    return np.array(ids) == getattr(tokenizer, "pad_token_id", None)


# ---- places --------------------------------------------------------------------------------------


def _places(tokenizer: Any, text: str, tokens: list[str]) -> tuple[list[list[Place]], bool] | None:
    """Return the places of all tokens of a text, and whether they are of bytes; None if unsure."""
    places = _places_of_bytes(text, tokens)
    if places is not None:
        return places, True
    unknown = {*_UNKNOWN, *(getattr(tokenizer, f"{name}_token", None) for name in ("oov", "unk"))}
    suffix = getattr(tokenizer, "suffix_indicator", "##")
    ways: list[tuple[str, Callable[[str], bool], Callable[..., int]]] = [
        (suffix, is_ascii_blank, word_end),  # as KerasHub cuts words
        (suffix, is_blank, word_end),
        ("▁", str.isspace, run_end),
        ("▁", is_blank, run_end),
        ("", is_blank, word_end),
    ]
    for (mark, blank, end), fold in itertools.product(ways, folds()):
        pieces = [None if token in unknown else _bare(token, mark) for token in tokens]
        reading = Reading(fold, blank, blank, unknown=functools.partial(end, blank))
        places = find_places(text, pieces, reading)
        if places is not None and _are_unknown(tokenizer, text, tokens, pieces, places):
            return places, False
    return None


def _bare(token: str, mark: str) -> str:
    if mark == "▁":
        return token.replace(mark, "")
    return token.removeprefix(mark) or token


def _are_unknown(
    tokenizer: Any,
    text: str,
    tokens: Sequence[str],
    pieces: Sequence[str | None],
    places: list[list[Place]],
) -> bool:
    """Tell whether the tokenizer knows none of what was taken to be unknown."""
    rows = zip(tokens, pieces, places, strict=True)
    asked = {(token, text[slice(*found[0])]) for token, piece, found in rows if piece is None}
    for token, part in asked:
        ids = _own_ids(tokenizer, part)
        if ids is None or token not in map(tokenizer.id_to_token, ids):
            return False
    return True


def _places_of_bytes(text: str, tokens: list[str]) -> list[list[Place]] | None:
    """Return the places of byte-level pieces, or None if they are not exactly the text."""
    if not all(character in _BYTES for token in tokens for character in token):
        return None
    pieces = [bytes(_BYTES[character] for character in token) for token in tokens]
    given, joined = text.encode(), b"".join(pieces)
    if joined not in (given, b" " + given):  # with a space in front, as some put there
        return None
    characters = [k for k, character in enumerate(text) for _ in character.encode()]
    ends = list(itertools.accumulate(map(len, pieces), initial=len(given) - len(joined)))
    return [
        _visible(text, characters[max(start, 0) : end]) for start, end in itertools.pairwise(ends)
    ]


def _visible(text: str, characters: list[int]) -> list[Place]:
    """Return the place of these characters without the blanks around them, if there is more."""
    bare = [k for k in characters if not is_blank(text[k])] or characters
    return [(bare[0], bare[-1] + 1)] if bare else []


def _decoded(token: str) -> str:
    if not all(character in _BYTES for character in token):
        return token
    return bytes(_BYTES[character] for character in token).decode(errors="backslashreplace")


def _joined(tokens: list[str], kept: list[bool]) -> tuple[str, list[list[Place]]]:
    """Return the tokens as a text of their own, and where they lie in it."""
    text, spans = "", []
    for token, keep in zip(tokens, kept, strict=True):
        start = len(text) + bool(text)
        text += f"{' ' if text else ''}{token}" if keep else ""
        spans.append([(start, len(text))] if keep else [])
    return text, spans
