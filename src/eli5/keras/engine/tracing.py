"""What a model does when it is called: which layers, in which order, with which shapes."""

from __future__ import annotations

import math
import weakref
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import keras
from keras import layers

from eli5.keras.engine.alignment import Alignment, align_input
from eli5.keras.engine.alignment_rules import align, has_rule
from eli5.keras.engine.attention import Attention, AttentionRecorder
from eli5.keras.engine.hooks import FoldFrames, UnfoldFrames, Watch
from eli5.keras.engine.query import Site

Shape = tuple[int, ...]


class Call(NamedTuple):
    """One call of one operation, in the order in which calls returned."""

    # The operation, weakly, because the engine's cache must not keep the model alive; where it
    # stands in the model, such as ``"resnet50/conv5_block3_out"``.
    operation: weakref.ref[keras.Operation]
    path: str
    # The operations that were being called around it, the outermost first.
    within: tuple[weakref.ref[keras.Operation], ...]
    nth: int  # which call of this operation it was, from 0
    # Of its output, the batch axis included; ``()`` and ``""`` if that is not one tensor.
    shape: Shape
    dtype: str
    # False where the very tensor of an earlier call came out again: an inactive dropout, or a
    # nested model, whose output is that of its own last layer.
    is_new: bool
    # False behind global pooling: where the output has no two positions, or was computed from such
    # outputs, or from inputs other than the picture, alone.
    has_positions: bool
    # Whether the channels are the first axis behind the batch axis; of an output of rank 3, where
    # it is a map over time or tokens. Tokens of a picture have them last in any case.
    channels_first: bool
    # False inside of a loop, branch or rematerialised part that the output cannot be taken from.
    is_outside: bool
    source: int  # the position in the trace of the call that gave this very tensor first
    # The source of the one tensor that it took, untouched since; None if it took several, or one
    # that no call gave.
    parent: int | None
    alignment: Alignment | None = None  # where its output lies in the input, if it is one tensor

    def is_of(self, site: Site) -> bool:
        """Tell whether this is the call that a site reads."""
        return self.operation() is site.operation and self.nth == site.nth

    def is_within(self, kinds: tuple[type, ...]) -> bool:
        """Tell whether an operation of one of these kinds was being called around it."""
        return any(isinstance(around(), kinds) for around in self.within)


class Trace(NamedTuple):
    """One run of a model.

    `outputs` is what it returned, with a `keras.KerasTensor` for each tensor and None for all else,
    and `activations` the softmax or sigmoid that each came from, if any, in the order of
    `keras.tree.flatten`.
    `channels_first` tells the layout of the picture, `is_layout_known` whether that is more than a
    guess. `attentions` are the softmaxes and fused attentions that may be one.
    """

    calls: list[Call]
    outputs: Any
    activations: list[str | None]
    channels_first: bool
    is_layout_known: bool = True
    # Where each of the outputs lies, as far as that is known; see `Call.alignment`.
    alignments: tuple[Alignment | None, ...] = ()
    attentions: tuple[Attention, ...] = ()

    def index_of(self, site: Site) -> int:
        """Return the position of a site's call among the calls."""
        return next(k for k, call in enumerate(self.calls) if call.is_of(site))


class _TensorInfo(NamedTuple):
    """What is remembered of a tensor; its id may be that of another one by now."""

    reference: weakref.ref[Any]
    has_positions: bool
    channels_first: bool
    source: int = -1
    version: float = 0
    is_time_last: bool = False


_CHANNELS = (1, 3, 4)  # numbers that pictures have

# Where the channels go when axes are moved: (2, 3, 1) is a Permute from first to last.
_MOVES = {(2, 3, 1): False, (0, 2, 3, 1): False, (3, 1, 2): True, (0, 3, 1, 2): True}
_SWAPS = {(2, 1), (0, 2, 1)}  # of time and channels
_STEPPING = (
    layers.RNN,
    layers.Bidirectional,
)  # take the first axis for steps, the last for channels


