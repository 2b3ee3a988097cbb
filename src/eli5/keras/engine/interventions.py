"""Changes of a model's inputs, and of a layer's output, traced into the engine's program.

Frozen, because each is a part of the key under which the program is kept.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import keras
from eli5.keras.engine import Query, Site
from keras import ops


def putting(query: Query, site: Site) -> Query:
    """Ask about pictures, shape (n, *size, C), in the place of the one."""
    if site.input_index is not None:
        return query._replace(arrange=PutPictures(site))
    return query._replace(arrange=Repeat(), replace=((site, _put_output),))


def masking(query: Query, site: Site) -> Query:
    """Ask about the picture where masks (n, *size) are 1, a baseline (1, *size, C) elsewhere."""
    if site.input_index is not None:
        return query._replace(arrange=MaskPicture(site))
    return query._replace(arrange=Repeat(), replace=((site, _mask_output),))


def on_path(query: Query, site: Site) -> Query:
    """Ask about points on the way between two pictures; see `PutPath`."""
    if site.input_index is not None:
        return query._replace(arrange=PutPath(site))
    return query._replace(arrange=Repeat(), replace=((site, _put_points),))


@dataclass(frozen=True)
class PutPictures:
    """Puts pictures, shape (n, *size, C), in the place of the one; repeats the other inputs."""

    site: Site

    def __call__(self, inputs: Any, pictures: Any) -> Any:
        """Return the inputs of n samples."""
        return _put(inputs, self.site, _as_input(self.site, pictures))


@dataclass(frozen=True)
class MaskPicture:
    """Shows the picture where a mask, shape (n, *size), is 1, and the baseline where it is 0."""

    site: Site

    def __call__(self, inputs: Any, masks: Any, baseline: Any) -> Any:
        """Return the inputs of n samples; the baseline has shape (1, *size, C)."""
        leaves = keras.tree.flatten(inputs)
        (picture,) = (leaf for k, leaf in enumerate(leaves) if k == self.site.input_index)
        mixed = _mixed(masks, self.site.fold(ops.cast(picture, "float32")), baseline)
        return _put(inputs, self.site, _as_input(self.site, mixed))


@dataclass(frozen=True)
class PutPath:
    """Puts points on the way between two pictures in the place of the one."""

    site: Site

    def __call__(self, inputs: Any, rows: Any, ends: Any) -> Any:
        """Return the inputs of n samples.

        The ends have shape (2, *size, C); the first column of the rows tells how far each point is.
        """
        return _put(inputs, self.site, _as_input(self.site, _points(rows, ends)))


@dataclass(frozen=True)
class Repeat:
    """Repeats the sample, once for each variant of what a layer gives."""

    def __call__(self, inputs: Any, variants: Any, *_: Any) -> Any:
        """Return the inputs of n samples."""
        n = variants.shape[0]
        return keras.tree.map_structure(lambda x: ops.repeat(x, n, axis=0), inputs)


@dataclass(frozen=True)
class LeaveOutTokens:
    """Puts another id in the place of the tokens that a mask, shape (n, T), has 0 for.

    So the model masks them itself, where it masks that id.
    """

    input_index: int
    substitute: int

    def __call__(self, inputs: Any, masks: Any, _: Any) -> Any:
        """Return the inputs of n samples."""
        n = masks.shape[0]
        leaves = [ops.repeat(leaf, n, axis=0) for leaf in keras.tree.flatten(inputs)]
        ids = leaves[self.input_index]
        leaves[self.input_index] = ops.where(masks > 0, ids, ops.cast(self.substitute, ids.dtype))
        return keras.tree.pack_sequence_as(inputs, leaves)


def leave_out(site: Site, output: Any, maps: Any, given: Any) -> Any:
    """Return a layer's output with one map set to zero per sample; none where it is -1.

    The output is `given`: nothing that only leads to the layer need then run.
    """
    output = ops.cast(given, output.dtype)
    is_left = ops.arange(_n_maps(site, output), dtype="int32")[None] != maps[:, None]
    return site.scale(output, is_left)


def _put_output(site: Site, output: Any, pictures: Any) -> Any:
    return ops.cast(site.unfold(pictures), output.dtype)


def _mask_output(site: Site, output: Any, masks: Any, baseline: Any) -> Any:
    picture = site.fold(ops.cast(output[:1], "float32"))
    return _put_output(site, output, _mixed(masks, picture, baseline))


def _put_points(site: Site, output: Any, rows: Any, ends: Any) -> Any:
    return _put_output(site, output, _points(rows, ends))


def _points(rows: Any, ends: Any) -> Any:
    """Return points on the way between two pictures, (2, *size, C); see `PutPath`."""
    start, end = ops.split(ops.reshape(ends, (2, -1)), 2)
    return ops.reshape(start + rows[:, :1] * (end - start), (-1, *ends.shape[1:]))


def show_to_stand_in(site: Site, output: Any, _: Any, given: Any) -> Any:
    """Return a layer's output for what is read of it by a stand-in: three samples.

    The first is NaN, and the number of samples fits no other: whatever else reads the layer, and
    the score with it, goes wrong in a way that is seen. Then come the output as it is, and with all
    maps zero.
    """
    output = ops.cast(given, output.dtype)
    broken = ops.full(output.shape, float("nan"), output.dtype)
    empty = site.scale(output, ops.zeros((1, _n_maps(site, output)), "int32"))
    return ops.concatenate([broken, output, empty])


def leave_out_of_stand_in(site: Site, output: Any, maps: Any, _: Any) -> Any:
    """Return a stand-in's output, of what was shown to it, with one map left out per sample."""
    channel = 1 if site.channels_first else output.ndim - 1
    shape = [1] * output.ndim
    shape[channel] = output.shape[channel]
    channels = ops.reshape(ops.arange(output.shape[channel], dtype="int32"), shape)
    is_out = channels == ops.reshape(maps, [-1] + [1] * (output.ndim - 1))
    _, whole, empty = ops.split(output, 3)
    return ops.where(is_out, empty, whole)


def _n_maps(site: Site, output: Any) -> int:
    is_second = site.channels_first and site.grid is None
    return int(output.shape[1] if is_second else output.shape[-1])


def _mixed(masks: Any, picture: Any, baseline: Any) -> Any:
    """Mix two pictures (1, *size, C) by masks (n, *size).

    In rows of equal length: TensorFlow is slow where an axis within is repeated.
    """
    n, channels = masks.shape[0], picture.shape[-1]
    shown = ops.reshape(ops.tile(masks[..., None], [*[1] * masks.ndim, channels]), (n, -1))
    whole, hidden = ops.reshape(picture, (1, -1)), ops.reshape(baseline, (1, -1))
    return ops.reshape(whole * shown + hidden * (1 - shown), (n, *picture.shape[1:]))


def _as_input(site: Site, pictures: Any) -> Any:
    return ops.cast(site.unfold(pictures), site.dtype)


def _put(inputs: Any, site: Site, pictures: Any) -> Any:
    leaves = [
        pictures if k == site.input_index else ops.repeat(leaf, pictures.shape[0], axis=0)
        for k, leaf in enumerate(keras.tree.flatten(inputs))
    ]
    return keras.tree.pack_sequence_as(inputs, leaves)
