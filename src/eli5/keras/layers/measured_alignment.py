"""Where a call's output lies in the input, measured: for what no rule tells of.

The gradient of a slice of the output with respect to the input shows what that slice looks at. Its
centre of mass moves along the input as the slice moves along an axis of the output: a line through
a few of them tells the axis, where it begins, and how long its steps are. That is done once for a
model and a shape, with two docs that differ: where they disagree, as behind a crop around what is
brightest, nothing is known. That weights change what is looked at is not noticed.
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import keras
import numpy as np
from keras import ops

from eli5.keras import engine
from eli5.keras.engine import Alignment, Part, Site, Trace

Array = np.ndarray[Any, Any]

_SLICES = 5  # along each axis of the output
_MOST_SAMPLES = 128  # that one doc becomes, each of which is looked at
_ROWS = 8  # samples in a run
_COPIES = 2  # of noise: one brighter at its end, one at its beginning
# How well the centres must lie on a line, and over which share of the input they must move: where
# every slice sees everything they do neither.
_LEAST_FIT, _LEAST_MOVEMENT = 0.95, 0.2
_NEARLY = 0.06  # of a step: as much as a measured line may miss the one that it surely is
_FAR = 0.25
_FAINT = 1e-3  # of the largest gradient
# What a slice sees of two docs may differ by so much, in places and as share of what it reaches;
# and it must see so much of what lies between the first and the last place that it reaches.
_STRAY, _STRAY_SHARE, _LEAST_DENSITY = 1.5, 0.25, 0.4


def measure_alignment(
    model: keras.Model,
    inputs: Any,
    trace: Trace,
    position: int,
    input_site: Site,
    fixed_batch: int | None = None,
) -> Alignment | None:
    """Return where the output of a call lies in the input; None if that does not show.

    `position` is the call's in the trace, `input_site` the explained input. What the doc shows does
    not matter: it is replaced by noise where it has numbers. `fixed_batch` is the one number of
    samples that the model takes, if there is one.
    """
    explained = input_site.input_index, input_site.path
    key = "alignment", engine.signature(inputs), position, explained

    def measure() -> Alignment | None:
        call = trace.calls[position]
        operation = call.operation()
        if operation is None or not call.is_outside or "float" not in call.dtype:
            return None
        site = Site(operation, call.nth, call.path, shape=call.shape, dtype=call.dtype)
        for n in dict.fromkeys((fixed_batch or _ROWS, fixed_batch or 1)):
            with contextlib.suppress(Exception):  # whatever a model raises on several docs
                return _measure(model, _noise(inputs, input_site), n, site, input_site)
        return None  # nothing behind the input can be differentiated there

    return engine.recall(model, key, measure)


def _measure(
    model: keras.Model, docs: Any, n: int, site: Site, input_site: Site
) -> Alignment | None:
    """Measure with `n` samples in a run: one for each slice of each doc, whose gradient it tells.

    So one gradient is compiled, and not one for each slice.
    """
    slices = tuple((axis, at) for axis, n in enumerate(site.shape) for at in _picked(axis, n))
    # Each axis of the input for itself, its channels, too.
    whole = input_site._replace(channels_first=False, has_channels=False, grid=None)
    query = engine.Query("alignment", SelectSlice(slices), (whole,), (_centres,), score_site=site)
    order = np.indices((_COPIES, len(slices))).reshape(2, -1)
    rows = []
    for start in range(0, order.shape[1], n):
        copies, picked = np.take(order, range(start, start + n), axis=1, mode="clip")
        samples = keras.tree.map_structure(lambda leaf, copies=copies: leaf[copies], docs)
        (numbers,), _ = engine.evaluate(model, samples, picked.astype("int32")[:, None], query)
        rows.append(numbers[:, 0].astype("float64"))
    found = np.concatenate(rows)[: order.shape[1]].reshape(_COPIES, len(slices), -1)
    return _alignment(slices, found, site.shape, input_site.shape)


def _picked(axis: int, n: int) -> Sequence[int]:
    if axis == 0:
        return range(n) if 1 < n <= _MOST_SAMPLES else ()
    return sorted(set(np.linspace(0, n - 1, _SLICES).round().astype(int).tolist())) if n > 1 else ()


def _noise(inputs: Any, input_site: Site) -> Any:
    """Return docs with noise in the place of the explained input if that has numbers.

    They are brighter at the end of each axis and at its beginning, in turn.
    """
    rng = np.random.default_rng(0)
    leaves = [np.repeat(leaf, _COPIES, axis=0) for leaf in keras.tree.flatten(inputs)]
    index = input_site.input_index
    if index is not None and leaves[index].dtype.kind == "f":
        shape = leaves[index].shape
        noise = rng.uniform(0.1, 1, shape)
        for axis, length in enumerate(shape[1:], 1):
            ramp = np.linspace(0.3, 1, length).reshape((-1, *[1] * (len(shape) - axis - 1)))
            for row in range(_COPIES):
                noise[row] *= ramp[::-1] if row % 2 else ramp
        leaves[index] = noise.astype(leaves[index].dtype)
    return keras.tree.pack_sequence_as(inputs, leaves)


@dataclass(frozen=True)
class SelectSlice:
    """Takes as score a slice of a layer's output, summed up with fixed weights.

    Which one is the target. Of what one doc becomes several samples of, the slices of a sample are
    those of the first.
    """

    slices: tuple[tuple[int, int], ...]  # axis, index

    def __call__(self, output: Any, _: Any, targets: Any, __: Any) -> tuple[Any, dict[str, Any]]:
        """Return the scores, (B, 1), and an empty report."""
        n_docs = int(targets.shape[0])
        shape = (n_docs, int(output.shape[0]) // n_docs, *map(int, output.shape[1:]))
        values = ops.reshape(ops.cast(output, "float32"), shape)
        weights = np.cos(1 + 2.4 * np.arange(np.prod(shape[1:]))).reshape(shape[1:])
        weighted = values * ops.convert_to_tensor(weights.astype("float32"))[None]
        columns = []
        for axis in sorted({axis for axis, _ in self.slices}):
            those = weighted if axis == 0 else weighted[:, 0]
            along = max(axis, 1)
            rest = tuple(a for a in range(1, len(those.shape)) if a != along)
            indices = np.array([at for of, at in self.slices if of == axis], "int32")
            columns.append(ops.take(ops.sum(those, axis=rest), indices, axis=1))
        sums = ops.concatenate(columns, axis=1)
        is_picked = ops.one_hot(targets[:, 0], len(self.slices), dtype="float32")
        return ops.sum(sums * is_picked, axis=1, keepdims=True), {}


def _centres(_: Any, gradients: list[Any], __: Any) -> Any:
    """Return of each sample, traced: (B, 1, 1 + 4 * axes).

    How strong its gradient is, and along each axis of the input its centre of mass, the first and
    the last place that it reaches, and how many.
    """
    power = ops.square(gradients[0][..., 0])
    rank = len(power.shape)
    everywhere = tuple(range(1, rank))
    power = power / (ops.max(power, axis=everywhere, keepdims=True) + 1e-30)
    mass = ops.sum(power, axis=everywhere)
    numbers = [mass]
    for axis in everywhere:
        others = tuple(a for a in everywhere if a != axis)
        profile = ops.sum(power, axis=others) if others else power
        n = int(profile.shape[1])
        at = ops.arange(n, dtype="float32")[None]
        reached = profile > _FAINT * ops.max(profile, axis=1, keepdims=True)
        numbers += [
            ops.sum(profile * at, axis=1) / (mass + 1e-30),
            ops.min(ops.where(reached, at, float(n)), axis=1),
            ops.max(ops.where(reached, at, -1.0), axis=1),
            ops.sum(ops.cast(reached, "float32"), axis=1),
        ]
    return ops.stack(numbers, axis=1)[:, None]


# ---- what the numbers show -----------------------------------------------------------------------


class _Looks(NamedTuple):
    """What some slices along one axis of the output look at, along each axis of the input."""

    at: Array  # the slices' indices, (n,)
    centres: Array  # (n, axes)
    lows: Array
    highs: Array
    densities: Array  # which share of the places between is reached


class _Line(NamedTuple):
    """A line of steps along an axis of the input."""

    along: int
    start: float
    stride: float


def _alignment(
    slices: Sequence[tuple[int, int]], found: Array, shape: Sequence[int], size: Sequence[int]
) -> Alignment | None:
    """Return the alignment that the centres show; None if no axis of the output lies anywhere."""
    if _differs_between_docs(slices, found):
        return None
    mass = found[..., 0].sum(axis=0)
    centres = (found[..., 1::4] * found[..., :1]).sum(axis=0) / np.maximum(mass, 1e-30)[:, None]
    lows, highs = found[..., 2::4].min(axis=0), found[..., 3::4].max(axis=0)
    densities = (found[..., 4::4] / (found[..., 3::4] - found[..., 2::4] + 1)).max(axis=0)
    looks = {}
    for axis in range(len(shape)):
        rows = [k for k, (of, _) in enumerate(slices) if of == axis and mass[k] > 0]
        at = np.array([slices[k][1] for k in rows])
        looks[axis] = _Looks(at, centres[rows], lows[rows], highs[rows], densities[rows])
    axes: list[tuple[Part, ...]] = [(Part(None, 0.0, n),) for n in shape]
    first, seen = [0.0] * len(size), [(-0.5, n - 0.5) for n in size]
    whole = [(0.0, float(n)) for n in size]  # where a sample begins, and how long it is
    if shape[0] > 1:
        samples = _sample_lines(looks[0], shape[0], size)
        if samples is None:
            return None
        axes[0] = tuple(Part(line.along, line.stride, n) for line, n in samples)
        for along in range(1, len(size)):
            low, high = looks[0].lows[0, along - 1], looks[0].highs[0, along - 1]
            whole[along] = low, high - low + 1
        for line, _ in samples:
            first[line.along] = line.start
    lines: dict[int, _Line] = {}
    for axis, n in enumerate(shape[1:], 1):
        own = _best_line(looks[axis], n, whole, set(lines))
        if own is not None:
            lines[own.along] = own
            axes[axis] = (Part(own.along, own.stride, n),)
            first[own.along] = own.start
            if shape[0] == 1 and not _is_even(own, n, whole):
                seen[own.along] = _span(looks[axis], own, n, size[own.along])
    if not lines and shape[0] == 1:
        return None
    return Alignment(tuple(axes), tuple(first), (0.0,) * len(size), tuple(seen))


def _differs_between_docs(slices: Sequence[tuple[int, int]], found: Array) -> bool:
    """Tell whether most slices along an axis look elsewhere in one doc than in another."""
    is_seen = (found[..., 0] > 0).all(axis=0)
    reach = (found[..., 3::4] - found[..., 2::4]).max(axis=0)
    strays = np.ptp(found[..., 1::4], axis=0) > _STRAY + _STRAY_SHARE * reach
    of_axis = np.array([axis for axis, _ in slices])
    groups = [strays[is_seen & (of_axis == axis)] for axis in set(of_axis.tolist())]
    return any((group.mean(axis=0) > 0.5).any() for group in groups if len(group))


def _span(looks: _Looks, line: _Line, n: int, length: int) -> tuple[float, float]:
    """Return from where to where the slices look."""
    ends = line.start, line.start + line.stride * (n - 1)
    low = min(looks.lows[:, line.along - 1].min(), *ends) - 0.5
    high = max(looks.highs[:, line.along - 1].max(), *ends) + 0.5
    return max(float(low), -0.5), min(float(high), length - 0.5)


def _sample_lines(looks: _Looks, n: int, size: Sequence[int]) -> list[tuple[_Line, int]] | None:
    """Return how the samples that one doc becomes lie in it, as lines from the slowest on.

    Along one axis as frames, or row by row as patches; None if they do neither.
    """
    if len(looks.at) < n:
        return None
    for columns in (divisor for divisor in range(1, n + 1) if n % divisor == 0):
        lines = []
        for index, steps in ((looks.at // columns, n // columns), (looks.at % columns, columns)):
            if steps == 1:
                continue
            fits = [_fit(index, looks.centres[:, along - 1]) for along in range(1, len(size))]
            along = int(np.argmax([fit for *_, fit in fits]))
            start, stride, fit = fits[along]
            if fit >= _LEAST_FIT and abs(stride) >= 0.5:
                stride = float(np.copysign(max(round(abs(stride)), 1), stride))
                lines.append((_Line(along + 1, start, stride), steps))
        is_whole = np.prod([steps for _, steps in lines]) == n
        if lines and is_whole and len({line.along for line, _ in lines}) == len(lines):
            return lines
    return None


def _best_line(
    looks: _Looks, n: int, whole: Sequence[tuple[float, float]], taken: set[int]
) -> _Line | None:
    """Return the line that the centres move along, if they do so along any axis of the input."""
    best, most = None, _LEAST_MOVEMENT
    # The outermost are pulled inwards by the border.
    inner = slice(1, -1) if len(looks.at) > 4 else slice(None)
    if len(looks.at) < 2:
        return None
    for along in set(range(1, len(whole))) - taken:
        low, length = whole[along]
        start, stride, fit = _fit(looks.at[inner], looks.centres[inner, along - 1])
        movement = abs(stride) * n / length
        # What sees two places with nothing between them has its centre where it does not look.
        is_one = np.median(looks.densities[:, along - 1]) >= _LEAST_DENSITY
        if length > 1 and fit >= _LEAST_FIT and movement > most and is_one:
            reach = np.median(looks.highs[:, along - 1] - looks.lows[:, along - 1])
            line = _Line(along, start, stride)
            if _leaves_out(looks, along, line, n, whole[along], reach):
                continue
            settled = (
                _spread(looks, line, n) if _is_cut(looks, along) else _snapped(line, n, low, length)
            )
            if settled is not None:
                best, most = settled, movement
    return best


def _is_cut(looks: _Looks, along: int) -> bool:
    """Tell whether several slices look as far as there is anything, on one side."""
    lows, highs = looks.lows[:, along - 1], looks.highs[:, along - 1]
    return bool((lows == lows.min()).sum() > 1 or (highs == highs.max()).sum() > 1)


def _spread(looks: _Looks, line: _Line, n: int) -> _Line | None:
    """Return the line that spreads the slices over all that they look at.

    What is cut off at the borders pulls the centres inwards: the steps that are measured are too
    short. None if that is not why they are.
    """
    low = float(looks.lows[:, line.along - 1].min())
    high = float(looks.highs[:, line.along - 1].max())
    even, middle = (high - low + 1) / n, line.start + line.stride * (n - 1) / 2
    is_centred = abs(middle - (low + high) / 2) < max(even, 1) / 2
    if not is_centred or abs(line.stride) > (1 + _FAR) * even:
        return None
    stride = float(np.copysign(even, line.stride))
    return line._replace(start=(low + high) / 2 - stride * (n - 1) / 2, stride=stride)


def _leaves_out(
    looks: _Looks, along: int, line: _Line, n: int, whole: tuple[float, float], reach: float
) -> bool:
    """Tell whether an outermost slice looks at what no slice along a line would.

    So it does if the model's own code turns its input round, and cuts it where it is no border.
    """
    low, length = whole
    ends = sorted((line.start, line.start + line.stride * (n - 1)))
    least, most = max(ends[0], low), min(ends[1], low + length - 1)
    centres, step = looks.centres[:, along - 1], abs(line.stride)
    is_off = np.abs(centres - line.start - line.stride * looks.at) > _STRAY + step + reach
    is_beyond = (centres < least - step / 2) | (centres > most + step / 2)
    return bool((is_off & is_beyond).any())


def _fit(at: Array, values: Array) -> tuple[float, float, float]:
    """Return start and step of the best line, and how well it fits: 1 is exact."""
    if len(set(at.tolist())) < 2:
        return 0.0, 0.0, 0.0
    stride, start = np.polyfit(at, values, 1)
    spread = ((values - values.mean()) ** 2).sum()
    rest = ((values - start - stride * at) ** 2).sum()
    return float(start), float(stride), float(1 - rest / spread) if spread > 0 else 0.0


def _snapped(line: _Line, n: int, low: float, length: float) -> _Line:
    """Return the line that a measured one surely is: an even one, or one of whole steps."""
    stride, even = line.stride, length / n
    middle = line.start + stride * (n - 1) / 2
    is_centred = abs(middle - low - (length - 1) / 2) < max(even, 1) / 2
    if is_centred and abs(abs(stride) / even - 1) < _NEARLY:
        stride = float(np.copysign(even, stride))
        return line._replace(start=low + (length - 1) / 2 - stride * (n - 1) / 2, stride=stride)
    if round(stride) and abs(stride / round(stride) - 1) < _NEARLY:
        stride = float(round(stride))
    start = middle - stride * (n - 1) / 2
    is_half = abs(2 * start - round(2 * start)) < 0.3
    return line._replace(start=round(2 * start) / 2 if is_half else start, stride=stride)


def _is_even(line: _Line, n: int, whole: Sequence[tuple[float, float]]) -> bool:
    low, length = whole[line.along]
    middle = line.start + line.stride * (n - 1) / 2
    return bool(
        abs(abs(line.stride) * n - length) < 1e-3 and abs(middle - low - (length - 1) / 2) < 1e-3
    )
