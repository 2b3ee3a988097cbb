"""What a black-box method, or a metric, may ask of a model: one doc, K classes, NumPy arrays.

The picture has its channels last here whatever the model takes, and a channel axis where the doc
has none. ``size`` stands for ``(H, W)``, for volumes and videos ``(D, H, W)``, for texts and series
``(steps,)``. A batch is filled up to one of few sizes, so that no other program is compiled for a
rest.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np

from eli5.placement import Placement
from eli5.progress import untracked

Array = np.ndarray[Any, Any]

# Of the score: what float32 arithmetic leaves open after some ten layers.
ROUNDING = 1e-5


class Probe(NamedTuple):
    """A model, asked about variants of one doc.

    A method or a metric knows nothing else of the model: neither its backend, nor its inputs
    besides the picture, nor what kind of score is explained. All K classes are answered at once.
    Each question but `ablated_scores` runs the model once, on at most `batch_size` samples; it is
    on the caller to cut more into `batches`. Probes are made by
    `eli5.keras.pipeline.keras_probe.make_probe`; a test can make one of plain functions.

    Attributes
    ----------
    picture : numpy.ndarray, shape (*size, C), float32
        The doc itself; of token ids their embedding.
    batch_size : int
        The most samples in one run of the model.
    scores : callable
        ``scores(pictures (n, *size, C)) -> (n, K)``: the explained score of each class.
    masked_scores : callable
        ``masked_scores(masks (n, *size), baseline (*size, C)) -> (n, K)``: of ``picture * mask +
        baseline * (1 - mask)``. Without a baseline (None), of token ids: with those left out for
        which the mask is 0.
    gradient_sums : callable
        ``gradient_sums(pictures (n, *size, C)) -> (last, sums, squares)``, each (K, *size, C): the
        gradients ``G`` of the scores at the last picture, and the sums over all pictures of
        ``G_i - last`` and of its square.
    path_gradients : callable
        ``path_gradients(ends (2, *size, C), nodes (n,), weights (n,)) -> (K, *size, C)``: the
        weighted sum of the gradients at ``ends[0] + node * (ends[1] - ends[0])``.
    activations : callable
        ``activations() -> (*grid, C')``: of the target layer.
    ablated_scores : callable
        ``ablated_scores(maps (n,) of int) -> (n, K)``: with that map of the target layer set to
        zero, none for -1. Takes any number of maps at once: the part before the layer runs once.
    placement : Placement, optional
        Where the cells of the target layer lie in the picture; None if they cover it evenly.
    axes : tuple
        Of which axes of the picture the target layer's maps are, None for one that is none of them,
        such as the pitch of a spectrogram; empty if of all in their order.
    track : callable
        ``track(n, blocks, size)`` yields the blocks, of `size` out of `n` samples each, and shows
        how far they are; see `eli5.progress.Progress.track`. A method does it once, to most of what
        it asks.

    Examples
    --------
    How far each class's score drops when more and more of a heatmap's best pixels turn black::

        def deletion(probe, heatmap, steps=10):
            ranks = heatmap.ravel().argsort().argsort().reshape(heatmap.shape) / heatmap.size
            hidden = np.linspace(0, 1, steps)
            masks = np.stack([ranks < 1 - share for share in hidden]).astype("float32")
            baseline = np.zeros_like(probe.picture)
            blocks = probe.blocks(steps)
            return np.concatenate([probe.masked_scores(masks[b], baseline) for b in blocks])
    """

    picture: Array
    batch_size: int
    scores: Callable[[Array], Array]
    masked_scores: Callable[[Array, Array | None], Array]
    gradient_sums: Callable[[Array], tuple[Array, Array, Array]]
    path_gradients: Callable[[Array, Array, Array], Array]
    activations: Callable[[], Array]
    ablated_scores: Callable[[Array], Array]
    placement: Placement | None = None
    axes: tuple[int | None, ...] = ()
    track: Callable[..., Iterator[Any]] = untracked

    def blocks(self, n: int) -> Iterator[slice]:
        """Yield the slices that cut `n` samples into batches, and show how far they are."""
        yield from self.track(n, batches(n, self.batch_size), self.batch_size)


class Attributions(NamedTuple):
    """What a black-box method gives.

    Attributes
    ----------
    maps : numpy.ndarray, shape (K, *size) or (K, *grid)
        Signed where the formula is signed, not scaled.
    details : sequence of dict, optional
        Per class, numbers that tell how far the map can be trusted.
    """

    maps: Array
    details: tuple[dict[str, float], ...] = ()


def equal_but_for_rounding(scores: Array) -> Array:
    """Make scores, shape (n, K), of one class equal if they differ by no more than rounding.

    A model that does not react gives scores that differ in their last digits, of which a map would
    show a pattern.
    """
    scores = scores.astype("float64")
    with np.errstate(invalid="ignore"):
        spread = scores.max(axis=0) - scores.min(axis=0)
        is_noise = spread <= ROUNDING * np.abs(scores).max(axis=0)
    return np.where(is_noise, scores[:1], scores)


def batches(n: int, batch_size: int) -> Iterator[slice]:
    """Yield the slices that cut `n` items into batches."""
    for start in range(0, n, batch_size):
        yield slice(start, min(start + batch_size, n))