class Recorder:
    """Writes down the calls; to be given to `hooks.watch`.

    `level` tells a tensor inside of a loop, a branch or a rematerialised part from one outside,
    `version` a tensor that was written into from the same before. `picture` is the input whose
    positions matter.
    """

    def __init__(self, level: Any, version: Any, picture: Any, others: Iterable[Any]) -> None:
        self._level, self._outside, self._version = level, level(picture), version
        self.calls: list[Call] = []
        self.attentions = AttentionRecorder(self.alignment_of)
        self.note_contraction = self.attentions.note_contraction
        self._counts: dict[int, int] = {}
        self._infos: dict[int, _TensorInfo] = {}
        self._default = keras.config.image_data_format() == "channels_first"
        self._input_layout: bool | None = None
        self._is_layout_told = False
        # As told by layers that take an axis for channels, and by recurrent ones, which count less:
        # beside convolutions they are also given channels for steps (LSTM-FCN, arXiv:1709.05206).
        self._seen_layout: bool | None = None
        self._stepped_layout: bool | None = None
        self._input_shape = tuple(int(size) for size in picture.shape)
        self._alignments: dict[int, tuple[weakref.ref[Any], Alignment]] = {}
        self._note_alignment(picture, align_input(self._input_shape))
        for tensor in others:
            self._infos[id(tensor)] = _TensorInfo(weakref.ref(tensor), False, self._default)

    def __call__(self, running: Sequence[keras.Operation], arguments: Any, output: Any) -> Any:
        """Note the call that returned; see `eli5.keras.engine.hooks.watch`."""
        operation = running[-1]
        if isinstance(operation, FoldFrames | UnfoldFrames):  # no part of the model itself
            self._note_alignment(
                output, self._align(operation, spec_of(output).shape, arguments, output)
            )
            return output
        nth = self._counts.get(id(operation), 0)
        self._counts[id(operation)] = nth + 1
        shape, dtype, known, info, alignment = (), "", None, None, None
        if keras.ops.is_tensor(output):
            spec = spec_of(output)
            shape, dtype, known = spec.shape, spec.dtype, self._info_of(output)
            info = known or self._describe(operation, shape, arguments, output)
            self._infos[id(output)] = info
            alignment = self._align(operation, shape, arguments, output)
            self._note_alignment(output, alignment)
            self.attentions.note_returned(running, output)
        if len(running) > 1:  # else it is the model itself
            self.calls.append(
                Call(
                    operation=weakref.ref(operation),
                    path="/".join(op.name for op in running[1:]),
                    within=tuple(map(weakref.ref, running[:-1])),
                    nth=nth,
                    shape=shape,
                    dtype=dtype,
                    is_new=known is None,
                    has_positions=info is not None and info.has_positions,
                    channels_first=info is not None and _is_first(info, shape),
                    is_outside=self._level(_first_tensor(output)) == self._outside,
                    source=info.source if info else len(self.calls),
                    parent=self._parent(arguments),
                    alignment=alignment,
                )
            )
        return output

    @property
    def channels_first(self) -> bool:
        """Whether the picture's channels come first: as told by what takes them for channels."""
        if self._seen_layout is not None:
            return self._seen_layout
        if len(self._input_shape) > 3 and not self._is_layout_told:
            # Nothing says so but its size, of which few are those of channels.
            first, last = (self._input_shape[axis] in _CHANNELS for axis in (1, -1))
            return first if first != last else self._default
        if len(self._input_shape) < 4 and self._stepped_layout is not None:
            return self._stepped_layout
        if self._input_layout is None:
            return self._default and len(self._input_shape) > 3
        return self._input_layout

    @property
    def is_layout_known(self) -> bool:
        """Whether anything tells where the picture's channels are."""
        first, last = (self._input_shape[axis] in _CHANNELS for axis in (1, -1))
        is_told = self._seen_layout is not None or self._is_layout_told
        return is_told or len(self._input_shape) < 4 or first != last

    def finish(self) -> list[Call]:
        """Return the calls, with the layout of each map as far as it was followed."""
        rank = len(self._input_shape)
        if rank < 4:
            return self.calls
        places = range(2, rank) if self.channels_first else range(1, rank - 1)
        return [
            call if layout is None else call._replace(channels_first=layout)
            for call in self.calls
            for layout in [_layout(call, places)]
        ]

    def _note_seen_layout(
        self, operation: keras.Operation, given: list[tuple[Shape, Alignment | None]]
    ) -> None:
        """Note which axis of the picture a layer takes for its channels."""
        own, rank = _data_format(operation), len(self._input_shape)
        is_stepping = own is None and isinstance(operation, _STEPPING)
        if self._seen_layout is not None or not given or (own is None and not is_stepping):
            return
        shape, alignment = given[0]
        if len(shape) != rank or rank < 3 or (is_stepping and rank > 3):
            return
        axis = 1 if own else -1
        if alignment is not None and alignment.root is None:
            own_axes = {part.axis for part in alignment.axes[axis]}
            along = {at for at in (1, rank - 1) if at in own_axes}
        else:
            along = self._axes_as_long(shape, axis)
        if len(along) == 1 and is_stepping:
            self._stepped_layout = along == {1}
        elif len(along) == 1:
            self._seen_layout = along == {1}

    def _axes_as_long(self, shape: Shape, axis: int) -> set[int]:
        """Return which of the picture's first and last axis may have become one of a tensor.

        The model's own code has moved them, and their number may tell; but if it has also changed
        their sizes, an axis with the number of a picture's channels is rather these.
        """
        ends = {1, len(self._input_shape) - 1}
        if sorted(shape[1:]) != sorted(self._input_shape[1:]):
            if len(shape) == 3:  # of a series, no number is that of channels
                return set()
            likely = {at for at in ends if self._input_shape[at] in _CHANNELS}
            ends = likely if len(likely) == 1 else ends
        return {at for at in ends if self._input_shape[at] == shape[axis]}

    def note_cast(self, tensor: Any, output: Any) -> None:
        """Note that `output` is `tensor` in another type; see `eli5.keras.engine.hooks.watch`."""
        self.attentions.note_same(tensor, output)
        if (alignment := self.alignment_of(tensor)) is not None and output.shape == tensor.shape:
            self._note_alignment(output, alignment)

    def on_attention(self, watching: Watch, shape: Shape, tensor: Any, is_fused: bool) -> None:
        """Note what may be the matrix of an attention; see `eli5.keras.engine.hooks.Watch`."""
        is_outside = self._level(tensor) == self._outside
        self.attentions.note(
            watching, shape, tensor, is_fused, position=len(self.calls), is_outside=is_outside
        )

    def _note_alignment(self, tensor: Any, alignment: Alignment) -> None:
        self._alignments[id(tensor)] = weakref.ref(tensor), alignment

    def alignment_of(self, tensor: Any) -> Alignment | None:
        """Return where a tensor lies, if that is known."""
        reference, alignment = self._alignments.get(id(tensor), (None, None))
        return alignment if reference is not None and reference() is tensor else None

    def _align(
        self, operation: keras.Operation, shape: Shape, arguments: Any, output: Any
    ) -> Alignment:
        """Return where an output lies: in the input, or if that is not known in itself."""
        known = self.alignment_of(output)  # by an operation within
        if known is None or has_rule(operation):
            tensors = filter(keras.ops.is_tensor, keras.tree.flatten(arguments))
            given = [(spec_of(tensor).shape, self.alignment_of(tensor)) for tensor in tensors]
            self._note_seen_layout(operation, given)
            known = align(operation, given, arguments, shape) or known
        return known or align_input(shape, root=len(self.calls))

    def _info_of(self, tensor: Any) -> _TensorInfo | None:
        info = self._infos.get(id(tensor))
        return info if info is not None and info.reference() is tensor else None

    def _parent(self, arguments: Any) -> int | None:
        tensors = list(filter(keras.ops.is_tensor, keras.tree.flatten(arguments)))
        info = self._info_of(tensors[0]) if len(tensors) == 1 else None
        is_untouched = info is not None and info.version == self._version(tensors[0])
        return info.source if info is not None and is_untouched else None

    def _describe(
        self, operation: keras.Operation, shape: Shape, arguments: Any, output: Any
    ) -> _TensorInfo:
        tensors = list(filter(keras.ops.is_tensor, keras.tree.flatten(arguments)))
        parents = [self._info_of(tensor) for tensor in tensors]
        # What no layer gave, the input or a user's own computation, may well have positions.
        is_pooled = bool(parents) and all(p is not None and not p.has_positions for p in parents)
        inherited = next((p.channels_first for p in parents if p is not None), self._default)
        moved = _MOVES.get(_axes(operation))  # whether to first, if they are moved
        channels_first = next(
            layout for layout in (moved, _data_format(operation), inherited) if layout is not None
        )
        is_time_last = len(shape) == 3 and _is_time_last(operation, tensors, parents)
        if self._input_layout is None and None in parents:
            self._note_layout(operation, channels_first if moved is None else not moved)
        source, version = len(self.calls), self._version(output)
        info = _TensorInfo(weakref.ref(output), True, channels_first, source, version, is_time_last)
        grid = shape[2:] if _is_first(info, shape) else shape[1:-1]
        if len(shape) == 2 and shape == self._input_shape:  # still one number per token
            grid = shape[1:]
        # A text of one token, or a series of one step, has no other positions.
        is_one_step = len(self._input_shape) in (2, 3) and self._input_shape[1] == 1
        has_several = math.prod(grid) > 1 or (is_one_step and len(shape) == 3)
        return info._replace(has_positions=has_several and not is_pooled)

    def _note_layout(self, operation: keras.Operation, channels_first: bool) -> None:
        """Note the layout of the picture, as the first layer that takes it sees it."""
        is_picture = len(self._input_shape) > 3
        self._is_layout_told = _data_format(operation) is not None or _axes(operation) in _MOVES
        self._input_layout = channels_first if is_picture else _data_format(operation)


