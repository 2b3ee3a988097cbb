"""Which axis of the doc each axis of a layer's output stands for.

A map is drawn over the doc, so its axes must be the doc's own. Most layers keep them; this follows
those that do not: reshapes, permutations, spectrograms, recurrent layers that sum up a video.
"""

from __future__ import annotations

import math
from typing import Any

from keras import layers

from eli5.keras.engine import Call, Trace

Shape = tuple[int, ...]
# Per axis behind the batch axis: the number of the doc's, or None for one that is none of its own.
Axes = tuple[int | None, ...]

_SUM_UP = tuple(getattr(layers, f"ConvLSTM{n}D") for n in (1, 2, 3))
SPECTROGRAMS = tuple(
    getattr(layers, name) for name in ("MelSpectrogram", "STFTSpectrogram") if hasattr(layers, name)
)


def axes_of_calls(trace: Trace, doc: Shape, start: int | None = None) -> list[Axes | None]:
    """Return the axes of the output of each call.

    Parameters
    ----------
    trace : Trace
    doc : tuple of int
        The shape of the doc, or of what stands for it, batch axis included.
    start : int, optional
        The position of the call whose output stands for the doc, in the place of the input: nothing
        before it is a map.

    Returns
    -------
    list of Axes, or of None where nothing is known
        As of an operation of a user's own that changes the rank.
    """
    own: Axes = tuple(range(len(doc) - 1))
    known: dict[int, Axes | None] = {}
    last: dict[int, Axes | None] = {len(doc): own} if start is None else {}  # by rank
    found: list[Axes | None] = []
    has_begun = start is None
    for call in trace.calls:
        axes: Axes | None
        if start is not None and call.source == start:
            axes, has_begun = own, True
        elif not has_begun or not call.shape:
            axes = (None,) * len(call.shape[1:])
        elif not call.is_new:
            axes = known.get(call.source)
        else:
            axes = _axes(call, _taken(trace, call, doc, known, last))
        known.setdefault(call.source, axes)
        if call.has_positions and has_begun:
            last[len(call.shape)] = axes
        found.append(axes)
    return found


def is_waveform(trace: Trace, doc: Shape) -> bool:
    """Tell whether a layer makes a spectrogram of the doc, which is so a series over time."""
    return len(doc) in (2, 3) and any(
        isinstance(call.operation(), SPECTROGRAMS) and _holds_doc(trace, call.parent, doc)
        for call in trace.calls
    )


def _holds_doc(trace: Trace, parent: int | None, doc: Shape) -> bool:
    """Tell whether an output is the doc, number by number, scaled or reshaped at most."""
    while parent is not None:
        if math.prod(trace.calls[parent].shape) != math.prod(doc):
            return False
        parent = trace.calls[parent].parent
    return True


def _taken(
    trace: Trace,
    call: Call,
    doc: Shape,
    known: dict[int, Axes | None],
    last: dict[int, Axes | None],
) -> tuple[Shape, Axes] | None:
    """Return shape and axes of the tensor that a call takes; None if nothing is known of it.

    Of several tensors it is assumed that they are as the last output of that rank was.
    """
    if call.parent is not None:
        axes = known.get(call.parent)
        return None if axes is None else (trace.calls[call.parent].shape, axes)
    operation, rank = call.operation(), len(call.shape)
    reads_doc = isinstance(operation, layers.Reshape) and math.prod(doc) == math.prod(call.shape)
    if reads_doc or isinstance(operation, (*SPECTROGRAMS, layers.Embedding, layers.Permute)):
        return doc, tuple(range(len(doc) - 1))
    if call.alignment is not None and call.alignment.root is not None:
        return None  # the model's own code may have moved it
    axes = last.get(rank)
    if isinstance(operation, _SUM_UP) and not operation.return_sequences:
        axes = last.get(rank + 1)
        return None if axes is None else ((*call.shape, 1), axes)
    if rank not in last and rank - 1 in last:  # with an axis of channels behind
        before = last[rank - 1]
        axes = None if before is None else (*before, None)
    if rank not in last and not known:  # the first takes the doc
        return doc, tuple(range(len(doc) - 1))
    return None if axes is None else (call.shape, axes)


