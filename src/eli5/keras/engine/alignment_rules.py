"""How operations move what they are given: one rule for each kind of Keras layer and operation.

What has no rule, a Lambda, a `call` of a user's own, a foreign module, is not known: then where its
output lies is measured, see `eli5.keras.layers.measured_alignment`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import keras
from keras import layers

from eli5.keras.engine.alignment import (
    Alignment,
    Part,
    Shape,
    cut,
    drop,
    flip,
    insert,
    join,
    meet,
    mix,
    move,
    permute,
    reshape,
)

# (operation, what its main argument lies like, the shape of its output, its (args, kwargs))
Rule = Callable[[Any, Alignment, Shape, Any], Alignment | None]


def align(
    operation: keras.Operation,
    given: Sequence[tuple[Shape, Alignment | None]],
    arguments: Any,
    shape: Shape,
) -> Alignment | None:
    """Return where the output of an operation lies, or None if that is not known.

    `given` are the tensors that it takes, by their shape and where they lie, None where no layer
    gave them; `arguments` are all of its (args, kwargs).
    """
    known = [before for _, before in given if before is not None]
    if not known:
        return None
    before = max(known, key=lambda one: _closeness(one.shape, shape))
    rule = _rule_of(operation)
    if _concatenates(operation):
        axis = operation.axis % len(shape)  # along the first, samples are joined to others
        after = join(before, given, axis) if axis else None
    elif rule is not None:
        after = rule(operation, before, shape, arguments)
    elif _leaves_in_place(operation):
        after = _keep(meet(before, known), shape)
    else:
        after = None
    return after if after is not None and after.shape == shape else None


def _concatenates(operation: Any) -> bool:
    is_layer = isinstance(operation, layers.Layer)
    return isinstance(operation, layers.Concatenate) or (
        not is_layer and type(operation).__name__ == "Concatenate"
    )


def has_rule(operation: keras.Operation) -> bool:
    """Tell whether an operation's own rule counts, whatever the layers within it do."""
    return _rule_of(operation) is not None


def _rule_of(operation: Any) -> Rule | None:
    for kinds, rule in _LAYERS:
        if isinstance(operation, kinds):
            return rule
    is_layer = isinstance(operation, layers.Layer)
    return None if is_layer else _OPERATIONS.get(type(operation).__name__)


def _leaves_in_place(operation: Any) -> bool:
    """Tell what Keras itself defines, and has no rule here: it acts on each element by itself."""
    is_own = type(operation).__module__.partition(".")[0] == "keras"
    moves = isinstance(operation, _FOREIGN) or type(operation).__name__ in _MOVING
    return is_own and not moves


def _closeness(shape: Shape, wanted: Shape) -> tuple[bool, bool, int]:
    return shape == wanted, len(shape) == len(wanted), math.prod(shape)


def _keep(before: Alignment, shape: Shape) -> Alignment | None:
    """Return the same, where an output has the same places; channels may be others."""
    if len(before.axes) != len(shape):
        return None
    after = before
    for axis, (old, new) in enumerate(zip(before.shape, shape, strict=True)):
        if old != new:
            if old != 1 and axis != len(shape) - 1:
                return None
            after = mix(after, axis, new)
    return after


# ---- windows -------------------------------------------------------------------------------------


def _per_axis(value: Any, n: int) -> tuple[int, ...]:
    values = tuple(value) if isinstance(value, list | tuple) else (value,) * n
    return tuple(int(one) for one in values)


def _is_first(operation: Any) -> bool:
    data_format = getattr(operation, "data_format", None) or keras.config.image_data_format()
    return bool(data_format == "channels_first")


def _places(operation: Any, rank: int) -> range:
    """Return the axes of a tensor that are no batch axis and no channels."""
    return range(2, rank) if _is_first(operation) else range(1, rank - 1)


def _channels(operation: Any) -> int:
    return 1 if _is_first(operation) else -1


