"""Check a series, and bring its heatmaps to its length; NumPy alone, for all formats."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from eli5.base import Series

if TYPE_CHECKING:
    from numpy.typing import NDArray


__all__ = ["Timeline", "checked_series", "series_heatmap", "stretched"]

_DAY = 86_400_000_000  # microseconds
_YEARS = (1, 9999)  # that Python's dates have


class Timeline(NamedTuple):
    """A series that was found to be sound.

    Attributes
    ----------
    values : numpy.ndarray, shape (T, F)
        Numbers of any dtype.
    time : numpy.ndarray, shape (T,)
        As it was given; 0, 1, 2, ... if it was not.
    places : numpy.ndarray, shape (T,)
        The time in float64; of dates in days since 1970.
    names : list of str or None
        One for each channel.
    has_time : bool
        Whether a time was given.
    """

    values: NDArray[Any]
    time: NDArray[Any]
    places: NDArray[np.float64]
    names: list[str] | None
    has_time: bool

    @property
    def is_dated(self) -> bool:
        """Whether the time is made of dates."""
        return bool(self.time.dtype.kind == "M")


def checked_series(series: Any) -> Timeline:
    """Check all of a series.

    Parameters
    ----------
    series : Series
        Steps may lie at any distances, several at one time, but not in reverse. ``time`` holds
        numbers or ``datetime64``.

    Returns
    -------
    Timeline

    Raises
    ------
    TypeError
        If `series` is no Series, or ``values``, ``time`` or ``channel_names`` are of another kind.
    ValueError
        If ``values`` are not of rank 2 or empty, ``time`` or ``channel_names`` are of another
        length, or ``time`` is not finite or runs backwards.
    """
    if not isinstance(series, Series):
        raise TypeError(
            "Expected expl.series to be an eli5.base.Series. "
            f"Received: expl.series of type {type(series).__name__}"
        )
    values = _checked_values(series.values)
    time = np.arange(len(values)) if series.time is None else _checked_time(series.time, values)
    names = _checked_names(series.channel_names, values)
    return Timeline(values, time, _places(time), names, series.time is not None)


def _checked_values(values: Any) -> NDArray[Any]:
    if not isinstance(values, np.ndarray) or values.dtype.kind not in "fiub":
        raise TypeError(
            "Expected series.values to be a NumPy array of numbers. "
            f"Received: series.values {_kind(values)}"
        )
    if values.ndim != 2 or not values.size:
        raise ValueError(
            "Expected series.values of shape (T, F), T steps of F channels, that is not empty. "
            f"Received: series.values.shape={values.shape}. One channel is of shape (T, 1)."
        )
    return values


def _checked_time(time: Any, values: NDArray[Any]) -> NDArray[Any]:
    if not isinstance(time, np.ndarray) or time.dtype.kind not in "fiuM":
        raise TypeError(
            "Expected series.time to be a NumPy array of numbers or of datetime64. "
            f"Received: series.time {_kind(time)}. Durations are divided by their unit first, as "
            "in time / np.timedelta64(1, 's')."
        )
    if time.shape != values.shape[:1]:
        raise ValueError(
            f"Expected series.time of shape {values.shape[:1]}, one for each step of series.values "
            f"of shape {values.shape}. Received: series.time.shape={time.shape}"
        )
    _check_order(time)
    return time


def _check_order(time: NDArray[Any]) -> None:
    is_date = time.dtype.kind == "M"
    known = ~np.isnat(time) if is_date else np.isfinite(time)
    if not known.all():
        raise ValueError(
            "Expected series.time without missing or infinite values. "
            f"Received: series.time[{np.argmin(known)}]={time[np.argmin(known)]}"
        )
    is_back = time[1:] < time[:-1]
    if is_back.any():
        k = int(np.argmax(is_back))
        raise ValueError(
            "Expected series.time in the order of the steps; several may have the same. "
            f"Received: series.time[{k}]={time[k]}, series.time[{k + 1}]={time[k + 1]}. "
            "Sort the steps before they are explained."
        )
    years = time[[0, -1]].astype("M8[Y]").astype(int) + 1970 if is_date else _YEARS
    if not _YEARS[0] <= years[0] <= years[1] <= _YEARS[1]:
        raise ValueError(
            "Expected the dates of series.time to be in the years 1 to 9999. "
            f"Received: series.time from {time[0]} to {time[-1]}"
        )


def _checked_names(names: Any, values: NDArray[Any]) -> list[str] | None:
    if names is None:
        return None
    are_texts = isinstance(names, list | tuple) and all(isinstance(one, str) for one in names)
    if not are_texts:
        raise TypeError(
            f"Expected series.channel_names to be a list of str. Received: {names!r} of type "
            f"{type(names).__name__}"
        )
    if len(names) != values.shape[1]:
        raise ValueError(
            f"Expected {values.shape[1]} channel_names, one for each channel of series.values of "
            f"shape {values.shape}. Received: {len(names)}, channel_names={names!r}"
        )
    return list(names)


def _places(time: NDArray[Any]) -> NDArray[np.float64]:
    if time.dtype.kind != "M":
        return time.astype(np.float64)
    return time.astype("M8[us]").astype(np.int64) / _DAY


def series_heatmap(
    values: Any, timeline: Timeline, name: str = "heatmap", is_linear: bool = True
) -> NDArray[np.floating[Any]]:
    """Check a heatmap or an attribution of a series, and bring it to the length of the series.

    Parameters
    ----------
    values : numpy.ndarray, shape (t,) or (T, F)
        One number for each place of the target layer, or for each number of the series.
    timeline : Timeline
    name : str
        ``"heatmap"``, whose values are to be in [0, 1], or ``"attribution"``.
    is_linear : bool
        See `stretched`.

    Returns
    -------
    numpy.ndarray, shape (T, 1) or (T, F)
        For all channels alike, or for each.

    Raises
    ------
    TypeError
        If it is no array of numbers.
    ValueError
        If it has another shape, or its values are not finite or not in [0, 1].
    """
    if not isinstance(values, np.ndarray) or values.dtype.kind not in "fiub":
        raise TypeError(
            f"Expected {name} to be a NumPy array of numbers. Received: {name} {_kind(values)}"
        )
    shape = timeline.values.shape
    if not values.size or (values.ndim != 1 and values.shape != shape):
        raise ValueError(
            f"Expected {name} of shape (t,), one value for each place of the target layer, or "
            f"{shape} like the series. Received: {name}.shape={values.shape}. Give one {name} per "
            "target, without batch axis."
        )
    _check_range(values, name)
    numbers = values if values.dtype.kind == "f" else values.astype(np.float64)
    return stretched(numbers, shape[0], is_linear)[:, None] if values.ndim == 1 else numbers


def _check_range(values: NDArray[Any], name: str) -> None:
    low, high = values.min(), values.max()
    if name == "heatmap" and not (low >= 0 and high <= 1):  # NaN fails this, too
        raise ValueError(
            "Expected the values of heatmap to be in [0, 1]. "
            f"Received: values from {low} to {high}. Scale them first."
        )
    if not (np.isfinite(low) and np.isfinite(high)):
        raise ValueError(
            f"Expected the values of {name} to be finite. "
            f"Received: values from {low} to {high}. Draw the heatmap instead."
        )


def stretched(
    values: NDArray[np.floating[Any]], n_steps: int, is_linear: bool = True
) -> NDArray[np.floating[Any]]:
    """Bring the places of a layer to the steps of its series.

    Both share out the same time in cells of one length. A step gets what is at its middle:
    interpolated between the middles of the two nearest places, or if not `is_linear` that of the
    place it lies in. Where places are shorter than steps, a step gets the one furthest from zero.

    Parameters
    ----------
    values : numpy.ndarray, shape (t,)
    n_steps : int
        T.
    is_linear : bool

    Returns
    -------
    numpy.ndarray, shape (T,)
    """
    n_places = len(values)
    if n_places == n_steps:
        return values
    if n_places > n_steps:
        starts = np.arange(n_steps) * n_places // n_steps
        low, high = (one.reduceat(values, starts) for one in (np.minimum, np.maximum))
        return np.where(high >= -low, high, low)
    middles = (np.arange(n_steps) + 0.5) * n_places / n_steps
    if not is_linear:
        return values[middles.astype(int)]
    return np.interp(middles - 0.5, np.arange(n_places), values)


def _kind(value: Any) -> str:
    if isinstance(value, np.ndarray):
        return f"is an array of {value.dtype}"
    return f"is of type {type(value).__name__}"
