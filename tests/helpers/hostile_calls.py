"""Calls with whatever hostile strategies draw: how many are tried, and which outcome is right."""

from __future__ import annotations

import os
import traceback
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import keras
import matplotlib
import pytest
from hypothesis import HealthCheck, Phase, settings
from PIL import Image

# Programs are compiled but on PyTorch.
_DEFAULT = 300 if keras.backend.backend() == "torch" else 40
N_CALLS = int(os.environ.get("ELI5_FUZZ_CALLS", _DEFAULT))
IS_LONG = "ELI5_FUZZ_CALLS" in os.environ
# How the calls are shared out.
_SHARES = {"explain": 5, "many": 2, "show": 1, "format": 5, "save": 1, "load": 2}

counts: Counter[str] = Counter()
_wrongs: list[str] = []

LOOKS: dict[str, list[Any]] = {
    "resampling_filter": [Image.Resampling.NEAREST, Image.Resampling.BILINEAR, 1],
    "colormap": ["jet", matplotlib.colormaps["magma"]],
    "alpha_limit": [None, 0.5, 0, 1],
    "percentile": [None, 90, 100],
    "signed": [False, True],
}


def fuzzed(share: str) -> settings:
    """Return what runs a test on its share of calls: the same each time, unless many are wanted."""
    return settings(
        max_examples=max(N_CALLS * _SHARES[share] // sum(_SHARES.values()), 1),
        deadline=None,
        derandomize=not IS_LONG,
        database=None,
        phases=[Phase.generate],  # what is found is as short as it needs be
        suppress_health_check=list(HealthCheck),
    )


def nothing_wrong() -> Iterator[None]:
    """Fail with all that went wrong in a test, and not with the first that did; for a fixture."""
    _wrongs.clear()
    yield
    if _wrongs:
        pytest.fail("\n\n".join(_wrongs), pytrace=False)


def outcome(
    call: Callable[[], Any], said: object, allowed: tuple[type[Exception], ...] = ()
) -> Any:
    """Return what a call returns, None if it raises an error as it should; fail if another."""
    counts["calls"] += 1
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            result = call()
        except Exception as error:
            check_error(error, said, allowed)
            counts["refused"] += 1
            return None
    hints = [one for one in caught if not issubclass(one.category, UserWarning)]
    hints = [one for one in hints if "eli5" in one.filename]
    if hints:
        wrong("warned of what is not the caller's", said, str(hints[0].message))
    counts["returned"] += 1
    return result


def check_error(error: Exception, said: object, allowed: tuple[type[Exception], ...]) -> None:
    if not isinstance(error, (TypeError, ValueError, *allowed)):
        wrong("wrong type of error", said, "".join(traceback.format_exception(error)[-8:]))
    last = traceback.extract_tb(error.__traceback__)[-1].filename
    is_own = f"{os.sep}eli5{os.sep}" in last and not str(error).startswith("unhashable")
    if not (is_own or "Received" in str(error) or isinstance(error, allowed)):
        wrong("error from elsewhere", said, "".join(traceback.format_exception(error)[-8:]))


def wrong(kind: str, said: object, what: str) -> None:
    counts[kind] += 1
    _wrongs.append(f"{kind}: {said}\n{what}")
