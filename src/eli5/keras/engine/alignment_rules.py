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

from eli5.keras.engine import axis_rules, window_rules
from eli5.keras.engine.alignment import (
    Alignment,
    Shape,
    drop,
    flip,
    insert,
    join,
    meet,
    mix,
    move,
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
    places = range(3, rank) if window_rules.is_channels_first(cell) else range(2, rank - 1)
    n = len(places)
    channels = 2 if window_rules.is_channels_first(cell) else rank - 1
    full = shape if operation.return_sequences else (shape[0], before.shape[1], *shape[1:])
    sizes, strides, dilations = (
        window_rules.per_axis(getattr(cell, name), n)
        for name in ("kernel_size", "strides", "dilation_rate")
    )
    after = window_rules.slide(before, full, places, sizes, strides, dilations, cell.padding)
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
    after = window_rules.slide(before, shape, [1], *windows, operation.padding)
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
    (_named(f"Conv{n}DTranspose" for n in (1, 2, 3)), window_rules.transposed_convolution),
    (_of_ranks("Conv", "DepthwiseConv", "SeparableConv"), window_rules.convolution),
    (_of_ranks("MaxPooling", "AveragePooling"), window_rules.pooling),
    (_of_ranks("GlobalAveragePooling", "GlobalMaxPooling"), window_rules.global_pooling),
    (_of_ranks("UpSampling", "AdaptiveAveragePooling", "AdaptiveMaxPooling"), window_rules.evenly),
    (_of_ranks("Cropping"), axis_rules.crop),
    (_of_ranks("ZeroPadding"), axis_rules.pad),
    (_named(["CenterCrop"]), axis_rules.crop_centre),
    (_named(["Resizing"]), axis_rules.resize),
    (_named(["Permute"]), axis_rules.permute_dims),
    (_named(["Reshape", "Flatten"]), axis_rules.fold),
    (_named(["RepeatVector"]), axis_rules.repeat_vector),
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
    "AveragePool": window_rules.pooling,
    "Conv": window_rules.convolution_operation,
    "CropImages": axis_rules.crop_images,
    "DepthwiseConv": window_rules.convolution_operation,
    "ExpandDims": axis_rules.insert_axes,
    "Flip": axis_rules.turn_round,
    "FoldFrames": axis_rules.fold,
    "ExtractPatches": axis_rules.patches,
    "FullLike": axis_rules.fill,
    "GetItem": axis_rules.get_item,
    "Max": axis_rules.reduce,
    "MaxPool": window_rules.pooling,
    "Mean": axis_rules.reduce,
    "Min": axis_rules.reduce,
    "Moveaxis": axis_rules.move_axis,
    "OnesLike": axis_rules.fill,
    "Pad": axis_rules.pad_operation,
    "PadImages": axis_rules.pad_images,
    "Ravel": axis_rules.fold,
    "Reshape": axis_rules.fold,
    "Resize": axis_rules.resize,
    "Squeeze": axis_rules.fold,
    "Sum": axis_rules.reduce,
    "Swapaxes": axis_rules.swap,
    "Transpose": axis_rules.transpose,
    "UnfoldFrames": axis_rules.fold,
    "ZerosLike": axis_rules.fill,
}
