"""Checks of what callers give: each error says what was expected, what came and what to do.

The helpers return the value that they let through, so that a check is one line. None of them loads
NumPy, which the command line can do without.
"""

from __future__ import annotations

import difflib
import importlib
import math
import reprlib
import sys
import warnings
from collections.abc import Callable, Collection, Iterable, Mapping, Set
from numbers import Integral, Real
from typing import Any, TypeVar

T = TypeVar("T")

# By what an optional library is imported: what it is called, what it is for, the extra with it.
_OPTIONAL = {
    "fsspec": ("fsspec", "for bulk runs", "bulk"),
    "pandas": ("pandas", "to make a DataFrame", "dataframe"),
    "pyarrow": ("pyarrow", "for bulk runs", "bulk"),
    "pyarrow.parquet": ("pyarrow", "for bulk runs", "bulk"),
    "python_multipart": ("python-multipart", "to serve the web app", "serve"),
    "ray": ("ray", "for bulk runs", "ray"),
    "scipy.sparse": ("SciPy", "to fill in places from their neighbours", "metrics"),
    "scipy.sparse.linalg": ("SciPy", "to fill in places from their neighbours", "metrics"),
    "skimage.segmentation": ("scikit-image", "to make segments", "segments"),
    "starlette": ("Starlette", "to serve the web app", "serve"),
    "tensorboardX": ("tensorboardX", "to write for TensorBoard", "tensorboard"),
    "uvicorn": ("uvicorn", "to serve the web app", "serve"),
}

# Whose frames lie between a warning and its caller: PyTorch has those of `torch.compiler.disable`.
_INNER = ("eli5", "torch")

_LONGEST = 200  # characters of a value in an error; an array's would fill the screen


def is_integer(value: Any) -> bool:
    """Tell whether `value` is an integer of Python or NumPy; a truth value is none."""
    return isinstance(value, Integral) and not isinstance(value, bool)


def is_number(value: Any) -> bool:
    """Tell whether `value` is a real number of Python or NumPy; a truth value is none."""
    return isinstance(value, Real) and not isinstance(value, bool)


def shown(value: Any) -> str:
    """Return a value as an error shows it, cut if it is long."""
    try:
        text = repr(value)
        if len(text) <= _LONGEST and "\n" not in text:
            return text
        if isinstance(getattr(value, "shape", None), tuple):  # of an array or a table
            dtype = f", dtype {value.dtype}" if hasattr(value, "dtype") else ""
            return f"<{type(value).__name__} of shape {tuple(value.shape)}{dtype}>"
        return " ".join(reprlib.repr(value).split())
    except Exception:  # of an object of the caller's; Python itself writes no integer of any length
        return object.__repr__(value)


def wrong_type(name: str, value: Any, expected: str, advice: str = "") -> TypeError:
    """Return the error for an argument of a type that it cannot have.

    Parameters
    ----------
    name : str
        Of the argument.
    value : Any
        What came.
    expected : str
        What it may be: ``"an integer"``.
    advice : str, optional
        What to do, as a sentence.
    """
    received = f"{name}={shown(value)} (of type {type(value).__name__})"
    end = f". {advice}" if advice else ""
    return TypeError(f"Expected `{name}` to be {expected}. Received: {received}{end}")


def wrong_value(name: str, value: Any, expected: str, advice: str = "") -> ValueError:
    """Return the error for an argument of the right type that cannot be; see `wrong_type`."""
    end = f". {advice}" if advice else ""
    return ValueError(f"Expected `{name}` {expected}. Received: {name}={shown(value)}{end}")


def expect_type(name: str, value: T, types: Any, expected: str, advice: str = "") -> T:
    """Return `value` if it is an instance of `types` (no ``bool`` for ``int``); else TypeError."""
    if not isinstance(value, types) or (isinstance(value, bool) and types is int):
        raise wrong_type(name, value, expected, advice)
    return value


def expect_integer(
    name: str, value: Any, *, least: int | None = None, expected: str = "an integer"
) -> int:
    """Return `value` as an int; TypeError if it is none, ValueError if it is below `least`."""
    if not is_integer(value):
        raise wrong_type(name, value, expected)
    if least is not None and value < least:
        raise wrong_value(name, value, f">= {least}")
    return int(value)


def expect_count(name: str, value: Any, *, least: int = 1, most: int = 1_000_000) -> int:
    """Return how often something is done; ValueError also where it would never come to an end."""
    count = expect_integer(name, value, least=least)
    if count > most:
        raise wrong_value(name, value, f"<= {most}", "More would take days, or all memory")
    return count


def expect_number(
    name: str, value: Any, *, least: float = -math.inf, expected: str = "a number"
) -> float:
    """Return `value` as a float; TypeError if it is none, ValueError if too low or infinite."""
    if not is_number(value):
        raise wrong_type(name, value, expected)
    number = as_float(value)
    if not (least <= number < math.inf) or number == -math.inf:
        at_least = "" if least == -math.inf else f" and >= {least:g}"
        raise wrong_value(name, value, f"to be finite{at_least}")
    return number


