"""The options of a procedure, as the doc's kind, channels and padding need them."""

from __future__ import annotations

from typing import Any

import numpy as np

from eli5.keras.methods.baseline import LEFT_OUT
from eli5.keras.methods.lookup import ChosenMethod
from eli5.keras.pipeline.plan import Preparation
from eli5.keras.targets.classes import is_integer

_WINDOWS = ("patch", "stride")


def options_of(chosen: ChosenMethod, prepared: Preparation, kept: slice | None) -> dict[str, Any]:
    """Return the options that a procedure is called with.

    Parameters
    ----------
    chosen : ChosenMethod
        With the options that the caller gave.
    prepared : Preparation
    kept : slice or None
        The steps of a text that the procedure is shown, where that is not all of it.
    """
    options = _defaults(chosen, prepared) | _as_seen(chosen.options, prepared)
    return options if kept is None else _of_steps(options, kept, prepared.view.size[0])


def _defaults(chosen: ChosenMethod, prepared: Preparation) -> dict[str, Any]:
    """Return the options of which texts and series need other defaults than pictures."""
    kind = prepared.view.kind
    own: dict[str, Any] = {}
    if kind != "image" and "patch" in chosen.method.own_options:
        # One token; of a series an eighth of one channel.
        steps = max(prepared.view.size[0] // 8, 1)
        own["patch"] = 1 if kind == "tokens" else (steps, 1) if has_channels(prepared) else steps
    if chosen.method.leaves_out and prepared.mask_id is not None:
        own["baseline"] = LEFT_OUT
    if kind == "tokens" and "n_segments" in chosen.method.own_options:
        own["n_segments"] = prepared.view.size[0]  # one per token
    return own


def _of_steps(options: dict[str, Any], kept: slice, n_steps: int) -> dict[str, Any]:
    """Return the options of a text for those of its steps that are no padding."""
    n_kept = kept.stop - kept.start
    own = {}
    for name, value in options.items():
        if name in _WINDOWS and is_integer(value) and value <= n_steps:
            own[name] = min(value, n_kept)
        elif isinstance(value, np.ndarray) and value.shape[:1] == (n_steps,):
            own[name] = value[kept]
        elif isinstance(value, np.ndarray) and value.shape[:2] == (1, n_steps):
            own[name] = value[:, kept]
    return options | own


def has_channels(prepared: Preparation) -> bool:
    """Tell whether a series has an axis of channels beside that of time."""
    return prepared.picture.ndim > 2


def _as_seen(options: dict[str, Any], prepared: Preparation) -> dict[str, Any]:
    """Return the options as a procedure sees the picture.

    The channels of a baseline of the doc's shape are moved last, and the steps of a series' window
    get the one channel that it covers.
    """
    if prepared.view.kind == "series" and has_channels(prepared):
        windows = {k: (v, 1) for k, v in options.items() if k in _WINDOWS and is_integer(v)}
        options = options | windows
    baseline = options.get("baseline")
    site = prepared.input_site
    if not (isinstance(baseline, np.ndarray) and site.channels_first):
        return options
    if baseline.shape not in (site.shape, site.shape[1:]):
        return options
    channels = 1 - (len(site.shape) - baseline.ndim)
    return options | {"baseline": np.moveaxis(baseline, channels, -1)}
