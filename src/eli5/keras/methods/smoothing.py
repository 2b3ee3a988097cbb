"""Noisy and augmented copies of a picture, over which a map is averaged."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, NamedTuple

import numpy as np

from eli5.checks import expect_count, expect_flag, expect_integer, expect_number
from eli5.placement import Placement, turn_back
from eli5.progress import untracked

Array = np.ndarray[Any, Any]

# Contrast of the augmented copies; each is shown as it is and mirrored.
_CONTRASTS = (0.9, 1.0, 1.1)


class Smoothing(NamedTuple):
    """Over which copies a map is averaged.

    Attributes
    ----------
    n_samples : int
        Copies with normal noise; 0 for the picture itself.
    noise : float
        Standard deviation of the noise, as a part of the picture's range.
    seed : int
    augment : bool
        Whether six copies, at 0.9, 1 and 1.1 times the contrast, each as it is and mirrored left to
        right, take the place of each. Their maps are mirrored back.
    """

    n_samples: int = 0
    noise: float = 0.15
    seed: int = 0
    augment: bool = False

    @property
    def is_used(self) -> bool:
        """Whether there is anything to average over."""
        return self.n_samples > 0 or self.augment

    @property
    def n_copies(self) -> int:
        """Over how many copies it is averaged."""
        return max(self.n_samples, 1) * (2 * len(_CONTRASTS) if self.augment else 1)


def make_smoothing(options: Mapping[str, Any]) -> Smoothing:
    """Return the smoothing that the options tell, if they are good for it; others are skipped."""
    smoothing = Smoothing(**{n: options[n] for n in Smoothing._fields if n in options})
    expect_count("n_samples", smoothing.n_samples, least=0)
    expect_integer("seed", smoothing.seed, least=0)
    expect_number("noise", smoothing.noise, least=0)
    expect_flag("augment", smoothing.augment)
    return smoothing


def smooth(
    maps_of: Callable[[Array], list[Array]],
    picture: Array,
    smoothing: Smoothing,
    batch_size: int,
    placements: Sequence[Placement | None],
    track: Callable[..., Iterator[Any]] = untracked,
) -> list[Array]:
    """Return the mean over all copies of each layer's maps, shape (K, *grid), float32.

    ``maps_of(pictures (n, *size, C))`` gives maps (n, K, *grid) for each of several layers;
    `batch_size` copies at most are made at once. `placements` tell where the cells of each layer
    lie, None of those that cover the picture evenly; `track` shows how far it is, see `Probe`.
    """
    totals: list[Any] = []
    n_copies = 0
    for block in track(smoothing.n_copies, _blocks(picture, smoothing, batch_size), batch_size):
        pictures, mirrored = map(np.array, zip(*block, strict=True))
        per_layer = [maps.astype("float64") for maps in maps_of(pictures)]
        for maps, placement in zip(per_layer, placements, strict=True):
            turned = maps[mirrored]
            there = turned[..., ::-1] if placement is None else turn_back(turned, placement)
            maps[mirrored] = there
        sums = [maps.sum(axis=0) for maps in per_layer]
        totals = [a + b for a, b in zip(totals, sums, strict=True)] if totals else sums
        n_copies += len(pictures)
    return [(total / n_copies).astype("float32") for total in totals]


def _blocks(
    picture: Array, smoothing: Smoothing, batch_size: int
) -> Iterator[list[tuple[Array, bool]]]:
    copies = _copies(picture, smoothing)
    while block := list(islice(copies, batch_size)):
        yield block


def _copies(picture: Array, smoothing: Smoothing) -> Iterator[tuple[Array, bool]]:
    """Yield each copy, and whether it is mirrored."""
    rng = np.random.default_rng(smoothing.seed)
    scale = smoothing.noise * (float(picture.max()) - float(picture.min()))
    for _ in range(max(smoothing.n_samples, 1)):
        copy = picture
        if smoothing.n_samples:
            copy = _noisy(picture, scale, rng)
        if not smoothing.augment:
            yield copy, False
            continue
        for contrast in _CONTRASTS:
            changed = _with_contrast(copy, contrast)
            yield changed, False
            yield changed[..., ::-1, :], True


# Of a doc that is not finite they are not, either, which the explanation says.
@np.errstate(over="ignore", invalid="ignore")
def _noisy(picture: Array, scale: float, rng: np.random.Generator) -> Array:
    return picture + np.float32(scale) * rng.standard_normal(picture.shape, "float32")


@np.errstate(over="ignore", invalid="ignore")
def _with_contrast(picture: Array, contrast: float) -> Array:
    middle = picture.mean()
    return np.asarray(middle + np.float32(contrast) * (picture - middle))
