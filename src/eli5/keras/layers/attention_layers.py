"""Which attentions of a model are between the tokens of the doc, and where those tokens lie."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import keras

from eli5.keras.engine import Attention, Call, Site, Trace
from eli5.keras.layers.candidate_layers import site_of
from eli5.keras.layers.conditions import View
from eli5.keras.layers.map_axes import Axes

Shape = tuple[int, ...]

_MAX_PREFIX = 8  # tokens in front of those of the doc, as in `eli5.keras.layers.token_grid`
_OTHERS = (
    "Choose a method that needs no attention, such as Grad-CAM, Integrated Gradients or Occlusion."
)
# What the names of weights say of the tokens in front of the patches.
_PREFIXES = {
    "class": ("class_token", "cls_token", "class_embedding", "cls"),
    "distillation": ("distillation", "dist_token"),
    "register": ("register", "storage"),
}


class AttentionLayer(NamedTuple):
    """One attention.

    Attributes
    ----------
    site : Site
        Its matrix, folded to (B, heads, queries, keys).
    queries, keys : int
        Which tokens they are: 0 for those of the doc, else a number for each other sequence.
    """

    site: Site
    queries: int
    keys: int


class AttentionLayers(NamedTuple):
    """The attentions that take in the tokens of the doc, in the order of the run.

    Attributes
    ----------
    layers : tuple of AttentionLayer
    sizes : tuple of int
        How many tokens each sequence has, that of the doc first.
    tokens : Site
        The first layer with the doc's tokens, which tells where they lie.
    n_prefix : int
        How many tokens come before those of the doc.
    """

    layers: tuple[AttentionLayer, ...]
    sizes: tuple[int, ...]
    tokens: Site
    n_prefix: int


def find_attention_layers(view: View, model: keras.Model) -> AttentionLayers:
    """Return the attentions between the tokens of the doc.

    ValueError if there are none, if one cannot be reached, or if they are of windows or of maps of
    several sizes, whose tokens are not the same from layer to layer.
    """
    matrices = [one for one in view.trace.attentions if _is_matrix(one)]
    if not matrices:
        raise ValueError(
            "Expected a model that attends: with a softmax over its tokens that is multiplied with "
            f"their values, or a fused attention. Received: model {model.name!r} without one, as "
            f"models are that mix tokens in other ways. {_OTHERS}"
        )
    _check_reached(matrices)
    tokens = list(_token_calls(view))
    seeing = [one for one in matrices if _sees_doc(one, view.trace)]
    of_doc = [
        (one, site)
        for one in seeing
        if _is_self(one) and (site := _site_of_tokens(one, tokens, view)) is not None
    ]
    if not of_doc:
        _refuse_windows(seeing or matrices, tokens, view)
    first, site = of_doc[0]
    n_tokens = first.shape[-1]
    n_own = math.prod(site.grid) if site.grid is not None else math.prod(site.shape[1:-1])
    layers, sizes = _follow(matrices, seeing, n_tokens)
    left_out = [
        one for one in seeing if _is_self(one) and one.nth not in {x.site.nth for x in layers}
    ]
    if left_out:
        _refuse_windows(left_out, tokens, view)
    return AttentionLayers(tuple(layers), tuple(sizes), site, n_tokens - n_own)


def _is_matrix(one: Attention) -> bool:
    """Tell whether a softmax is an attention, by its shape and by what is done with it."""
    *lead, queries, keys = one.shape
    has_heads = len(lead) > 1 and queries == keys > 1
    return keys > 1 and (one.is_used or has_heads)


def _check_reached(matrices: Sequence[Attention]) -> None:
    inside = [one for one in matrices if not one.is_outside]
    if inside:
        raise ValueError(
            "Expected attentions that can be reached. Received: "
            f"{inside[0].path!r}, which runs inside of a loop, a branch or a rematerialised part. "
            f"{_OTHERS}"
        )


def _is_self(one: Attention) -> bool:
    return one.shape[-1] == one.shape[-2] and not one.is_cross


def _token_calls(view: View) -> Iterator[tuple[Call, Axes | None]]:
    """Yield the calls that give tokens of the doc, or a map whose places are tokens."""
    for call, axes in zip(view.trace.calls, view.axes(), strict=True):
        is_float = call.is_outside and "float" in call.dtype
        if call.shape[:1] == (1,) and len(call.shape) > 2 and is_float and call.has_positions:
            yield call, axes


def _site_of_tokens(
    one: Attention, tokens: Sequence[tuple[Call, Axes | None]], view: View
) -> Site | None:
    """Return the first layer that gives the tokens of an attention with all of them in a row."""
    n_tokens = one.shape[-1]
    if one.shape[0] != 1 and len(one.shape) > 3:
        return None  # windows
    for call, axes in tokens:
        if math.prod(call.shape[1:-1]) != n_tokens:
            continue
        if len(view.size) == 1 and len(call.shape) == 3:
            n_prefix = n_tokens - view.size[0]
            grid = view.size if 0 < n_prefix <= _MAX_PREFIX else None
            found = site_of(call, axes, view)
            return found and found._replace(grid=grid, channels_first=False)
        if (found := site_of(call, axes, view)) is not None:
            return found
    return None


def _sees_doc(one: Attention, trace: Trace) -> bool:
    """Tell whether the keys come from the doc that is explained, and not from other inputs alone.

    Of the layer before that has as many tokens it is known.
    """
    for call in reversed(trace.calls[: one.position]):
        if one.shape[-1] in call.shape[1:-1] or math.prod(call.shape[1:-1]) == one.shape[-1]:
            return call.has_positions
    return True


def _follow(
    matrices: Sequence[Attention], seeing: Sequence[Attention], n_tokens: int
) -> tuple[list[AttentionLayer], list[int]]:
    """Return the attentions of the doc's tokens, and of those that attend to them."""
    sees = {one.nth for one in seeing}
    sizes = [n_tokens]
    others: dict[int, int] = {}  # the number of each other sequence, by its size
    for one in matrices:
        *_, queries, keys = one.shape
        is_new = queries not in others and (one.is_cross or queries != n_tokens)
        if is_new and keys == n_tokens and one.nth in sees and not _is_self(one):
            others[queries] = len(sizes)
            sizes.append(queries)
    layers = []
    for one in matrices:
        *_, queries, keys = one.shape
        of_others = others.get(queries)
        if _is_self(one):
            is_own = queries == n_tokens and one.nth in sees
            number = 0 if is_own else of_others
            ends = number, number
        else:
            ends = of_others, 0 if keys == n_tokens else others.get(keys)
        if None not in ends:
            layers.append(AttentionLayer(_site(one), *ends))  # type: ignore[arg-type]
    return layers, sizes


