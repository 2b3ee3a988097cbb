"""Changes of a model's inputs, and of a layer's output, traced into the engine's program.

What is put in the place of one sample has n samples, its *variants*. The classes here are frozen,
because each is a part of the key under which the program is kept.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import keras
from keras import ops

from eli5.keras.engine import Query, Site

# (picture (1, *size, C), *extra) -> variants (n, *size, C), in float32.
MakeVariants = Callable[..., Any]


def with_pictures(query: Query, site: Site) -> Query:
    """Ask about pictures, shape (n, *size, C), in the place of the one."""
    return _with_variants(query, site, _as_given)


def with_masks(query: Query, site: Site) -> Query:
    """Ask about the picture where masks (n, *size) are 1, a baseline (1, *size, C) elsewhere."""
    return _with_variants(query, site, _masked)


def on_path(query: Query, site: Site) -> Query:
    """Ask about points on the way between two pictures, ``ends`` of shape (2, *size, C).

    The first column of ``rows``, shape (n, any), tells how far along each point lies.
    """
    return _with_variants(query, site, _interpolated)


def _with_variants(query: Query, site: Site, make: MakeVariants) -> Query:
    if site.input_index is not None:
        return query._replace(arrange=ReplaceInput(site, make))
    return query._replace(arrange=repeat, replace=((site, ReplaceOutput(make)),))


def repeat(inputs: Any, variants: Any, *_: Any) -> Any:
    """Return the inputs of n samples: the one, once for each variant of what a layer gives."""
    n = variants.shape[0]
    return keras.tree.map_structure(lambda x: ops.repeat(x, n, axis=0), inputs)


@dataclass(frozen=True)
class ReplaceInput:
    """Puts variants in the place of one input; repeats the others."""

    site: Site
    make: MakeVariants

    def __call__(self, inputs: Any, *extra: Any) -> Any:
        """Return the inputs of n samples."""
        index: Any = self.site.input_index
        leaves = keras.tree.flatten(inputs)
        picture = self.site.fold(ops.cast(leaves[index], "float32"))
        variants = self.site.unfold(self.make(picture, *extra))
        leaves = repeat(leaves[:index] + leaves[index + 1 :], variants)
        leaves.insert(index, ops.cast(variants, self.site.dtype))
        return keras.tree.pack_sequence_as(inputs, leaves)


@dataclass(frozen=True)
class ReplaceOutput:
    """Puts variants in the place of a layer's output."""

    make: MakeVariants

    def __call__(self, site: Site, output: Any, *extra: Any) -> Any:
        """Return the outputs of n samples; the layer has given as many, all the same."""
        picture = site.fold(ops.cast(output[:1], "float32"))
        return ops.cast(site.unfold(self.make(picture, *extra)), output.dtype)


@dataclass(frozen=True)
class LeaveOutTokens:
    """Puts another id in the place of the tokens that a mask, shape (n, T), has 0 for.

    So the model masks them itself, where it masks that id.
    """

    input_index: int
    substitute: int

    def __call__(self, inputs: Any, masks: Any, _: Any) -> Any:
        """Return the inputs of n samples."""
        leaves = keras.tree.flatten(repeat(inputs, masks))
        ids = leaves[self.input_index]
        leaves[self.input_index] = ops.where(masks > 0, ids, ops.cast(self.substitute, ids.dtype))
        return keras.tree.pack_sequence_as(inputs, leaves)


def whole_and_empty(site: Site, output: Any, _: Any, given: Any) -> Any:
    """Return a layer's output, `given`, as three samples, for what comes before a cut.

    As it is `given`, nothing that only leads to the layer need run. The first sample is NaN, and
    the number of samples fits no other: whatever reads the layer beside the cut, and the score with
    it, goes wrong in a way that is seen. Then come the output as it is, and with all maps zero.
    """
    output = ops.cast(given, output.dtype)
    broken = ops.full(output.shape, float("nan"), output.dtype)
    n_maps = output.shape[_channel_axis(site, output)]
    empty = site.scale(output, ops.zeros((1, n_maps), "int32"))
    return ops.concatenate([broken, output, empty])


def leave_out_maps(site: Site, output: Any, maps: Any, _: Any) -> Any:
    """Return what `whole_and_empty` became at a cut, with one map left out per sample.

    The cut has each map in its channel of that index; none is left out where `maps` is -1.
    """
    axis = _channel_axis(site, output)
    shape = [1] * output.ndim
    shape[axis] = output.shape[axis]
    channels = ops.reshape(ops.arange(shape[axis], dtype="int32"), shape)
    # One row per map that is left out, each with all that one doc became.
    is_out = channels == ops.reshape(maps, [-1] + [1] * output.ndim)
    _, whole, empty = (part[None] for part in ops.split(output, 3))
    return ops.reshape(ops.where(is_out, empty, whole), (-1, *output.shape[1:]))


def _channel_axis(site: Site, output: Any) -> int:
    return 1 if site.channels_first and site.grid is None else output.ndim - 1


def _as_given(_: Any, pictures: Any) -> Any:
    return pictures


def _masked(picture: Any, masks: Any, baseline: Any) -> Any:
    # In rows of equal length: TensorFlow is slow where an axis within is repeated.
    n, channels = masks.shape[0], picture.shape[-1]
    shown = ops.reshape(ops.tile(masks[..., None], [*[1] * masks.ndim, channels]), (n, -1))
    whole, hidden = ops.reshape(picture, (1, -1)), ops.reshape(baseline, (1, -1))
    return ops.reshape(whole * shown + hidden * (1 - shown), (n, *picture.shape[1:]))


def _interpolated(_: Any, rows: Any, ends: Any) -> Any:
    start, end = ops.split(ops.reshape(ends, (2, -1)), 2)
    return ops.reshape(start + rows[:, :1] * (end - start), (-1, *ends.shape[1:]))
