"""When the steps of a series are: numbers or dates, from whatever holds them."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]

_YEARS = (1, 9999)  # that calendars, and so the axes of a plot, have
_HINTS = {
    "U": " Make dates of strings with `np.array(time, 'datetime64')`.",
    "m": " Divide durations in months or years by a number of days.",
}


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
        year of the calendar; or if some of the dates have a time zone and others have none.
    """
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
