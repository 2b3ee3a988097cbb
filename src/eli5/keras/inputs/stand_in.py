"""What a model makes a picture of, in the place of a doc that is none: flat columns, a waveform.

The output of one layer then stands for the doc: it is shown, hidden in parts and differentiated.
"""

from __future__ import annotations

import math
import os
from typing import Any, NamedTuple

import keras
import numpy as np
from keras import layers

from eli5.keras import engine
from eli5.keras.inputs.model_inputs import ModelInputs, read_output

Array = np.ndarray[Any, Any]

_MOST_NAMES = 8  # of layers, in an error: a deep model has hundreds


class StandIn(NamedTuple):
    """The call of a layer whose output stands for the doc, and that output, batch axis included."""

    call: engine.Call
    values: Array


def find_stand_in(
    model: keras.Model,
    inputs: ModelInputs,
    trace: engine.Trace,
    image: Any,
    grid: tuple[int, ...] | None,
    n_samples: int = 1,
    *,
    is_picture: bool = False,
) -> StandIn | None:
    """Return what stands for the doc, if anything is to.

    Parameters
    ----------
    model, inputs, trace
        See `eli5.keras.inputs.sample.Sample`.
    image : Pillow image or str, optional
        The name of a layer whose output is the picture.
    grid : tuple of int, optional
        Height and width of the picture that flat columns are.
    n_samples : int
        How many the model takes at once.
    is_picture : bool
        Whether the caller says that the doc is a picture, which flat columns may be.

    Raises
    ------
    TypeError
        If `image` names no layer whose output is a picture.
    ValueError
        If the model folds the columns to another grid.
    """
    if isinstance(image, str):
        call = _named(trace, image)
        return StandIn(call, read_output(model, inputs.arrays, call, n_samples))
    if inputs.values.ndim != 2 or not (is_picture or grid is not None):
        return None
    folded = _folded(trace, inputs.values.shape)
    return None if folded is None else _of_columns(folded, inputs.values, grid)


def _of_columns(call: engine.Call, values: Array, grid: tuple[int, ...] | None) -> StandIn:
    size = call.shape[2:] if call.channels_first else call.shape[1:3]
    if grid is not None and tuple(grid) != size:
        raise ValueError(
            f"Expected `grid` to be {size}, to which the model's layer {call.path!r} folds the "
            f"columns of `doc`. Received: grid={tuple(grid)}"
        )
    return StandIn(call, values.reshape(call.shape))


def _named(trace: engine.Trace, name: str) -> engine.Call:
    pictures = [call for call in trace.calls if _is_picture(call)]
    for call in reversed(pictures):
        if name in (call.path, getattr(call.operation(), "name", None)):
            return call
        if call.path.endswith(f"/{name}"):
            return call
    received = f"Expected `image` to be a Pillow image. Received: image of type str, image={name!r}"
    if os.path.splitext(name)[1]:
        raise TypeError(f"{received}. Open the file: `PIL.Image.open({name!r})`")
    names = list(dict.fromkeys(call.path for call in pictures))
    raise TypeError(
        f"{received}, which is not the name of a layer whose output is a picture, (1, height, "
        f"width) or (1, height, width, channels), as are {names[-_MOST_NAMES:]}"
    )


def _is_picture(call: engine.Call) -> bool:
    has_rank = len(call.shape) in (3, 4) and call.shape[0] == 1
    return has_rank and call.has_positions and call.is_outside and "float" in call.dtype


def _folded(trace: engine.Trace, shape: tuple[int, ...]) -> engine.Call | None:
    """Return the call that folds columns to a picture, with the layout of what takes it."""
    for call in trace.calls:
        is_reshape = isinstance(call.operation(), layers.Reshape) or (
            type(call.operation()).__name__ == "Reshape"
        )
        folds = is_reshape and call.parent is None and math.prod(call.shape) == math.prod(shape)
        if folds and _is_picture(call):
            takers = [one.channels_first for one in trace.calls if one.parent == call.source]
            return call._replace(channels_first=bool(takers) and takers[0] and len(call.shape) > 3)
    return None