def _slide(
    before: Alignment,
    shape: Shape,
    places: Iterable[int],
    sizes: Sequence[int],
    strides: Sequence[int],
    dilations: Sequence[int],
    padding: str,
) -> Alignment:
    """Return the alignment behind windows: a cell lies in the middle of what it is computed from.

    What looks back only, such as a causal convolution, has it at the window's last step.
    """
    after = before
    for k, axis in enumerate(places):
        size, stride = (sizes[k] - 1) * dilations[k] + 1, strides[k]
        offset, radius = (size - 1) / 2, (size - 1) / 2
        if padding == "causal":
            offset, radius = 0.0, size - 1.0
        elif padding == "same":
            length = before.shape[axis]
            missing = (math.ceil(length / stride) - 1) * stride + size - length
            offset -= max(missing, 0) // 2
        after = move(after, axis, shape[axis], offset, stride, radius)
    return after


def _convolution(operation: Any, before: Alignment, shape: Shape, _: Any) -> Alignment:
    places = _places(operation, len(shape))
    n = len(places)
    sizes, strides, dilations = (
        _per_axis(getattr(operation, name), n)
        for name in ("kernel_size", "strides", "dilation_rate")
    )
    after = _slide(before, shape, places, sizes, strides, dilations, operation.padding)
    channels = _channels(operation)
    return mix(after, channels, shape[channels])


def _convolution_operation(
    operation: Any, before: Alignment, shape: Shape, arguments: Any
) -> Alignment | None:
    tensors = [x for x in keras.tree.flatten(arguments) if hasattr(x, "shape")]
    places = _places(operation, len(shape))
    if len(tensors) < 2:
        return None
    n, sizes = len(places), tuple(tensors[1].shape)
    strides, dilations = _per_axis(operation.strides, n), _per_axis(operation.dilation_rate, n)
    after = _slide(before, shape, places, sizes, strides, dilations, operation.padding)
    channels = _channels(operation)
    return mix(after, channels, shape[channels])


def _pooling(operation: Any, before: Alignment, shape: Shape, _: Any) -> Alignment:
    places = _places(operation, len(shape))
    n = len(places)
    sizes = _per_axis(operation.pool_size, n)
    strides = _per_axis(operation.strides or sizes, n)
    return _slide(before, shape, places, sizes, strides, (1,) * n, operation.padding)


def _evenly(operation: Any, before: Alignment, shape: Shape, _: Any) -> Alignment | None:
    """Return the alignment of what is spread evenly over what it was made of."""
    if len(before.axes) != len(shape):
        return None
    after = before
    for axis in _places(operation, len(shape)):
        stride = before.shape[axis] / shape[axis]
        after = move(after, axis, shape[axis], (stride - 1) / 2, stride, stride / 2)
    return after


def _transposed_convolution(operation: Any, before: Alignment, shape: Shape, _: Any) -> Alignment:
    after, places = before, _places(operation, len(shape))
    strides = _per_axis(operation.strides, len(places))
    sizes = _per_axis(getattr(operation, "kernel_size", 1), len(places))
    for axis, stride, size in zip(places, strides, sizes, strict=True):
        # Both have their middle at the same place.
        offset = (before.shape[axis] - 1) / 2 - (shape[axis] - 1) / (2 * stride)
        radius = (size - 1) / (2 * stride)
        after = move(after, axis, shape[axis], offset, 1 / stride, radius)
    channels = _channels(operation)
    return mix(after, channels, shape[channels])


def _global_pooling(operation: Any, before: Alignment, shape: Shape, _: Any) -> Alignment:
    after = before
    for axis in reversed(_places(operation, len(before.axes))):
        length = before.shape[axis]
        if len(shape) == len(before.axes):
            after = move(after, axis, 1, (length - 1) / 2, length, length / 2)
        else:
            after = drop(after, axis)
    return after


# ---- pieces, borders, sizes ----------------------------------------------------------------------


def _pairs(value: Any, n: int) -> list[tuple[int, int]]:
    """Return what is added or taken at both ends of each axis."""
    if n == 1 and isinstance(value, list | tuple) and not isinstance(value[0], list | tuple):
        return [(int(value[0]), int(value[-1]))]
    values = value if isinstance(value, list | tuple) else (value,) * n
    return [_per_axis(one, 2) for one in values]  # type: ignore[misc]


