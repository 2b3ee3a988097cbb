"""Texts: docs of token ids or vectors; what is padding in them, and what each token weighs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import keras
import numpy as np

from eli5.base import DocWeightedSpans, Explanation, TargetExplanation, WeightedSpans
from eli5.checks import (
    as_float,
    expect_list,
    expect_one_of,
    expect_type,
    is_number,
    listed,
    shown,
    wrong_type,
)
from eli5.keras.engine import Site, Trace
from eli5.keras.inputs.kind import Kind, Words, check_rank, input_site
from eli5.keras.inputs.token_ids import find_mask_id
from eli5.keras.layers.candidate_layers import embedding_site
from eli5.keras.layers.cell_positions import fit_steps
from eli5.keras.layers.map_axes import is_waveform
from eli5.keras.methods.baseline import LEFT_OUT
from eli5.keras.methods.normalize import normalize
from eli5.keras.text.align import TokenizedText
from eli5.placement import Placement, stretch

if TYPE_CHECKING:
    from eli5.keras.inputs.sample import DocOptions, Sample
    from eli5.keras.methods.method import Method

Array = np.ndarray[Any, Any]
Offsets = list[tuple[int, int]]

_EQUAL = 1.001  # times as much is more than rounding


class TextDetails(NamedTuple):
    """What is known of a text; once `complete` without the padding around it."""

    tokens: list[str] | None = None  # one per step; the ids themselves if not given
    pad_value: float | None = None  # what the doc holds where there is padding
    pad_token: str | None = None  # what `tokens` hold there
    document: str | None = None  # the text as people write it; the tokens, joined, if not given
    offsets: list[Offsets] | None = None  # where each token lies in `document`, in characters
    is_padding: Array | None = None  # of bool, shape (T,)

    @classmethod
    def of(cls, text: TokenizedText) -> TextDetails:
        """Return what a tokenizer tells of a text."""
        return cls(text.tokens, None, None, text.text, text.offsets, text.is_padding)


class _TextKind(Kind):
    """Token ids ``(1, T)`` or vectors ``(1, T, F)``."""

    name = "text"
    words = Words("text", "the text", "token", "token", " tokens")
    options = ("tokens", "pad_value", "pad_token")
    input_ranks = ((2,), (3,))

    def check_options(self, about: DocOptions) -> TextDetails:
        tokens = None if about.tokens is None else _token_list(about.tokens)
        pad_value = about.pad_value
        if not (pad_value is None or is_number(pad_value)):
            raise wrong_type("pad_value", pad_value, "a number, as `doc` holds it")
        if about.pad_token is not None:
            expect_type("pad_token", about.pad_token, str, "a string, as `tokens` hold it")
            if tokens is None:
                raise ValueError(
                    "Expected `tokens` for a `pad_token`. Received: "
                    f"pad_token={about.pad_token!r} without tokens. Give `tokens`, or `pad_value`."
                )
        expect_one_of(pad_value=about.pad_value, pad_token=about.pad_token)
        return TextDetails(
            tokens, None if pad_value is None else as_float(pad_value), about.pad_token
        )

    def recognises(self, values: Array, trace: Trace) -> bool:
        return values.ndim == 2 and not is_waveform(trace, values.shape)

    def size(self, values: Array, channels_first: bool) -> tuple[int, ...]:
        check_rank(values, self)
        return (values.shape[-1 if values.ndim == 3 and channels_first else 1],)

    def has_channels(self, values: Array) -> bool:
        return True

    def input_site(self, sample: Sample, trace: Trace, *, is_needed: bool) -> Site:
        if not is_needed or sample.values.ndim > 2:
            return input_site(sample, trace)
        return embedding_site(trace, sample.size)  # ids are no numbers to differentiate or to mix

    def complete(self, sample: Sample, trace: Trace) -> Sample:
        details = sample.details or TextDetails()
        # A tokenizer knows its mask; of ids the caller's padding, or the model's, stands for it.
        given = details.pad_value if sample.mask_id is None else sample.mask_id
        mask_id = find_mask_id(trace, sample.values, given)
        n_steps, tokens = sample.size[0], details.tokens
        if tokens is None:
            ids = sample.values[0] if sample.values.ndim == 2 else range(n_steps)
            tokens = [f"{float(one):g}" for one in ids]
        elif len(tokens) != n_steps:
            raise ValueError(
                f"Expected one token per step of `doc`, {n_steps} of them. Received: {len(tokens)} "
                f"tokens for a doc of shape {sample.values.shape}"
            )
        valid = _valid_steps(_find_padding(sample, details, tokens, mask_id, trace), details)
        document, offsets = details.document, details.offsets
        if document is None or offsets is None:
            # Ids of one digit are no characters.
            document, offsets = join_tokens(tokens[valid], are_words=details.tokens is None)
        else:
            offsets = offsets[valid]
        details = details._replace(tokens=tokens[valid], document=document, offsets=offsets)
        return sample._replace(details=details, valid=valid, mask_id=mask_id)

    def fit(self, maps: Array, placement: Placement) -> tuple[Array, Placement]:
        return fit_steps(maps, placement), stretch(placement.size, placement.size)

    def method_defaults(self, method: Method, sample: Sample) -> dict[str, Any]:
        own: dict[str, Any] = {}
        if "patch" in method.own_options:
            own["patch"] = 1
        if "n_segments" in method.own_options:
            own["n_segments"] = sample.size[0]  # one per token
        if method.leaves_out and sample.mask_id is not None:
            own["baseline"] = LEFT_OUT
        return own

    def shown(self, maps: Array, heatmaps: Array) -> Array:
        return normalize(np.abs(maps), 1)  # what speaks against is shown, too

    def finish(self, expl: Explanation, sample: Sample, cells: Sequence[int]) -> Explanation:
        """Put the text into its explanation, and leave the padding out of the maps."""
        hides_most = False
        for target in expl.targets:
            weights = target.attribution
            target.attribution = weights[sample.valid].copy()
            target.heatmap = normalize(target.attribution, 1)
            target.weighted_spans = _weighted_spans(target, sample)
            largest = np.abs(target.attribution).max()
            hides_most = hides_most or np.abs(weights).max() > _EQUAL * largest
        if hides_most:
            note = "The padding, which is not shown, weighs the most."
            expl.description = f"{expl.description} {note}"
        return expl


TEXT = _TextKind()


def _token_list(tokens: Any) -> list[str]:
    """Return the tokens as a list; they may come with a batch axis of 1."""
    items = listed(tokens)
    if items is not None and len(items) == 1 and (inner := listed(items[0])) is not None:
        items = inner
    if items is None:
        items = tokens  # and is refused
    items = expect_list(
        "tokens", items, lambda token: isinstance(token, str), "a list or an array of strings"
    )
    if not items:
        raise ValueError(f"Expected `tokens` to hold one string per step. Received: {tokens!r}")
    return list(map(str, items))


def _find_padding(
    sample: Sample, details: TextDetails, tokens: list[str], mask_id: int | None, trace: Trace
) -> Array:
    """Return which steps are padding, shape (T,)."""
    if details.is_padding is not None:
        return details.is_padding
    if details.pad_token is not None:
        return np.array([token == details.pad_token for token in tokens])
    value, values = details.pad_value, sample.values[0]
    if value is None:
        value = mask_id if values.ndim == 1 else _masked_value(trace)
    if value is None:
        return np.zeros(len(tokens), bool)
    is_padding = np.isnan(values) if np.isnan(value) else values == value
    if is_padding.ndim == 1:
        return np.asarray(is_padding)
    return np.asarray(is_padding.all(axis=0 if sample.channels_first else 1))


def _masked_value(trace: Trace) -> float | None:
    """Return what the model's own Masking layer takes as padding."""
    for call in trace.calls:
        operation = call.operation()
        if isinstance(operation, keras.layers.Masking):
            return float(operation.mask_value)
    return None


