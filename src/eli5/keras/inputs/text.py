"""Texts: what is padding, where each token lies, and what it weighs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

import keras
from eli5.base import DocWeightedSpans, Explanation, TargetExplanation, WeightedSpans
from eli5.keras.inputs.listing import listed
from eli5.keras.methods.normalize import normalize
from eli5.keras.pipeline.plan import Preparation
from eli5.keras.targets.classes import is_number

Array = np.ndarray[Any, Any]
Places = list[tuple[int, int]]

_EQUAL = 1.001  # times as much is more than rounding


class Words(NamedTuple):
    """What the caller says of a doc that is a text.

    Attributes
    ----------
    tokens : list of str, optional
        One per step; the ids themselves if not given.
    pad_value : number, optional
        What the doc holds where there is padding.
    pad_token : str, optional
        What `tokens` hold there.
    document : str, optional
        The text itself; the tokens, joined, if not given.
    places : list of lists of (start, end), optional
        Where each token lies in `document`.
    is_pad : numpy.ndarray of bool, shape (T,), optional
        What is padding, where it is known.
    """

    tokens: list[str] | None = None
    pad_value: float | None = None
    pad_token: str | None = None
    document: str | None = None
    places: list[Places] | None = None
    is_pad: Array | None = None


def check_words(tokens: Any, pad_value: Any, pad_token: Any) -> Words:
    """Check what a caller says of a text, before the model is looked at.

    Raises
    ------
    TypeError
        If `tokens` is neither None nor strings in a list, an array or the like, if `pad_value` is
        no number, or `pad_token` no string.
    ValueError
        If there are no tokens, if a `pad_token` comes without tokens, or with a `pad_value`.
    """
    token_list = None if tokens is None else _token_list(tokens)
    if pad_value is not None and not is_number(pad_value):
        raise TypeError(
            "Expected `pad_value` to be a number, as `doc` holds it. Received: "
            f"pad_value={pad_value!r} (of type {type(pad_value).__name__})"
        )
    if pad_token is not None and not isinstance(pad_token, str):
        raise TypeError(
            "Expected `pad_token` to be a string, as `tokens` hold it. Received: "
            f"pad_token={pad_token!r} (of type {type(pad_token).__name__})"
        )
    if pad_token is not None and token_list is None:
        raise ValueError(
            f"Expected `tokens` for a `pad_token`. Received: pad_token={pad_token!r} without "
            "tokens. Give `tokens`, or `pad_value`."
        )
    if pad_token is not None and pad_value is not None:
        raise ValueError(
            "Expected either `pad_value` or `pad_token`. Received: both, "
            f"pad_value={pad_value!r} and pad_token={pad_token!r}"
        )
    return Words(token_list, None if pad_value is None else float(pad_value), pad_token)


def _token_list(tokens: Any) -> list[str]:
    """Return the tokens as a list; they may come with a batch axis of 1."""
    found = listed(tokens)
    if found is None:
        raise TypeError(
            "Expected `tokens` to be a list or an array of strings. Received: "
            f"tokens={tokens!r} (of type {type(tokens).__name__})"
        )
    if len(found) == 1:
        inner = listed(found[0])
        found = found if inner is None else inner
    wrong = [token for token in found if not isinstance(token, str)]
    if wrong:
        raise TypeError(
            f"Expected `tokens` to hold strings. Received: {wrong[0]!r} (of type "
            f"{type(wrong[0]).__name__}) among them"
        )
    if not found:
        raise ValueError(f"Expected `tokens` to hold one string per step. Received: {tokens!r}")
    return [str(token) for token in found]


class Text(NamedTuple):
    """A doc that is a text; padding before and after it is left out.

    Attributes
    ----------
    tokens : list of str
    kept : slice
        The steps of the doc that are no padding.
    document : str
    places : list of lists of (start, end)
    """

    tokens: list[str]
    kept: slice
    document: str
    places: list[Places]


def make_text(prepared: Preparation, words: Words) -> Text:
    """Return the text that a doc is.

    Raises
    ------
    ValueError
        If there are more or fewer tokens than steps, or nothing but padding.
    """
    n_steps = prepared.view.size[0]
    tokens = words.tokens
    if tokens is not None and len(tokens) != n_steps:
        raise ValueError(
            f"Expected one token per step of `doc`, {n_steps} of them. Received: {len(tokens)} "
            f"tokens for a doc of shape {prepared.picture.shape}"
        )
    if tokens is None:
        ids = prepared.picture[0] if prepared.picture.ndim == 2 else range(n_steps)
        tokens = [f"{float(one):g}" for one in ids]
    kept = _kept(_is_pad(prepared, words, tokens))
    if words.document is None or words.places is None:
        # Ids of one digit are no characters.
        document, places = joined(tokens[kept], are_words=words.tokens is None)
    else:
        document, places = words.document, words.places[kept]
    return Text(tokens[kept], kept, document, places)


def _is_pad(prepared: Preparation, words: Words, tokens: Sequence[str]) -> Array:
    if words.is_pad is not None:
        return words.is_pad
    if words.pad_token is not None:
        return np.array([token == words.pad_token for token in tokens])
    value = words.pad_value
    if value is None:
        value = _masked_value(prepared)
    doc = prepared.picture[0]
    if value is None:
        return np.zeros(len(tokens), bool)
    is_pad = np.isnan(doc) if np.isnan(value) else doc == value
    if is_pad.ndim == 1:
        return np.asarray(is_pad)
    return np.asarray(is_pad.all(axis=0 if prepared.channels_first else 1))


def _masked_value(prepared: Preparation) -> float | None:
    """Return what the model itself masks: what an Embedding or a Masking layer takes as padding."""
    if prepared.picture.ndim == 2:
        return prepared.mask_id
    for call in prepared.trace.calls:
        operation = call.operation()
        if isinstance(operation, keras.layers.Masking):
            return float(operation.mask_value)
    return None


def _kept(is_pad: Array) -> slice:
    """Return the steps from the first to the last that is no padding."""
    steps = np.flatnonzero(~is_pad)
    if not len(steps):
        raise ValueError(
            f"Expected a text with at least one token. Received: {len(is_pad)} steps of padding"
        )
    return slice(int(steps[0]), int(steps[-1]) + 1)


def joined(tokens: Sequence[str], *, are_words: bool = False) -> tuple[str, list[Places]]:
    """Join tokens to a text as one would read it, and return where each lies in it.

    A piece of a word that says so, ``"##ing"``, or that does not say that it begins one where the
    others do, ``"▁the"`` or ``"Ġthe"``, follows without a space. So do characters.
    """
    begins = ("▁", "Ġ")
    has_begins = any(token.startswith(begins) for token in tokens)
    are_characters = not are_words and all(len(token) <= 1 for token in tokens)
    document, places = "", []
    for token in tokens:
        is_piece = len(token) > 2 and token.startswith("##")
        shown = token[2:] if is_piece else token
        follows = is_piece or are_characters or not document or not token
        if has_begins:
            follows = not document or not token.startswith(begins)
            shown = token[1:] if token.startswith(begins) else token
        document += shown if follows else f" {shown}"
        places.append([(len(document) - len(shown), len(document))] if shown else [])
    return document, places


def with_text(expl: Explanation, text: Text, name: str | None = None) -> Explanation:
    """Put the text into its explanation, and leave the padding out of the maps.

    Parameters
    ----------
    expl : Explanation
        Is changed.
    text : Text
    name : str, optional
        Of the input that the text is, where there are several.
    """
    is_hidden = False
    for target in expl.targets:
        whole = target.attribution
        sizes = np.abs(whole)
        target.attribution = whole[text.kept].copy()
        target.heatmap = normalize(target.attribution, 1)
        target.weighted_spans = _spans(target, text, name)
        is_hidden = is_hidden or sizes.max() > _EQUAL * sizes[text.kept].max()
    if is_hidden:
        expl.description = f"{expl.description} The padding, which is not shown, weighs the most."
    return expl


def _spans(target: TargetExplanation, text: Text, name: str | None) -> WeightedSpans:
    weights = np.asarray(target.attribution).tolist()
    spans = [
        (token, list(places), weight)
        for token, places, weight in zip(text.tokens, text.places, weights, strict=True)
    ]
    return WeightedSpans([DocWeightedSpans(text.document, spans, vec_name=name)])