def _crop(operation: Any, before: Alignment, shape: Shape, _: Any) -> Alignment:
    after, places = before, _places(operation, len(shape))
    for axis, (start, _end) in zip(places, _pairs(operation.cropping, len(places)), strict=True):
        after = cut(after, axis, start, shape[axis])
    return after


def _pad(operation: Any, before: Alignment, shape: Shape, _: Any) -> Alignment:
    after, places = before, _places(operation, len(shape))
    for axis, (start, _end) in zip(places, _pairs(operation.padding, len(places)), strict=True):
        after = move(after, axis, shape[axis], -start)
    return after


def _pad_operation(operation: Any, before: Alignment, shape: Shape, _: Any) -> Alignment:
    after = before
    for axis, (start, _end) in enumerate(_pairs(operation.pad_width, len(shape))):
        if shape[axis] != before.shape[axis]:
            after = move(after, axis, shape[axis], -start)
    return after


def _pad_images(operation: Any, before: Alignment, shape: Shape, _: Any) -> Alignment:
    return _shift_images(operation, before, shape, "padding", -1)


def _crop_images(operation: Any, before: Alignment, shape: Shape, _: Any) -> Alignment:
    return _shift_images(operation, before, shape, "cropping", 1)


def _shift_images(
    operation: Any, before: Alignment, shape: Shape, what: str, sign: int
) -> Alignment:
    after = before
    sides = (("top", "bottom"), ("left", "right"))
    for axis, (near, far) in zip(_places(operation, len(shape)), sides, strict=True):
        start, end = (getattr(operation, f"{side}_{what}") for side in (near, far))
        if start is None:  # from the other side, and the size that comes out
            start = abs(before.shape[axis] - shape[axis]) - (end or 0)
        if sign > 0:
            after = cut(after, axis, start, shape[axis])
        else:
            after = move(after, axis, shape[axis], -start)
    return after


