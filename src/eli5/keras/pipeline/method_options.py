"""The options of a black-box method, as the doc's kind, channels and padding need them."""

from __future__ import annotations

from typing import Any

import numpy as np

from eli5.checks import is_integer
from eli5.keras.methods.lookup import ChosenMethod
from eli5.keras.pipeline.plan import Plan

_WINDOWS = ("patch", "stride")


def method_options(chosen: ChosenMethod, plan: Plan, valid: slice | None) -> dict[str, Any]:
    """Return the options that a black-box method is called with.

    Parameters
    ----------
    chosen : ChosenMethod
        With the options that the caller gave.
    plan : Plan
        Of one doc.
    valid : slice or None
        The steps of a text that the method is shown, where that is not all of it.
    """
    sample = plan.sample
    options = sample.kind.method_defaults(chosen.method, sample) | _with_baseline(chosen, plan)
    for name in _WINDOWS:
        if name in chosen.options:
            options[name] = sample.kind.window(options[name], sample.values)
    return options if valid is None else _of_steps(options, valid, sample.size[0])


def _with_baseline(chosen: ChosenMethod, plan: Plan) -> dict[str, Any]:
    """Return the caller's options, with a baseline of the doc's shape as the method sees the doc.

    Its channels are then moved last.
    """
    baseline, site = chosen.options.get("baseline"), plan.input_site
    if not (isinstance(baseline, np.ndarray) and site.channels_first):
        return chosen.options
    if baseline.shape not in (site.shape, site.shape[1:]):
        return chosen.options
    channels = 1 - (len(site.shape) - baseline.ndim)
    return chosen.options | {"baseline": np.moveaxis(baseline, channels, -1)}


def _of_steps(options: dict[str, Any], valid: slice, n_steps: int) -> dict[str, Any]:
    """Return the options of a text for those of its steps that are no padding."""
    n_valid = valid.stop - valid.start
    own = {}
    for name, value in options.items():
        if name in _WINDOWS and is_integer(value) and value <= n_steps:
            own[name] = min(value, n_valid)
        elif isinstance(value, np.ndarray) and value.shape[:1] == (n_steps,):
            own[name] = value[valid]
        elif isinstance(value, np.ndarray) and value.shape[:2] == (1, n_steps):
            own[name] = value[:, valid]
    return options | own
