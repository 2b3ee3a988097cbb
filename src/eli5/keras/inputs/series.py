"""Series: what the axes of their pictures say."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from eli5.base import Explanation, Series
from eli5.keras.inputs.listing import listed
from eli5.keras.inputs.times import check_time

Array = np.ndarray[Any, Any]


class Axes(NamedTuple):
    """What the caller says of a doc that is a series.

    Attributes
    ----------
    time : numpy.ndarray, shape (T,), optional
    channel_names : list of str, optional
    """

    time: Array | None = None
    channel_names: list[str] | None = None


def check_axes(time: Any, channel_names: Any) -> Axes:
    """Check what a caller says of a series, before the model is looked at.

    Raises
    ------
    TypeError
        If `time` is no sequence of numbers or dates, or `channel_names` no sequence of strings.
    ValueError
        If `time` has another rank than 1, does not rise, or is not finite; see
        `eli5.keras.inputs.times.check_time`.
    """
    if time is not None:
        time = check_time(time)
    if channel_names is not None:
        names = listed(channel_names)
        if names is None or not all(isinstance(name, str) for name in names):
            raise TypeError(
                "Expected `channel_names` to be a list of strings. Received: "
                f"channel_names={channel_names!r}"
            )
        channel_names = [str(name) for name in names]
    return Axes(time, channel_names)


def check_lengths(axes: Axes, n_steps: int, doc: Array) -> None:
    """Raise ValueError if there are more or fewer names or times than channels or steps."""
    n_channels = doc[0].size // n_steps
    for name, values, expected, what in (
        ("time", axes.time, n_steps, "step"),
        ("channel_names", axes.channel_names, n_channels, "channel"),
    ):
        if values is not None and len(values) != expected:
            raise ValueError(
                f"Expected one entry in `{name}` per {what}, {expected} of them. Received: "
                f"{len(values)}"
            )


def with_axes(expl: Explanation, axes: Axes) -> Explanation:
    """Put time and names into the explanation of a series, which is changed."""
    expl.series = Series(expl.series.values, axes.time, axes.channel_names)
    return expl
