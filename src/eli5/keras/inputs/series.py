"""Series: docs of numbers over time, when their steps are, and what their channels are called."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from eli5.base import Explanation, Series
from eli5.checks import check_no_mask, expect_list, is_integer
from eli5.keras.engine import Site, Trace
from eli5.keras.inputs.kind import Kind, Words, check_rank
from eli5.keras.layers.cell_positions import fit_steps
from eli5.keras.layers.map_axes import is_waveform
from eli5.placement import Placement, stretch

if TYPE_CHECKING:
    from eli5.keras.inputs.sample import DocOptions, Sample
    from eli5.keras.methods.method import Method

Array = np.ndarray[Any, Any]

_YEARS = (1, 9999)  # that calendars, and so the axes of a plot, have
_HINTS = {
    "U": " Make dates of strings with `np.array(time, 'datetime64')`.",
    "m": " Divide durations in months or years by a number of days.",
}


class SeriesAxes(NamedTuple):
    """What the axes of a series say."""

    time: Array | None = None  # shape (T,)
    channel_names: list[str] | None = None


class _SeriesKind(Kind):
    """Numbers ``(1, T, F)``, or ``(1, T)`` if it is said to be a series.

    Unlike the vectors of a text, each number of a series is a cell of its own.
    """

    name = "series"
    words = Words("series", "the series", "step", "value", " steps")
    options = ("time", "channel_names")
    input_ranks = ((3,), (2,))

    def check_options(self, about: DocOptions) -> SeriesAxes:
        names = about.channel_names
        if names is not None:
            names = expect_list(
                "channel_names", names, lambda name: isinstance(name, str), "a list of strings"
            )
        time = None if about.time is None else check_time(about.time)
        return SeriesAxes(time, None if names is None else list(map(str, names)))

    def recognises(self, values: Array, trace: Trace) -> bool:
        return values.ndim == 3 or is_waveform(trace, values.shape)

    def size(self, values: Array, channels_first: bool) -> tuple[int, ...]:
        check_rank(values, self)
        return (values.shape[-1 if channels_first else 1],)

    def has_channels(self, values: Array) -> bool:
        return False

    def per_cell(self, site: Site, values: Array) -> Site:
        return site._replace(has_channels=values.ndim > 2)

    def complete(self, sample: Sample, trace: Trace) -> Sample:
        axes = sample.details or SeriesAxes()
        n_steps = sample.size[0]
        n_channels = sample.values[0].size // n_steps
        _check_length("time", axes.time, n_steps, "step")
        _check_length("channel_names", axes.channel_names, n_channels, "channel")
        return sample._replace(details=axes)

    def fit(self, maps: Array, placement: Placement) -> tuple[Array, Placement]:
        return fit_steps(maps, placement), stretch(placement.size, placement.size)

    def method_defaults(self, method: Method, sample: Sample) -> dict[str, Any]:
        if "patch" not in method.own_options:
            return {}
        # An eighth of the steps, of one channel.
        return {"patch": self.window(max(sample.size[0] // 8, 1), sample.values)}

    def window(self, window: Any, values: Array) -> Any:
        return (window, 1) if is_integer(window) and values.ndim > 2 else window

    def finish(self, expl: Explanation, sample: Sample, cells: Sequence[int]) -> Explanation:
        values = sample.values[0]
        if values.ndim == 1:
            values = values[:, None]
        elif sample.channels_first:
            values = values.T
        expl.series = Series(np.array(values), *sample.details)
        return expl


SERIES = _SeriesKind()


def _check_length(name: str, values: Any, expected: int, what: str) -> None:
    if values is not None and len(values) != expected:
        raise ValueError(
            f"Expected one entry in `{name}` per {what}, {expected} of them. Received: "
            f"{len(values)}"
        )


def check_time(time: Any) -> Array:
    """Return the time of a series as numbers or as ``datetime64``.

    Parameters
    ----------
    time : array, or what NumPy makes one of
        Numbers; ``datetime64``, `datetime.date` or `datetime.datetime`, which in another time zone
        than UTC are converted to it; ``timedelta64`` or `datetime.timedelta`, which become seconds.
        What pandas has for these counts as well.

    Returns
    -------
    numpy.ndarray, shape (T,)
        Finite, rising; dates of the years 1 to 9999.

    Raises
    ------
    TypeError
        If it holds anything else.
    ValueError
        If it has another rank than 1, does not rise, or holds what is missing, infinite or in no
        year of the calendar; if some of the dates have a time zone and others have none; or if it
        is masked.
    """
    check_no_mask("time", time)
    known = _known(np.asarray(time))
    if known.dtype.kind not in "iufM":
        raise TypeError(
            "Expected `time` to hold numbers or dates, one per step. Received: an array of "
            f"dtype {known.dtype}.{_HINTS.get(known.dtype.kind, '')}"
        )
    if known.ndim != 1:
        raise ValueError(
            "Expected `time` to have one axis and to rise from step to step. Received: "
            f"time of shape {known.shape}, with {known.ndim} axes"
        )
    _check_values(known)
    if not (known[1:] > known[:-1]).all():
        at = int(np.argmin(known[1:] > known[:-1]))
        raise ValueError(
            "Expected `time` to have one axis and to rise from step to step. Received: "
            f"time of shape {known.shape}, with {known[at]} before {known[at + 1]}"
        )
    return known


def _known(time: Array) -> Array:
    """Return dates and durations as NumPy's own, durations in seconds; all else as it is."""
    if time.dtype == object and time.ndim == 1 and len(time):
        if all(isinstance(one, date) for one in time):
            return np.array(_in_utc(list(time)))
        if all(isinstance(one, timedelta) for one in time):
            time = time.astype("m8[us]")
    if time.dtype.kind == "m" and np.datetime_data(time.dtype)[0] not in "YM":
        return np.asarray(time / np.timedelta64(1, "s"))
    return time


def _in_utc(dates: list[Any]) -> list[Any]:
    # The missing date of pandas is equal to nothing, and has no time zone to be asked for.
    found = [one for one in dates if one == one]
    has_zone = {isinstance(one, datetime) and one.utcoffset() is not None for one in found}
    if len(has_zone) > 1:
        raise ValueError(
            "Expected all dates of `time` to have a time zone, or none. Received: some of each"
        )
    if True in has_zone and len(found) == len(dates):
        dates = [one.astimezone(UTC).replace(tzinfo=None) for one in dates]
    # Those of pandas know nanoseconds.
    return [
        one.to_datetime64() if hasattr(one, "to_datetime64") else np.datetime64(one)
        for one in dates
    ]


def _check_values(time: Array) -> None:
    is_date = time.dtype.kind == "M"
    is_sound = ~np.isnat(time) if is_date else np.isfinite(time)
    if is_date and is_sound.all():
        years = time.astype("M8[Y]").astype(np.int64) + 1970
        is_sound = (_YEARS[0] <= years) & (years <= _YEARS[1])
    if not is_sound.all():
        at = int(np.argmin(is_sound))
        raise ValueError(
            "Expected `time` to be finite, and dates to be in the years 1 to 9999. Received: "
            f"time[{at}]={time[at]}"
        )
