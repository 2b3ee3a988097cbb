"""A small output that tells all that a layer's maps tell, one channel for each map.

Many heads begin with layers that act on each channel by itself: pooling, normalisation, an
activation. Behind a chain of such layers, from A to B, map k of A has its part in channel k of B
and nowhere else. So B with A_k set to zero is B with channel k as it is where all of A is zero:
exactly, and without running the chain again. What reads A only through B can then be run on changed
B's, which behind global pooling are a thousandth of the size.

That nothing reads A beside B cannot be told from a trace, which sees layers and not what a model's
own code does: whoever replaces B must try it, see `eli5.keras.pipeline.ablation_runs`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import keras
from eli5.keras.engine import Call, Site, Trace
from keras import layers

# Those that keep channels apart. No softmax, which compares them, and no `glu`, which pairs them.
_ACTIVATIONS = [
    getattr(keras.activations, name)
    for name in (
        "celu", "elu", "exponential", "gelu", "hard_sigmoid", "hard_silu", "leaky_relu", "linear",
        "log_sigmoid", "mish", "relu", "relu6", "selu", "sigmoid", "silu", "softplus", "softsign",
        "tanh",
    )
    if hasattr(keras.activations, name)
]  # fmt: skip
_SPATIAL_KINDS = (
    "AveragePooling", "Cropping", "GlobalAveragePooling", "GlobalMaxPooling", "MaxPooling",
    "UpSampling", "ZeroPadding",
)  # fmt: skip


def find_stand_in(trace: Trace, site: Site) -> Site | None:
    """Return the smallest output that holds map k of a site in its channel k and nowhere else.

    Returns
    -------
    Site or None
        None if there is none that is smaller than the site's own output.
    """
    start = position_of(trace, site)
    chain, best = {trace.calls[start].source}, trace.calls[start]
    if best.shape[:1] != (1,):
        return None
    for call in trace.calls[start + 1 :]:
        if call.parent in chain and _keeps_channels(call, site):
            chain.add(call.source)
            if call.is_outside and math.prod(call.shape) < math.prod(best.shape):
                best = call
    if best is trace.calls[start]:
        return None
    return Site(
        best.operation(), best.nth, best.path, site.channels_first,
        shape=best.shape, dtype=best.dtype,
    )  # fmt: skip


def position_of(trace: Trace, site: Site) -> int:
    """Return where in the trace a site's call is."""
    found = ((call.operation(), call.nth) for call in trace.calls)
    return next(k for k, (op, nth) in enumerate(found) if op is site.operation and nth == site.nth)


def _keeps_channels(call: Call, site: Site) -> bool:
    # By the very class: what another `call` does, of a subclass or set from outside, is not known.
    operation = call.operation()
    keeps = _KEEP_CHANNELS.get(type(operation))
    return keeps is not None and "call" not in vars(operation) and keeps(operation, site)


def _always(operation: Any, site: Site) -> bool:
    return True


def _in_layout(operation: Any, site: Site) -> bool:
    """Tell whether a layer takes for channels what the site has for its maps."""
    is_first = getattr(operation, "data_format", "channels_last") == "channels_first"
    return is_first == site.channels_first


def _is_elementwise(operation: Any, site: Site) -> bool:
    return any(operation.activation is known for known in _ACTIVATIONS)


_KEEP_CHANNELS: dict[type, Callable[[Any, Site], bool]] = {
    layers.Activation: _is_elementwise,
    layers.BatchNormalization: _always,  # in inference: a factor and a summand for each number
    layers.ELU: _always,
    layers.LeakyReLU: _always,
    layers.PReLU: _always,
    layers.ReLU: _always,
    **{getattr(layers, f"{kind}{n}D"): _in_layout for kind in _SPATIAL_KINDS for n in (1, 2, 3)},
}
