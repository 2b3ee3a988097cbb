"""Which layers can be explained: all that give a map of the picture, told from a trace."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any, NamedTuple

import keras
from keras import layers

from eli5.keras.engine import Call, Site, Trace
from eli5.keras.layers.token_grid import infer_grid

Shape = tuple[int, ...]


def _classes(names: Iterable[str]) -> tuple[type, ...]:
    return tuple(getattr(layers, name) for name in names if hasattr(layers, name))


# Models whose `call` follows the layers that they were made of.
_GRAPHS = ("Functional", "Sequential")

# Preprocessing and augmentation: what comes out is still the input, not a feature of it.
_PREPROCESSING = _classes(
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
    ["AdditiveAttention", "Attention", "GroupedQueryAttention", "MultiHeadAttention"]
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


def list_target_layers(trace: Trace, size: Shape, grid: Shape | None = None) -> list[TargetLayer]:
    """List the suitable layers in execution order."""
    sites = [(site_of(call, trace, size, grid), call) for call in candidate_calls(trace, size)]
    return [
        TargetLayer(call.path, site.grid or _grid_of(call), call.nth)
        for site, call in sites
        if site is not None
    ]


def candidate_sites(trace: Trace, size: Shape, grid: Shape | None = None) -> list[Site]:
    """Return the sites that may be chosen without being asked for, the best first.

    The last feature map, in execution order and at any depth, which Grad-CAM (arXiv:1610.02391)
    takes; in a vision transformer the last normalised tokens. Poolings come after what has weights,
    and embeddings last. ValueError if there is none, or if the last has tokens of an unknown grid.
    """
    calls = candidate_calls(trace, size) or _summed_up(trace, size)
    beyond = [call for call in calls if not _embeds(call, calls)]
    features = [call for call in beyond if not isinstance(call.operation(), _CARRIERS)]
    features = features or beyond or calls
    if features and _is_tokens(features[-1], size):
        features = _token_calls(features, size)
    sites = [site_of(call, trace, size, grid) for call in reversed(features)]
    if not sites:
        raise ValueError(
            f"Expected a model with a layer that gives a feature map of shape {_map_shape(size)}, "
            "such as a convolution. Received: a model without one."
        )
    if sites[0] is None:
        raise ValueError(
            why_no_map(features[-1].path, features[-1], size, grid) + list_candidates(trace, size)
        )
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


def _map_shape(size: Shape) -> str:
    names = {1: "(1, steps, channels)", 3: "(1, depth, height, width, channels)"}
    return names.get(len(size), "(1, height, width, channels)")


def _summed_up(trace: Trace, size: Shape) -> list[Call]:
    """Return the maps of one frame that a recurrent layer makes of a video."""
    if len(size) != 3:
        return []
    calls = [call for call in candidate_calls(trace, size[1:]) if _is_map(call, size[1:])]
    # The layers within a TimeDistributed see a frame each.
    return [call for call in calls if not call.is_within((layers.TimeDistributed,))]


def candidate_calls(trace: Trace, size: Shape) -> list[Call]:
    """Return the calls that may be chosen without being asked for, in execution order."""
    learned = False
    suitable = []
    for call in trace.calls:
        operation = call.operation()
        weighted = bool(getattr(operation, "weights", None))
        learned = learned or (weighted and not isinstance(operation, _PREPROCESSING))
        if (
            operation is not None  # a layer may use an operation that it makes and drops
            and (learned or isinstance(operation, _CARRIERS))
            and call.is_new
            and call.is_outside
            and "float" in call.dtype
            and call.has_positions
            and (_is_map(call, size) or _is_tokens(call, size))
            and not isinstance(operation, _PREPROCESSING + _DROPOUTS)
            and type(operation).__name__ not in _excluded_ops(operation)
            and not call.is_within(_ATTENTION)
        ):
            suitable.append(call)
    return suitable


def has_steps(trace: Trace, doc: Any) -> bool:
    """Tell whether a layer keeps the steps of a doc ``(1, T)``; what is no row of numbers has."""
    return doc.ndim != 2 or bool(candidate_calls(trace, doc.shape[1:]))


def _excluded_ops(operation: Any) -> set[str]:
    return set() if isinstance(operation, keras.layers.Layer) else _RESHAPING_OPS


def _is_map(call: Call, size: Shape) -> bool:
    return len(call.shape) == len(size) + 2 and call.shape[0] == 1


def _is_tokens(call: Call, size: Shape) -> bool:
    return len(call.shape) == 3 and len(size) == 2 and call.shape[0] == 1


def _token_calls(calls: list[Call], size: Shape) -> list[Call]:
    """Return the normalised tokens, or all tokens where nothing normalises them."""
    tokens = [call for call in calls if _is_tokens(call, size)]
    normalized = [call for call in tokens if isinstance(call.operation(), _NORMALIZATION)]
    return normalized or tokens


def site_of(call: Call, trace: Trace, size: Shape, grid: Shape | None) -> Site | None:
    """Return a call as a site with its map, or None if it has none."""
    if len(call.shape) > 3 or (len(call.shape) == 3 and len(size) == 1):
        return _site(call, channels_first=call.channels_first)
    if len(call.shape) < 3 or len(size) < 2:
        return None
    folded = infer_grid(call.shape[1], size, _maps(trace, size)) if grid is None else grid
    if folded is None or math.prod(folded) > call.shape[1]:
        return None
    return _site(call, grid=tuple(folded))


def _site(call: Call, **seen_as: Any) -> Site:
    return Site(
        call.operation(), call.nth, call.path, shape=call.shape, dtype=call.dtype, **seen_as
    )


def _maps(trace: Trace, size: Shape) -> list[Shape]:
    """Return the grids of all maps in the trace; tokens are made of one of them."""
    calls = [call for call in trace.calls if _is_map(call, size)]
    return [_grid_of(call) for call in calls if not call.is_within(_ATTENTION)]


def _grid_of(call: Call) -> Shape:
    return call.shape[2:] if call.channels_first else call.shape[1:-1]


def why_no_map(layer: Any, call: Call, size: Shape, grid: Shape | None) -> str:
    """Say why a call has no map, and what to do."""
    if len(call.shape) == 3 and len(size) > 1:
        n_tokens = call.shape[1]
        given = f" with grid={grid}" if grid is not None else ""
        return (
            f"Expected a layer whose {n_tokens} tokens lie on a known grid. Received: layer="
            f"{layer!r}{given} with output shape {call.shape}. Say it: grid=(height, width), for "
            f"the last height * width of the {n_tokens} tokens."
        )
    shape = call.shape or "no single tensor"
    return (
        f"Expected `layer` to give a feature map of shape {_map_shape(size)}. "
        f"Received: layer={layer!r} with output shape {shape}."
    )


def list_candidates(trace: Trace, size: Shape) -> str:
    """List the suitable layers, for an error."""
    names = [
        f"{call.path!r} ({'x'.join(map(str, _grid_of(call)))})"
        for call in reversed(candidate_calls(trace, size))
    ]
    more = f", and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return f" Layers that would do, last first: {', '.join(names[:_SHOWN]) or 'none'}{more}."