def _site(one: Attention) -> Site:
    return Site(None, one.nth, one.path, shape=one.shape, dtype=one.dtype, is_attention=True)


def _refuse_windows(
    matrices: Sequence[Attention], tokens: Sequence[tuple[Call, Axes | None]], view: View
) -> None:
    """Raise ValueError of attentions whose tokens are not those of the whole doc."""
    one = matrices[0]
    n_tokens = one.shape[-1]
    if not any(math.prod(call.shape[1:-1]) == n_tokens for call, _ in tokens):
        raise ValueError(
            "Expected attentions between all tokens of the doc. Received: "
            f"{one.path!r} with a matrix of shape {one.shape}: it attends within windows of "
            f"{n_tokens} tokens, or between those of a map that is thinned out, so that layers do "
            f"not follow each other token by token. {_OTHERS}"
        )
    if all(_site_of_tokens(other, tokens, view) for other in matrices):
        raise ValueError(
            "Expected attentions between the same tokens in all layers. Received: "
            f"{one.path!r} between {n_tokens} tokens, beside others. {_OTHERS}"
        )
    raise ValueError(
        f"Expected {n_tokens} tokens that lie on a known grid. Received: {one.path!r} with a "
        f"matrix of shape {one.shape}. Say it: grid=(height, width), for the last height * width "
        "of them."
    )


def name_prefix(model: keras.Model, n_prefix: int) -> str:
    """Name the tokens in front of those of the doc, as far as the names of weights tell them."""
    names = [weight.path.lower().rsplit("/", 1)[-1] for weight in model.weights]
    known = [
        prefix for prefix, parts in _PREFIXES.items() if any(p in n for n in names for p in parts)
    ]
    n_registers = n_prefix - len([name for name in known if name != "register"])
    words = [f"the {name} token" for name in known if name != "register"]
    if "register" in known and n_registers > 0:
        words.append(f"{n_registers} register token{'s' * (n_registers > 1)}")
        n_registers = 0
    if n_registers != 0:
        return (
            "a class token" if n_prefix == 1 else "such as class, distillation or register tokens"
        )
    return " and ".join(words)
