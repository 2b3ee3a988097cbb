"""Gradients with respect to the input: traced formulas, and black-box methods.

Formulas take ``x`` and ``G = dy/dx``, tensors ``(B, *size, C)``, and give maps ``(B, *size)``.
Black-box methods ask a probe for many gradients: of all K classes in the same runs, in batches.
Sums within a batch are made on the device, in float32, those over batches in float64. Which picture
gets which noise depends on the seed alone, not on the batch size or the backend.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import numpy as np
from keras import ops

from eli5.checks import expect_count, expect_integer, expect_number
from eli5.keras.methods.baseline import make_baseline
from eli5.keras.methods.probe import Attributions, Probe, batches

Array = np.ndarray[Any, Any]
T = TypeVar("T")


def saliency(x: Any, gradients: Any) -> Any:
    """Return the saliency map: ``max_c |G_c|``.

    Simonyan et al., "Deep Inside Convolutional Networks: Visualising Image Classification Models
    and Saliency Maps", arXiv:1312.6034, section 3.1.

    Parameters
    ----------
    x, gradients : tensor, shape (B, *size, C)
        The picture, and the gradients of the class score with respect to it.

    Returns
    -------
    tensor, shape (B, *size)
        Not negative, not scaled.
    """
    return ops.max(ops.abs(gradients), axis=-1)


def gradient_x_input(x: Any, gradients: Any) -> Any:
    """Return Gradient x Input: ``sum_c G_c x_c``, signed.

    Shrikumar et al., "Not Just a Black Box: Learning Important Features Through Propagating
    Activation Differences", arXiv:1605.01713. Parameters: see `saliency`.
    """
    return ops.sum(gradients * x, axis=-1)


def smooth_grad(
    probe: Probe, *, n_samples: int = 50, noise: float = 0.15, seed: int = 0
) -> Attributions:
    """Return SmoothGrad: ``max_c |mean_i G_c(x + e_i)|`` with normal noise ``e_i``.

    Smilkov et al., "SmoothGrad: removing noise by adding noise", arXiv:1706.03825, section 3.

    Parameters
    ----------
    probe : Probe
    n_samples : int, default 50
        Noisy copies of the picture; each costs a run forwards and backwards.
    noise : float, default 0.15
        Standard deviation, as a part of the picture's range (maximum less minimum).
    seed : int, default 0

    Returns
    -------
    Attributions
        Maps (K, *size), not negative.

    Raises
    ------
    TypeError, ValueError
        If `n_samples` is no integer or below 1, or if `noise` or `seed` are no numbers, negative or
        not finite.

    Notes
    -----
    The mean is of signed gradients, as in the paper, and the absolute value is taken last. Public
    implementations deviate: PAIR's saliency averages squares unless told otherwise, which is
    `square_grad`; tf-keras-vis, and captum unless told otherwise, average absolute values, so that
    noise that changes the sign of a gradient is kept. Xplique takes the noise as absolute, not as a
    part of the range.
    """
    mean, _ = _moments(probe, expect_count("n_samples", n_samples), noise, seed)
    return _largest_channel(np.abs(mean))


def var_grad(
    probe: Probe, *, n_samples: int = 50, noise: float = 0.15, seed: int = 0
) -> Attributions:
    """Return VarGrad: ``max_c`` of the unbiased variance of ``G_c(x + e_i)`` over the noise.

    Adebayo et al., "Sanity Checks for Saliency Maps", arXiv:1810.03292. Parameters and errors:
    see `smooth_grad`; here, `n_samples` is at least 2.

    Notes
    -----
    Deviations are from a gradient of each batch, and batches are joined (Chan). Implementations
    that subtract the square of the mean from the mean square lose it in rounding where gradients
    vary little.
    """
    n_samples = expect_count("n_samples", n_samples, least=2)
    _, squares = _moments(probe, n_samples, noise, seed)
    return _largest_channel(squares / (n_samples - 1))


def square_grad(
    probe: Probe, *, n_samples: int = 50, noise: float = 0.15, seed: int = 0
) -> Attributions:
    """Return SquareGrad: ``max_c mean_i G_c(x + e_i)^2``.

    Hooker et al., "A Benchmark for Interpretability Methods in Deep Neural Networks",
    arXiv:1806.10758, where it is called SG-SQ. Parameters and errors: see `smooth_grad`.
    """
    n_samples = expect_count("n_samples", n_samples)
    mean, squares = _moments(probe, n_samples, noise, seed)
    return _largest_channel(mean**2 + squares / n_samples)


def integrated_gradients(
    probe: Probe, *, steps: int = 50, baseline: float | str | Array = 0.0
) -> Attributions:
    """Return Integrated Gradients: ``sum_c (x - x0)_c * integral_0^1 G_c(x0 + t (x - x0)) dt``.

    Sundararajan et al., "Axiomatic Attribution for Deep Networks", arXiv:1703.01365, equation 1.
    The integral is a Gauss-Legendre sum, exact where the gradient along the path is a polynomial
    of degree ``2 steps - 1``; equation 3 is a plain Riemann sum, which needs more steps.

    Parameters
    ----------
    probe : Probe
    steps : int, default 50
        Points on the path; each costs a run forwards and backwards.
    baseline : number, str or array, default 0
        Where the path starts. See `make_baseline`.

    Returns
    -------
    Attributions
        Maps (K, *size), signed. Details: ``score_difference``, which is ``y(x) - y(x0)``, and
        ``completeness_error``: by how much the map's sum misses it, divided by its absolute value;
        where that is 0, not divided. A few per cent: take more `steps`.

    Raises
    ------
    TypeError, ValueError
        If `steps` is no integer or below 1, or if `make_baseline` refuses the baseline.
    """
    nodes, weights = _gauss_legendre(expect_count("steps", steps, most=10_000))
    start = make_baseline(baseline, probe.picture)
    if start is None:
        raise ValueError(
            "Expected a baseline with numbers for Integrated Gradients, to which a path can lead. "
            f"Received: baseline={baseline!r}, which leaves tokens out. Give 0.0, or an array."
        )
    change = probe.picture.astype("float64") - start
    integral = _integral(probe, start, (nodes + 1) / 2, weights / 2)
    maps = (change * integral).sum(axis=-1)
    return Attributions(maps.astype("float32"), _completeness(probe, start, maps))


@functools.lru_cache(16)
def _gauss_legendre(steps: int) -> tuple[Array, Array]:
    """Return nodes and weights; finding them takes as long as a run of a small model."""
    return np.polynomial.legendre.leggauss(steps)


@np.errstate(over="ignore", invalid="ignore")  # a broken map is told where it is drawn
def _moments(probe: Probe, n_samples: int, noise: float, seed: int) -> tuple[Array, Array]:
    """Return the mean of the noisy gradients and the sum of squared deviations from it.

    Both are float64 of shape (K, *size, C). Each batch has its own, from distances to a gradient
    of its own, which loses no digits where gradients vary little; they are joined as Chan, Golub
    and LeVeque do (1979).
    """
    mean, squares, seen = np.zeros(()), np.zeros(()), 0
    noisy = prefetch(_noisy(probe, n_samples, noise, seed))
    for pictures in probe.track(n_samples, noisy, probe.batch_size):
        n = len(pictures)
        sums = probe.gradient_sums(pictures)
        last, away, away_squared = (one.astype("float64") for one in sums)
        step = last + away / n - mean
        within = np.maximum(away_squared - away**2 / n, 0)
        seen += n
        mean = mean + step * (n / seen)
        squares = squares + within + step**2 * (n * (seen - n) / seen)
    return mean, squares


def _noisy(probe: Probe, n_samples: int, noise: float, seed: int) -> Iterator[Array]:
    """Return batches of noisy pictures, after a check of the options."""
    random = np.random.default_rng(expect_integer("seed", seed, least=0))
    picture = probe.picture
    range_ = float(picture.max()) - float(picture.min())
    deviation = np.float32(expect_number("noise", noise, least=0) * range_)
    for block in batches(n_samples, probe.batch_size):
        shape = (block.stop - block.start, *picture.shape)
        noisy = random.standard_normal(shape, dtype="float32")
        noisy *= deviation
        noisy += picture
        yield noisy


def prefetch(items: Iterable[T]) -> Iterator[T]:
    """Yield the items, each made on another thread while the one before it is in use.

    Two at most are in memory. What making one raises is raised here. Whoever stops early waits for
    no more than the one that is being made.
    """
    source, end = iter(items), object()
    # As on this thread: NumPy keeps for each which floating-point errors are told.
    told = np.geterr()

    def make() -> Any:
        with np.errstate(**told):
            return next(source, end)

    with ThreadPoolExecutor(1, "eli5-prefetch") as worker:
        following = worker.submit(make)
        while (item := following.result()) is not end:
            following = worker.submit(make)
            yield item
            del item


@np.errstate(over="ignore")
def _largest_channel(values: Array) -> Attributions:
    return Attributions(values.max(axis=-1).astype("float32"))


def _integral(probe: Probe, start: Array, nodes: Array, weights: Array) -> Array:
    """Return the weighted sum of the gradients between start and picture, (K, *size, C)."""
    ends = np.stack([start, probe.picture])
    blocks = probe.blocks(len(nodes))
    sums = [probe.path_gradients(ends, nodes[block], weights[block]) for block in blocks]
    return np.sum(sums, axis=0, dtype="float64")


@np.errstate(invalid="ignore")
def _completeness(probe: Probe, start: Array, maps: Array) -> tuple[dict[str, float], ...]:
    ends = np.stack([probe.picture, start])
    runs = [probe.scores(ends[block]) for block in batches(2, probe.batch_size)]
    full, empty = np.concatenate(runs).astype("float64")
    differences = full - empty
    gaps = np.abs(maps.reshape(len(maps), -1).sum(axis=1) - differences)
    errors = gaps / np.where(differences == 0, 1, np.abs(differences))
    return tuple(
        {"completeness_error": float(error), "score_difference": float(difference)}
        for error, difference in zip(errors, differences, strict=True)
    )