def _crop_centre(operation: Any, before: Alignment, shape: Shape, _: Any) -> Alignment:
    places = _places(operation, len(shape))
    size, wanted = [before.shape[axis] for axis in places], [shape[axis] for axis in places]
    if all(old >= new for old, new in zip(size, wanted, strict=True)):
        after = before
        for axis, old, new in zip(places, size, wanted, strict=True):
            after = cut(after, axis, (old - new) // 2, new)
        return after
    return _resized(before, places, wanted, crops=True, pads=False)


def _resize(operation: Any, before: Alignment, shape: Shape, _: Any) -> Alignment:
    places = _places(operation, len(shape))
    return _resized(
        before,
        places,
        [shape[axis] for axis in places],
        crops=bool(operation.crop_to_aspect_ratio),
        pads=bool(operation.pad_to_aspect_ratio),
    )


def _resized(
    before: Alignment, places: Sequence[int], wanted: Sequence[int], *, crops: bool, pads: bool
) -> Alignment:
    """Return the alignment behind a change of size, as Keras rounds a crop or a border for it."""
    after = before
    height, width = (before.shape[axis] for axis in places)
    new_height, new_width = wanted
    fitting = int(width * new_height / new_width), int(height * new_width / new_height)
    for axis, old, fit in zip(places, (height, width), fitting, strict=True):
        if crops:
            kept = max(min(old, fit), 1)
            after = cut(after, axis, int((old - kept) / 2), kept)
        elif pads:
            padded = max(old, fit)
            after = move(after, axis, padded, -int((padded - old) / 2))
    for axis, new in zip(places, wanted, strict=True):
        stride = after.shape[axis] / new
        after = move(after, axis, new, (stride - 1) / 2, stride, stride / 2)
    return after


def _get_item(_: Any, before: Alignment, shape: Shape, arguments: Any) -> Alignment | None:
    args, kwargs = arguments
    key = args[1] if len(args) > 1 else kwargs["key"]
    keys = list(key) if isinstance(key, list | tuple) else [key]
    if any(not isinstance(one, int | slice | None | type(...)) for one in keys):
        return None  # by a tensor: what it picks is not known
    n_axes = len([one for one in keys if one is not None and one is not ...])
    rest = [slice(None)] * (len(before.axes) - n_axes)
    at = keys.index(...) if ... in keys else len(keys)
    keys[at : at + 1] = rest
    after, axis = before, 0
    for one in keys:
        if one is None:
            after = insert(after, axis)
        elif isinstance(one, slice):
            start, stop, step = one.indices(after.shape[axis])
            if (start, step) != (0, 1) or stop != after.shape[axis]:
                after = cut(after, axis, start, len(range(start, stop, step)), step)
        else:
            after = drop(cut(after, axis, one % after.shape[axis], 1), axis)
            continue
        axis += 1
    return after


def _flip(operation: Any, before: Alignment, shape: Shape, _: Any) -> Alignment:
    axes = range(len(shape)) if operation.axis is None else _listed(operation.axis)
    after = before
    for axis in axes:
        after = flip(after, axis)
    return after


def _patches(operation: Any, before: Alignment, shape: Shape, _: Any) -> Alignment | None:
    """Return the alignment of patches, whose pixels are channels: row by row, then by colour."""
    places, channels = _places(operation, len(shape)), _channels(operation)
    n = len(places)
    colours = before.axes[channels]
    if len(before.axes) != len(shape) or len(operation.size) != n:
        return None
    sizes = _per_axis(operation.size, n)
    strides = _per_axis(operation.strides, n)
    rates = _per_axis(operation.dilation_rate, n)
    after, inner = before, []
    for axis, size, stride, rate in zip(places, sizes, strides, rates, strict=True):
        if len(before.axes[axis]) != 1 or (part := before.axes[axis][0]).axis is None:
            return None
        reach = (size - 1) * rate + 1
        missing = (shape[axis] - 1) * stride + reach - before.shape[axis]
        offset = max(missing, 0) // 2 if operation.padding == "same" else 0
        after = move(after, axis, shape[axis], -offset, stride)
        inner.append(Part(part.axis, part.stride * rate, size))
    axes = list(after.axes)
    axes[channels] = (*inner, *colours)
    return after._replace(axes=tuple(axes))


# ---- axes ----------------------------------------------------------------------------------------


def _listed(axes: Any) -> list[int]:
    return list(axes) if isinstance(axes, list | tuple) else [axes]


def _reshape(_: Any, before: Alignment, shape: Shape, __: Any) -> Alignment | None:
    return reshape(before, shape)


def _permute(operation: Any, before: Alignment, _: Shape, __: Any) -> Alignment:
    return permute(before, (0, *operation.dims))


def _transpose(operation: Any, before: Alignment, shape: Shape, _: Any) -> Alignment:
    axes = operation.axes if operation.axes is not None else range(len(shape))[::-1]
    return permute(before, [axis % len(shape) for axis in axes])


def _swap(operation: Any, before: Alignment, shape: Shape, _: Any) -> Alignment:
    axes = list(range(len(shape)))
    one, other = operation.axis1, operation.axis2
    axes[one], axes[other] = axes[other], axes[one]
    return permute(before, axes)


def _move_axis(operation: Any, before: Alignment, shape: Shape, _: Any) -> Alignment:
    rank = len(shape)
    sources, targets = _listed(operation.source), _listed(operation.destination)
    order = [axis for axis in range(rank) if axis not in {source % rank for source in sources}]
    pairs = zip(targets, sources, strict=True)
    for target, source in sorted((target % rank, source % rank) for target, source in pairs):
        order.insert(target, source)
    return permute(before, order)


def _insert_axes(operation: Any, before: Alignment, shape: Shape, _: Any) -> Alignment:
    after = before
    for axis in sorted(axis % len(shape) for axis in _listed(operation.axis)):
        after = insert(after, axis)
    return after


def _repeat_vector(operation: Any, before: Alignment, _: Shape, __: Any) -> Alignment:
    return insert(before, 1, operation.n)


def _reduce(operation: Any, before: Alignment, shape: Shape, _: Any) -> Alignment:
    rank = len(before.axes)
    axes = range(rank) if operation.axis is None else _listed(operation.axis)
    after = before
    for axis in sorted((axis % rank for axis in axes), reverse=True):
        after = mix(after, axis, 1) if len(shape) == rank else drop(after, axis)
    return after


def _nowhere(_: Any, before: Alignment, shape: Shape, __: Any) -> Alignment:
    """Return where zeros lie that are made in the shape of a tensor."""
    after = before
    for axis, size in enumerate(shape):
        after = mix(after, axis, size)
    return after


# ---- layers --------------------------------------------------------------------------------------


def _mix_last(_: Any, before: Alignment, shape: Shape, __: Any) -> Alignment | None:
    return mix(before, -1, shape[-1]) if len(before.axes) == len(shape) else None


def _einsum(operation: Any, before: Alignment, shape: Shape, _: Any) -> Alignment | None:
    given, output = operation.equation.replace(" ", "").split("->")
    given = given.split(",")[0].replace("...", "")
    output = output.replace("...", "")
    extra = len(before.axes) - len(given)
    if extra != len(shape) - len(output):
        return None
    axes = list(before.axes[:extra])
    for letter, size in zip(output, shape[extra:], strict=True):
        at = given.find(letter)
        axes.append(mix(before, 0, size).axes[0] if at < 0 else before.axes[extra + at])
    return before._replace(axes=tuple(axes))


def _embed(_: Any, before: Alignment, shape: Shape, __: Any) -> Alignment:
    return insert(before, len(before.axes), shape[-1])


def _recurrent(operation: Any, before: Alignment, shape: Shape, _: Any) -> Alignment:
    after = mix(before, -1, shape[-1])
    if not operation.return_sequences:
        return drop(after, 1)
    return flip(after, 1) if operation.go_backwards else after


def _convolutional_recurrent(
    operation: Any, before: Alignment, shape: Shape, arguments: Any
) -> Alignment:
    cell = operation.cell
    rank = len(before.axes)
    places = range(3, rank) if _is_first(cell) else range(2, rank - 1)
    n = len(places)
    channels = 2 if _is_first(cell) else rank - 1
    full = shape if operation.return_sequences else (shape[0], before.shape[1], *shape[1:])
    sizes, strides, dilations = (
        _per_axis(getattr(cell, name), n) for name in ("kernel_size", "strides", "dilation_rate")
    )
    after = _slide(before, full, places, sizes, strides, dilations, cell.padding)
    after = mix(after, channels, full[channels])
    if not operation.return_sequences:
        return drop(after, 1)
    return flip(after, 1) if operation.go_backwards else after


def _bidirectional(
    operation: Any, before: Alignment, shape: Shape, arguments: Any
) -> Alignment | None:
    """Return what the forward layer does: the backward one's steps are put in its order."""
    forward = operation.forward_layer
    channels = shape[-1] // (2 if operation.merge_mode == "concat" else 1)
    rule = _rule_of(forward)
    after = rule and rule(forward, before, (*shape[:-1], channels), arguments)
    return after and mix(after, -1, shape[-1])


def _mel_spectrogram(operation: Any, before: Alignment, shape: Shape, _: Any) -> Alignment | None:
    if len(before.axes) != 2:
        return None
    stride, radius = operation.sequence_stride, operation.sequence_length / 2
    after = move(before, 1, shape[-1], 0.0, stride, radius)  # frames are centred
    return insert(after, 1, shape[1])


def _stft_spectrogram(operation: Any, before: Alignment, shape: Shape, _: Any) -> Alignment | None:
    if len(before.axes) != 2 or len(shape) < 3:
        return None
    size = operation.frame_length
    windows = [size], [operation.frame_step or size // 2], [1]
    after = _slide(before, shape, [1], *windows, operation.padding)
    for axis, bands in enumerate(shape[2:], 2):
        after = insert(after, axis, bands)
    return after


def _query(_: Any, before: Alignment, shape: Shape, __: Any) -> Alignment | None:
    return _keep(before, shape)


def _named(names: Iterable[str]) -> tuple[type, ...]:
    return tuple(getattr(layers, name) for name in names if hasattr(layers, name))


def _of_ranks(*kinds: str) -> tuple[type, ...]:
    return _named(f"{kind}{n}D" for kind in kinds for n in (1, 2, 3))


_FOREIGN = (
    *_named(["Lambda", "TorchModuleWrapper", "JaxLayer", "FlaxLayer", "TFSMLayer"]),
    keras.Model,
)

# Operations of Keras that may give what has the same shape, and lies elsewhere.
_MOVING = {
    "AffineTransform", "Argsort", "Cond", "Correlate", "Cumprod", "Cumsum", "Dot", "Einsum",
    "ElasticTransform", "FFT", "FFT2", "IFFT2", "IRFFT", "ISTFT", "Map",
    "MapCoordinates", "Matmul", "PerspectiveTransform", "RFFT", "Repeat", "Roll", "Rot90", "STFT",
    "Scan", "Scatter", "ScatterUpdate", "Sort", "Split", "Stack", "Take", "TakeAlongAxis",
    "Tensordot", "Tile", "Unfold", "Unstack", "VectorizedMap", "WhileLoop",
}  # fmt: skip

# The first that fits counts: a ConvLSTM is an RNN, too.
_LAYERS: tuple[tuple[tuple[type, ...], Rule], ...] = (
    (_of_ranks("ConvLSTM"), _convolutional_recurrent),
    (_named(f"Conv{n}DTranspose" for n in (1, 2, 3)), _transposed_convolution),
    (_of_ranks("Conv", "DepthwiseConv", "SeparableConv"), _convolution),
    (_of_ranks("MaxPooling", "AveragePooling"), _pooling),
    (_of_ranks("GlobalAveragePooling", "GlobalMaxPooling"), _global_pooling),
    (_of_ranks("UpSampling", "AdaptiveAveragePooling", "AdaptiveMaxPooling"), _evenly),
    (_of_ranks("Cropping"), _crop),
    (_of_ranks("ZeroPadding"), _pad),
    (_named(["CenterCrop"]), _crop_centre),
    (_named(["Resizing"]), _resize),
    (_named(["Permute"]), _permute),
    (_named(["Reshape", "Flatten"]), _reshape),
    (_named(["RepeatVector"]), _repeat_vector),
    (_named(["Dense"]), _mix_last),
    (_named(["EinsumDense"]), _einsum),
    (_named(["Embedding"]), _embed),
    (_named(["Bidirectional"]), _bidirectional),
    (_named(["LSTM", "GRU", "SimpleRNN", "RNN"]), _recurrent),
    (_named(["MelSpectrogram"]), _mel_spectrogram),
    (_named(["STFTSpectrogram"]), _stft_spectrogram),
    (_named(["AdditiveAttention", "Attention", "GroupedQueryAttention", "MultiHeadAttention"]),
     _query),
)  # fmt: skip

_OPERATIONS: dict[str, Rule] = {
    "AveragePool": _pooling,
    "Conv": _convolution_operation,
    "CropImages": _crop_images,
    "DepthwiseConv": _convolution_operation,
    "ExpandDims": _insert_axes,
    "Flip": _flip,
    "FoldFrames": _reshape,
    "ExtractPatches": _patches,
    "FullLike": _nowhere,
    "GetItem": _get_item,
    "Max": _reduce,
    "MaxPool": _pooling,
    "Mean": _reduce,
    "Min": _reduce,
    "Moveaxis": _move_axis,
    "OnesLike": _nowhere,
    "Pad": _pad_operation,
    "PadImages": _pad_images,
    "Ravel": _reshape,
    "Reshape": _reshape,
    "Resize": _resize,
    "Squeeze": _reshape,
    "Sum": _reduce,
    "Swapaxes": _swap,
    "Transpose": _transpose,
    "UnfoldFrames": _reshape,
    "ZerosLike": _nowhere,
}