def _first_tensor(output: Any) -> Any:
    """Return the first tensor of what gives its tokens and more."""
    return output[0] if isinstance(output, tuple | list) and output else output


def _layout(call: Call, places: range) -> bool | None:
    """Tell whether a map's channels come first, by the axes that lie along those of the input."""
    alignment = call.alignment
    if alignment is None or alignment.root is not None or len(call.shape) < 4:
        return None
    others = [
        axis
        for axis, parts in enumerate(alignment.axes[1:], 1)
        if not any(part.axis in places for part in parts)
    ]
    return others == [1] if len(others) == 1 else None


def _is_first(info: _TensorInfo, shape: Shape) -> bool:
    return info.is_time_last if len(shape) == 3 else info.channels_first


def _is_time_last(operation: keras.Operation, tensors: list[Any], parents: list[Any]) -> bool:
    """Tell whether an output of rank 3 has its channels before time or tokens."""
    own = _data_format(operation)
    if own is not None:
        return own
    rows = zip(tensors, parents, strict=True)
    before = [info.is_time_last for x, info in rows if info and len(x.shape) == 3]
    return (_axes(operation) in _SWAPS) != (before[0] if before else False)


def _data_format(operation: keras.Operation) -> bool | None:
    """Tell whether an operation has the channels first; None if it does not say."""
    data_format = getattr(operation, "data_format", None)
    if isinstance(operation, layers.Flatten) and data_format == keras.config.image_data_format():
        return None  # by default, of whatever it is given
    return data_format == "channels_first" if isinstance(data_format, str) else None