def _valid_steps(is_padding: Array, details: TextDetails) -> slice:
    """Return the steps from the first to the last that is no padding."""
    steps = np.flatnonzero(~is_padding)
    if not len(steps):
        received = "" if details.document is None else f"{shown(details.document)}, "
        raise ValueError(
            "Expected a text with at least one token that the model knows. Received: "
            f"{received}{len(is_padding)} steps of padding"
        )
    return slice(int(steps[0]), int(steps[-1]) + 1)


def join_tokens(tokens: Sequence[str], *, are_words: bool = False) -> tuple[str, list[Offsets]]:
    """Join tokens to a text as one would read it, and return where each lies in it.

    A piece of a word that says so, ``"##ing"``, or that does not say that it begins one where the
    others do, ``"▁the"`` or ``"Ġthe"``, follows without a space. So do characters.
    """
    begins = ("▁", "Ġ")
    has_begins = any(token.startswith(begins) for token in tokens)
    are_characters = not are_words and all(len(token) <= 1 for token in tokens)
    document, offsets = "", []
    for token in tokens:
        is_piece = len(token) > 2 and token.startswith("##")
        shown = token[2:] if is_piece else token
        follows = is_piece or are_characters or not document or not token
        if has_begins:
            follows = not document or not token.startswith(begins)
            shown = token[1:] if token.startswith(begins) else token
        document += shown if follows else f" {shown}"
        offsets.append([(len(document) - len(shown), len(document))] if shown else [])
    return document, offsets


def _weighted_spans(target: TargetExplanation, sample: Sample) -> WeightedSpans:
    text = sample.details
    weights = np.asarray(target.attribution).tolist()
    spans = [
        (token, list(offsets), weight)
        for token, offsets, weight in zip(text.tokens, text.offsets, weights, strict=True)
    ]
    return WeightedSpans([DocWeightedSpans(text.document, spans, vec_name=sample.input_name)])
