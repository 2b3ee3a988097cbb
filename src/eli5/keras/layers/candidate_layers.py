"""Which layers can be explained: all that give a map of the picture, told from a trace."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import keras
from keras import layers

from eli5.keras.engine import Call, Site, Trace
from eli5.keras.layers.cell_positions import joined_grid
from eli5.keras.layers.conditions import View, is_map, is_tokens, obstacle, reduced_axes
from eli5.keras.layers.map_axes import SPECTROGRAMS, Axes, is_waveform
from eli5.keras.layers.token_grid import infer_grid

Shape = tuple[int, ...]


def _classes(names: Iterable[str]) -> tuple[type, ...]:
    return tuple(getattr(layers, name) for name in names if hasattr(layers, name))


# Models whose `call` follows the layers that they were made of.
_GRAPHS = ("Functional", "Sequential")

# Preprocessing and augmentation: what comes out is still the input, not a feature of it.
_PREPROCESSING = SPECTROGRAMS + _classes(
    [name for name in dir(layers) if name.startswith(("Random", "Rand", "Auto", "Mix", "Cut"))]
    + ["AugMix", "CenterCrop", "Equalization", "Normalization", "Rescaling", "Resizing"]
    + ["Solarization", "Pipeline", "MaxNumBoundingBoxes"]
)
_DROPOUTS = _classes(
    ["AlphaDropout", "Dropout", "GaussianDropout", "GaussianNoise"]
    + [f"SpatialDropout{n}D" for n in (1, 2, 3)]
)
# These thin out or move what the layer before them found; that layer has the finer map.
_CARRIERS = _classes(
    [
        f"{kind}{n}D"
        for kind in ("AveragePooling", "Cropping", "MaxPooling", "UpSampling", "ZeroPadding")
        for n in (1, 2, 3)
    ]
    + ["Permute", "RepeatVector", "Reshape"]
)
# Their inner calls have axes for heads and for pairs of tokens, which look like a map's.
_ATTENTION = _classes(
    ["AdditiveAttention", "Attention", "GroupQueryAttention", "MultiHeadAttention"]
)
_NORMALIZATION = _classes(
    ["BatchNormalization", "GroupNormalization", "LayerNormalization", "RMSNormalization"]
)
# Operations of a functional graph that make a tensor of other axes.
_RESHAPING_OPS = {
    "Concatenate", "Einsum", "ExpandDims", "GetItem", "Matmul", "Moveaxis", "Pad", "Reshape",
    "Softmax", "Stack", "Swapaxes", "Tile", "Transpose",
}  # fmt: skip

_SHOWN = 12  # layers in an error
_WITHOUT_LAYER = "Methods that explain the input need no layer: Occlusion, RISE, KernelSHAP, LIME."


class TargetLayer(NamedTuple):
    """A layer that can be explained.

    Attributes
    ----------
    name : str
        Its name with its path in the model, as ``layer=`` takes it.
    grid : tuple of int
        Height and width of its heatmap; for volumes depth, height and width; of texts and series
        the number of steps.
    nth : int
        Which of its calls, from 0; ``layer=(name, nth)`` picks it.
    """

    name: str
    grid: tuple[int, ...]
    nth: int


def list_target_layers(view: View, is_located: Callable[[Site], bool]) -> list[TargetLayer]:
    """List the suitable layers in execution order: those that `is_located` finds in the doc."""
    sites = [(site_of(call, axes, view), call) for call, axes in candidate_calls(view)]
    return [
        TargetLayer(call.path, site.grid or _whole_grid_of(call, view), call.nth)
        for site, call in sites
        if site is not None and is_located(site)
    ]


def candidate_sites(view: View) -> list[Site]:
    """Return the sites that may be chosen without being asked for, the best first.

    The last feature map, in execution order and at any depth, which Grad-CAM (arXiv:1610.02391)
    takes; in a vision transformer the last normalised tokens. Poolings come after what has weights,
    and embeddings last. ValueError if there is none, or if the last has tokens of an unknown grid.
    """
    found = candidate_calls(view)
    calls = [call for call, _ in found]
    beyond = [one for one in found if not _embeds(one[0], calls)]
    features = [one for one in beyond if not isinstance(one[0].operation(), _CARRIERS)]
    features = features or beyond or found
    if features and is_tokens(features[-1][0], view):
        features = _token_calls(features, view)
    sites = [site_of(call, axes, view) for call, axes in reversed(features)]
    if not sites:
        raise ValueError(
            f"Expected a model with a layer that gives a feature map of shape {_map_shape(view)}, "
            f"such as a convolution. Received: {_what_there_is(view)}"
        )
    if sites[0] is None:
        call, axes = features[-1]
        raise ValueError(why_unfit(call.path, call, axes, view) + list_candidates(view))
    return [site for site in sites if site is not None]


def map_sites(view: View) -> list[Site]:
    """Return the sites of all feature maps, tokens left out, the last first."""
    maps = [one for one in candidate_calls(view) if is_map(*one, view)]
    sites = [site_of(call, axes, view) for call, axes in reversed(maps)]
    return [site for site in sites if site is not None]


def embedding_site(trace: Trace, size: Shape) -> Site:
    """Return the embedding of token ids, which are no numbers to differentiate or to mix."""
    for call in _embeddings(trace, size):
        return _site(call, is_input=True)
    raise ValueError(
        "Expected a picture, a series, or token ids for an Embedding layer, for a method that "
        f"explains the input itself. Received: an input of shape {(1, *size)} for a model without "
        "such a layer. Choose a method that explains a layer."
    )


def n_embedded_ids(trace: Trace, size: Shape) -> int | None:
    """Return how many ids there are, or None if the input does not go into an embedding as it is.

    In a `call` of a user's own it may have been computed with before; one of the embeddings there
    are may be that of positions.
    """
    takes_input: list[Any] = [
        call.operation()
        for call in _embeddings(trace, size)
        if call.parent is None and all(type(op()).__name__ in _GRAPHS for op in call.within)
    ]
    return max((embedding.input_dim for embedding in takes_input), default=None)


def _embeddings(trace: Trace, size: Shape) -> list[Call]:
    return [
        call
        for call in trace.calls
        if isinstance(call.operation(), layers.Embedding)
        and call.has_positions
        and call.is_outside
        and call.shape[1:-1] == size
    ]


def _embeds(call: Call, calls: list[Call]) -> bool:
    """Tell an embedding, and a layer that only adds positions to one, from what comes after."""
    operation = call.operation()
    if isinstance(operation, keras.Model):
        return False
    inner = [one for one in calls if any(around() is operation for around in one.within)]
    parts = [one.operation() for one in inner] or [operation]
    # KerasHub's embedding of positions is no Embedding but by its name.
    return all("Embedding" in cls.__name__ for cls in map(type, parts))


def candidate_calls(view: View) -> list[tuple[Call, Axes | None]]:
    """Return the calls that may be chosen without being asked for, in execution order."""
    learned = False
    suitable = []
    for call, axes in zip(view.trace.calls, view.axes(), strict=True):
        operation = call.operation()
        weighted = bool(getattr(operation, "weights", None))
        learned = learned or (weighted and not isinstance(operation, _PREPROCESSING))
        if (
            operation is not None  # a layer may use an operation that it makes and drops
            and (learned or isinstance(operation, _CARRIERS))
            and call.is_new
            and call.has_positions
            and not obstacle(call, axes, view)
            and not isinstance(operation, _PREPROCESSING + _DROPOUTS)
            and type(operation).__name__ not in _excluded_ops(operation)
            and not call.is_within(_ATTENTION)
        ):
            suitable.append((call, axes))
    return suitable


def has_steps(trace: Trace, doc: Any) -> bool:
    """Tell whether a layer keeps the steps of a doc ``(1, T)``; what is no row of numbers has."""
    if doc.ndim != 2 or is_waveform(trace, doc.shape):
        return True
    # A table may be folded to a picture within the model; a row of ids may not.
    found = candidate_calls(View(trace, doc.shape, doc.shape[1:]))
    return any(len(call.shape) == 3 for call, _ in found)


def _excluded_ops(operation: Any) -> set[str]:
    return set() if isinstance(operation, keras.layers.Layer) else _RESHAPING_OPS


def _token_calls(
    calls: list[tuple[Call, Axes | None]], view: View
) -> list[tuple[Call, Axes | None]]:
    """Return the normalised tokens, or all tokens where nothing normalises them."""
    tokens = [one for one in calls if is_tokens(one[0], view)]
    normalized = [one for one in tokens if isinstance(one[0].operation(), _NORMALIZATION)]
    return normalized or tokens


def site_of(call: Call, axes: Axes | None, view: View) -> Site | None:
    """Return a call as a site with its map, or None if it has none."""
    if obstacle(call, axes, view):
        return None
    if is_map(call, axes, view):
        return _site(call, channels_first=call.channels_first)
    if not is_tokens(call, view):
        reduced = reduced_axes(call, axes, view)
        return _site(call, channels_first=call.channels_first, axes=reduced)
    grid = view.grid
    if grid is None:
        grid = infer_grid(call.shape[1], view.size, _maps(view))
    if grid is None or math.prod(grid) > call.shape[1]:
        return None
    return _site(call, grid=tuple(grid))


def _site(call: Call, **seen_as: Any) -> Site:
    return Site(
        call.operation(), call.nth, call.path, shape=call.shape, dtype=call.dtype, **seen_as
    )


def _maps(view: View) -> list[Shape]:
    """Return the grids of all maps in the trace; tokens are made of one of them."""
    return [
        _grid_of(call)
        for call, axes in zip(view.trace.calls, view.axes(), strict=True)
        if call.shape[:1] == (1,) and is_map(call, axes, view) and not call.is_within(_ATTENTION)
    ]


def _whole_grid_of(call: Call, view: View) -> Shape:
    """Return the grid of a map, of frames or patches that of all of them."""
    joined = joined_grid(call, view.places) if call.shape[0] > 1 else ()
    return joined or _grid_of(call)


def _grid_of(call: Call) -> Shape:
    return call.shape[2:] if call.channels_first else call.shape[1:-1]


# ---- for errors ---------------------------------------------------------------------------------


def why_unfit(layer: Any, call: Call, axes: Axes | None, view: View) -> str:
    """Say why a call has no map, and what to do."""
    problem = obstacle(call, axes, view)
    if not problem:
        n_tokens = call.shape[1]
        given = f" with grid={view.grid}" if view.grid is not None else ""
        return (
            f"Expected a layer whose {n_tokens} tokens lie on a known grid. Received: layer="
            f"{layer!r}{given} with output shape {call.shape}. Say it: grid=(height, width), for "
            f"the last height * width of the {n_tokens} tokens."
        )
    return (
        f"Expected `layer` to give a feature map of shape {_map_shape(view)}. Received: layer="
        f"{layer!r} with output shape {call.shape or 'no single tensor'}: found {call.path!r}, "
        f"rank {len(call.shape)}, {problem}."
    )


def list_candidates(view: View) -> str:
    """List the suitable layers, for an error."""
    names = [
        f"{call.path!r} ({'x'.join(map(str, _whole_grid_of(call, view)))})"
        for call, axes in reversed(candidate_calls(view))
        # Of what only measuring would tell nothing is promised.
        if site_of(call, axes, view) and (call.shape[0] == 1 or joined_grid(call, view.places))
    ]
    if not names:
        return f" No layer of the model would do. {_WITHOUT_LAYER}"
    more = f", and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return f" Layers that would do, last first: {', '.join(names[:_SHOWN])}{more}."


def _map_shape(view: View) -> str:
    names = {1: "(1, steps, channels)", 3: "(1, depth, height, width, channels)"}
    return names.get(len(view.size), "(1, height, width, channels)")


def _what_there_is(view: View) -> str:
    """Say what the model has in the place of a map, the last layers first."""
    found = [
        f"{call.path!r}, rank {len(call.shape)}, {_why_not_chosen(call, axes, view)}"
        for call, axes in zip(view.trace.calls, view.axes(), strict=True)
        if call.is_new and len(call.shape) > 2 and not call.is_within(_ATTENTION)
    ]
    there = f"found {'; '.join(reversed(found[-3:]))}" if found else "no layer of rank 3 or more"
    return f"{there}. {_WITHOUT_LAYER}"


def _why_not_chosen(call: Call, axes: Axes | None, view: View) -> str:
    if isinstance(call.operation(), _PREPROCESSING + _DROPOUTS):
        return "which is still the doc and no feature of it"
    if not call.has_positions:
        return "where no places are left"
    return obstacle(call, axes, view) or "before which nothing has learned"