def _axes(call: Call, taken: tuple[Shape, Axes] | None) -> Axes | None:
    """Return the axes of what a call gives from those of what it takes."""
    if taken is None:
        return None
    (shape, axes), operation, new = taken, call.operation(), call.shape
    name = type(operation).__name__
    if isinstance(operation, SPECTROGRAMS):
        time = len(new) - 2 if name == "MelSpectrogram" else 0
        return tuple(axes[0] if k == time else None for k in range(len(new) - 1))
    if (shape[0], new[0]) != (1, 1):  # folded into the samples, or out of them
        return None
    if name in ("Permute", "Transpose") and len(new) == len(shape):
        return _permuted(operation, axes)
    if name in ("Reshape", "ExpandDims", "Squeeze"):
        return _reshaped(shape[1:], new[1:], axes)
    if len(new) == len(shape):
        return axes
    if isinstance(operation, _SUM_UP):
        return axes[1:]
    if len(new) == len(shape) + 1 and new[:-1] == shape:  # as an embedding
        return (*axes, None)
    return _without_one(shape, new, axes, getattr(operation, "axis", None))


def _permuted(operation: Any, axes: Axes) -> Axes | None:
    order = getattr(operation, "dims", None) or getattr(operation, "axes", None)
    if not isinstance(order, list | tuple):
        return None
    order = [axis - 1 for axis in (order[1:] if len(order) > len(axes) else order)]
    return tuple(axes[axis] for axis in order) if sorted(order) == [*range(len(axes))] else None


def _reshaped(old: Shape, new: Shape, axes: Axes) -> Axes | None:
    """Return the axes behind a reshape.

    An axis that is cut goes on, coarser, in the first of its parts. One that is joined to the
    channels, the last axis, is gone; where two others are joined, as tokens, nothing is known.
    """
    kept: list[int | None] = []
    i = 0
    while len(kept) < len(new):
        j = len(kept)
        if i < len(old) and old[i] == new[j]:
            kept.append(axes[i])
            i += 1
        elif new[j] == 1:
            kept.append(None)
        else:
            taken, n_parts = _group(old[i:], new[j:])
            joined = [k for k in range(i, i + taken) if old[k] > 1]
            if len(joined) > 1 and n_parts > 1:  # cut anew across
                return (None,) * len(new)
            if len(joined) > 1 and joined[1] < len(old) - 1:
                return None
            kept += [axes[joined[0]] if len(joined) == 1 else None, *[None] * (n_parts - 1)]
            i += taken
    return tuple(kept)


def _group(old: Shape, new: Shape) -> tuple[int, int]:
    """Return how many of the first old and new axes, one at least, hold as many elements."""
    i = j = 1
    while math.prod(old[:i]) != math.prod(new[:j]):
        if math.prod(old[:i]) < math.prod(new[:j]):
            i += 1
        else:
            j += 1
    return i, j


def _without_one(shape: Shape, new: Shape, axes: Axes, axis: Any) -> Axes | None:
    """Return the axes behind an operation that drops an axis, as a mean over it does."""
    if len(new) != len(shape) - 1:
        return None
    axis = axis[0] if isinstance(axis, list | tuple) and len(axis) == 1 else axis
    old = shape[1:]
    if isinstance(axis, int):
        dropped = [axis % len(shape) - 1]
    else:
        dropped = [k for k in range(len(axes)) if (*old[:k], *old[k + 1 :]) == new[1:]]
    if len(dropped) != 1 or dropped[0] < 0:
        return None
    return (*axes[: dropped[0]], *axes[dropped[0] + 1 :])