def _axes(operation: keras.Operation) -> tuple[int, ...]:
    """Return the axes that an operation puts in another order, or none."""
    axes = getattr(operation, "dims", None) or getattr(operation, "axes", None)
    return tuple(axes) if isinstance(axes, list | tuple) else ()


def of_one_sample(trace: Trace, n_samples: int) -> Trace:
    """Return the trace of a model that saw `n_samples` with the shapes of one of them."""
    if n_samples == 1:
        return trace

    def per_sample(shape: Shape) -> Shape:
        rows, rest = divmod(shape[0], n_samples) if shape else (0, 1)
        return shape if rest else (rows, *shape[1:])

    def spec_per_sample(spec: keras.KerasTensor | None) -> keras.KerasTensor | None:
        return None if spec is None else keras.KerasTensor(per_sample(spec.shape), spec.dtype)

    return trace._replace(
        calls=[call._replace(shape=per_sample(call.shape)) for call in trace.calls],
        attentions=tuple(a._replace(shape=per_sample(a.shape)) for a in trace.attentions),
        outputs=keras.tree.map_structure(spec_per_sample, trace.outputs),
    )


def spec_of(tensor: Any) -> keras.KerasTensor:
    """Return the shape and dtype of a backend's tensor or a NumPy array."""
    shape = tuple(int(size) for size in tensor.shape)
    return keras.KerasTensor(shape, keras.backend.standardize_dtype(tensor.dtype))


def spec_of_output(output: Any) -> keras.KerasTensor | None:
    """Return shape and dtype, or None of what a model may return beside tensors: a text, None."""
    return spec_of(output) if keras.ops.is_tensor(output) else None
