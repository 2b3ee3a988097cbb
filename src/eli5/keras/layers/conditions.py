"""What makes a layer's output a map of the doc: one test for layers that are chosen and named."""

from __future__ import annotations

from typing import NamedTuple

from keras import layers

from eli5.keras.engine import Call, Trace
from eli5.keras.layers.cell_positions import joins
from eli5.keras.layers.map_axes import Axes, axes_of_calls

Shape = tuple[int, ...]


class View(NamedTuple):
    """What the layers of a model are compared with: the doc, or what stands for it."""

    trace: Trace
    shape: Shape  # batch axis included
    size: Shape  # its cells, see `eli5.keras.inputs.sample.Sample`
    channels_first: bool = False
    grid: Shape | None = None  # that tokens lie on, if the caller says it
    start: int | None = None  # the position of the call whose output stands for the doc

    @property
    def spatial(self) -> Shape:
        """Which axes of the doc, behind the batch axis, have its cells."""
        first = int(self.channels_first and len(self.shape) > len(self.size) + 1)
        return tuple(range(first, first + len(self.size)))

    @property
    def places(self) -> range:
        """The same axes, the batch axis counted."""
        return range(1 + self.spatial[0], 1 + self.spatial[0] + len(self.size))

    def axes(self) -> list[Axes | None]:
        """Return the axes of each call; see `axes_of_calls`."""
        return axes_of_calls(self.trace, self.shape, self.start)


def obstacle(call: Call, axes: Axes | None, view: View) -> str:
    """Say what keeps the output of a call from being a map of the doc; nothing if it may be one.

    Whether tokens lie on a known grid is another question.
    """
    if not call.shape:
        return "which gives no single tensor"
    if not call.is_outside:
        return "which runs inside of a loop, a branch or a rematerialised part"
    if "float" not in call.dtype:
        return f"whose output is of type {call.dtype}"
    if n_samples(call) != 1:
        known = view.start is None and joins(call, view.size, view.places)
        return "" if known else f"of {n_samples(call)} samples for one doc"
    if is_map(call, axes, view) or is_tokens(call, view) or reduced_axes(call, axes, view):
        return ""
    if len(call.shape) < 3:
        return "which has no places"
    return f"whose axes are not those of a doc of shape {view.shape}"


def n_samples(call: Call) -> int:
    """Return how many samples a call gives for one doc."""
    return call.shape[0]


def is_map(call: Call, axes: Axes | None, view: View) -> bool:
    """Tell whether an output has the axes of the doc and one of channels."""
    if len(call.shape) != len(view.size) + 2:
        return False
    if len(view.size) == 1 or axes is None:
        return True
    return {*spatial_axes(call, axes)} == {*view.spatial}


def is_tokens(call: Call, view: View) -> bool:
    """Tell whether an output may be the tokens that a picture is cut into."""
    return len(call.shape) == 3 and len(view.size) == 2


def reduced_axes(call: Call, axes: Axes | None, view: View) -> tuple[int | None, ...]:
    """Return which axis of the doc each axis of a map is that has not just these.

    A video that a recurrent layer sums up, or bands that become the channels of a picture, leave a
    map over two of three axes; that of a spectrogram of a waveform is over time and pitch. Nothing
    of what is no such map.
    """
    if axes is None or len(call.shape) != 4 or len(view.size) not in (1, 3):
        return ()
    if call.is_within((layers.TimeDistributed,)):
        return ()  # of one frame
    own: dict[int | None, int] = {axis: k for k, axis in enumerate(view.spatial)}
    found = tuple(own.get(axis) for axis in spatial_axes(call, axes))
    kept = [axis for axis in found if axis is not None]
    is_whole = len(kept) == (1 if len(view.size) == 1 else 2)
    return found if is_whole and kept == sorted({*kept}) else ()


def spatial_axes(call: Call, axes: Axes) -> Axes:
    """Return the axes of an output without that of its channels."""
    return axes[1:] if call.channels_first else axes[:-1]
