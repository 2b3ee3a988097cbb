"""What a model does when it is called: which layers, in which order, with which shapes."""

from __future__ import annotations

import math
import weakref
from collections.abc import Sequence
from typing import Any, NamedTuple

import keras

Shape = tuple[int, ...]


class Call(NamedTuple):
    """One call of one operation, in the order in which calls returned.

    Attributes
    ----------
    operation : weakref.ref of keras.Operation
        Weak, because the engine's cache must not keep the model alive.
    path : str
        Where it stands in the model, such as ``"resnet50/conv5_block3_out"``.
    nth : int
        Which call of this operation it was, from 0.
    shape, dtype
        Of its output, the batch axis included.
    is_new : bool
        False where the very tensor of an earlier call came out again: an inactive dropout, or a
        nested model, whose output is that of its own last layer.
    has_place : bool
        False behind global pooling: where the output has no two positions, or was computed from
        such outputs alone.
    """

    operation: weakref.ref[keras.Operation]
    path: str
    nth: int
    shape: Shape
    dtype: str
    is_new: bool
    has_place: bool


class Trace(NamedTuple):
    """One run of a model: its calls, its output(s) as specs, and the final activation's name."""

    calls: list[Call]
    outputs: Any
    activation: str | None


class Recorder:
    """Writes down the calls; to be given to `hooks.watch`."""

    def __init__(self) -> None:
        self.calls: list[Call] = []
        self._counts: dict[int, int] = {}
        # By id, which may be that of another tensor by now; hence the reference.
        self._has_place: dict[int, tuple[weakref.ref[Any], bool]] = {}

    def __call__(self, running: Sequence[keras.Operation], arguments: Any, output: Any) -> Any:
        """Note the call that returned; see `eli5.keras.engine.hooks.watch`."""
        operation = running[-1]
        nth = self._counts.get(id(operation), 0)
        self._counts[id(operation)] = nth + 1
        if keras.ops.is_tensor(output):
            shape = tuple(int(size) for size in output.shape)
            known = self._look_up(output)
            has_place = self._judge(shape, arguments) if known is None else known
            self._has_place[id(output)] = weakref.ref(output), has_place
            path = "/".join(op.name for op in running[1:]) or operation.name
            dtype = keras.backend.standardize_dtype(output.dtype)
            reference = weakref.ref(operation)
            self.calls.append(Call(reference, path, nth, shape, dtype, known is None, has_place))
        return output

    def _look_up(self, tensor: Any) -> bool | None:
        reference, has_place = self._has_place.get(id(tensor), (lambda: None, None))
        return has_place if reference() is tensor else None

    def _judge(self, shape: Shape, arguments: Any) -> bool:
        if math.prod(shape[1:-1]) <= 1:
            return False
        tensors = filter(keras.ops.is_tensor, keras.tree.flatten(arguments))
        places = [self._look_up(tensor) for tensor in tensors]
        # What no layer gave, the input or a user's own computation, may well have places.
        return not places or not all(place is False for place in places)


def spec_of(tensor: Any) -> keras.KerasTensor:
    """Return the shape and dtype of a backend's tensor or a NumPy array."""
    shape = tuple(int(size) for size in tensor.shape)
    return keras.KerasTensor(shape, keras.backend.standardize_dtype(tensor.dtype))