def as_float(value: Any) -> float:
    """Return a number as a float; one that is larger than all of these is infinite."""
    try:
        return float(value)
    except OverflowError:  # of an integer or a fraction
        return -math.inf if value < 0 else math.inf


def expect_flag(name: str, value: Any) -> bool:
    """Return a truth value; TypeError for all else, as "no" would count as true."""
    return expect_type(name, value, bool, "True or False")


def expect_array(
    name: str, value: Any, kinds: str = "fiub", of: str = "numbers", advice: str = ""
) -> Any:
    """Return `value` if it is a NumPy array of one of these kinds of dtype; else TypeError.

    ValueError if some of it is masked. Subclasses, such as ``np.matrix``, become plain arrays.
    """
    import numpy as np  # not above: the command line can do without

    if not isinstance(value, np.ndarray) or value.dtype.kind not in kinds:
        raise wrong_type(name, value, f"a NumPy array of {of}", advice)
    check_no_mask(name, value)
    return np.asarray(value)


def check_no_mask(name: str, value: Any) -> None:
    """Raise ValueError for a masked array, or a list of them, of which some numbers are masked."""
    import numpy as np

    for one in value if isinstance(value, list | tuple) else [value]:
        if isinstance(one, np.ma.MaskedArray) and np.ma.is_masked(one):
            raise ValueError(
                f"Expected `{name}` without masked values, as nothing else would know of the mask. "
                f"Received: {name} with {np.sum(np.ma.getmaskarray(one))} of {one.size} values "
                f"masked. Put numbers in their place: {name}.filled(0)"
            )


def expect_choice(name: str, value: Any, choices: Collection[str], also: str = "") -> str:
    """Return `value` if it is one of the `choices`.

    Raises
    ------
    TypeError
        If it is no string. `also` says what else it could have been: ``" or a callable"``.
    ValueError
        If it is another string.
    """
    expected = f"one of {tuple(choices)}{also}"
    if not isinstance(value, str):
        raise wrong_type(name, value, expected)
    if value not in choices:
        raise wrong_value(name, value, f"to be {expected}", did_you_mean(value, choices))
    return value


def expect_list(
    name: str, value: Any, is_item: Callable[[Any], bool], expected: str, advice: str = ""
) -> list[Any]:
    """Return what is in `value`, in whatever sequence it comes; TypeError if an item is wrong."""
    items = listed(value)
    if items is None:
        raise wrong_type(name, value, expected, advice)
    for item in items:
        if not is_item(item):
            received = f"{shown(item)} (of type {type(item).__name__}) among them"
            end = f". {advice}" if advice else ""
            raise TypeError(f"Expected `{name}` to be {expected}. Received: {received}{end}")
    return items


def expect_one_of(**arguments: Any) -> None:
    """Raise ValueError if more than one of these arguments is given: is not None."""
    given = {name: value for name, value in arguments.items() if value is not None}
    if len(given) > 1:
        expected = " or ".join(f"`{name}`" for name in arguments)
        received = " and ".join(f"{name}={shown(value)}" for name, value in given.items())
        count = "both" if len(given) == 2 else "several"
        raise ValueError(f"Expected either {expected}. Received: {count}, {received}")


def listed(values: Any) -> list[Any] | None:
    """Return what is in a list, an array, a column of a table or any iterable; None of all else.

    None also of one string, whose letters are not meant, and of what has no order.
    """
    if hasattr(values, "__array__"):
        import numpy as np  # is there already, or there would be no such thing

        # What is masked stays so, and is no item of any kind.
        values = values if isinstance(values, np.ma.MaskedArray) else np.asarray(values)
        return list(values) if values.ndim else None
    if isinstance(values, str | bytes | Mapping | Set) or not isinstance(values, Iterable):
        return None
    return list(values)


def need(module: str, advice: str = "") -> Any:
    """Import an optional library; ModuleNotFoundError names the extra that brings it."""
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        name, purpose, extra = _OPTIONAL[module]
        raise ModuleNotFoundError(
            f"Expected {name} to be installed, {purpose}. Received: {error}. Install it: "
            f'pip install "eli5-keras[{extra}]"{advice}',
            name=error.name,
        ) from error


def did_you_mean(name: str, known: Iterable[str], n: int = 1) -> str:
    """Return ``"Did you mean 'x'?"`` for a name that is nearly one of those known, else nothing."""
    close = difflib.get_close_matches(name, list(known), n=n)
    return f"Did you mean {' or '.join(map(repr, close))}?" if close else ""


def warn(message: str) -> None:
    """Give a UserWarning at the line of the first caller outside of this package."""
    level, frame = 2, sys._getframe(1)
    while (
        frame.f_back is not None and frame.f_globals.get("__name__", "").partition(".")[0] in _INNER
    ):
        level, frame = level + 1, frame.f_back
    warnings.warn(message, UserWarning, stacklevel=level)
