"""Where in the explained input the elements of a tensor lie, as far as that can be followed.

An axis of a tensor is made of *parts*: one step along a part goes a stride along an axis of the
input. So a reshape splits and joins parts, a transpose moves them, a crop or a window shifts and
stretches them, and what is mixed (channels behind a convolution) goes along no axis of the input.
Where several tensors come together that lie elsewhere, an axis goes along none either.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import Any, NamedTuple

Shape = tuple[int, ...]
Span = tuple[float, float]


class Part(NamedTuple):
    """A part of an axis, from the slowest to the fastest."""

    axis: int | None  # of the input, its batch axis counted; None where it is none of these
    stride: float  # how far along that axis one step goes
    size: int  # steps


class Alignment(NamedTuple):
    """Where the elements of a tensor lie.

    The element of index 0 lies at `first`; each part of each axis adds its index times its stride.
    """

    axes: tuple[tuple[Part, ...], ...]  # of the tensor; an axis of length 1 may have no part
    first: tuple[float, ...]  # along each axis of the input, counted from the middle of an element
    radius: tuple[float, ...]  # how far around that an element sees the input
    seen: tuple[Span, ...]  # from where to where any element can see it
    # What stands for the input: None for the input itself, else the call of this position in the
    # trace, of whose output it is not known where it lies.
    root: int | None = None

    @property
    def shape(self) -> Shape:
        """The shape of the tensor."""
        return tuple(math.prod(part.size for part in parts) for parts in self.axes)


def align_input(shape: Shape, root: int | None = None) -> Alignment:
    """Return the alignment of the input itself, or of the output of the call `root`."""
    return Alignment(
        tuple((Part(axis, 1.0, size),) for axis, size in enumerate(shape)),
        (0.0,) * len(shape),
        (0.0,) * len(shape),
        tuple((-0.5, size - 0.5) for size in shape),
        root,
    )


def move(
    before: Alignment, axis: int, size: int, offset: float, stride: float = 1.0, radius: float = 0.0
) -> Alignment:
    """Return the alignment with other elements along an axis of the tensor.

    Element j of the new ones is centred at ``offset + stride * j`` of the old, and sees `radius` of
    those on either side.
    """
    axis %= len(before.axes)
    positional = [part for part in before.axes[axis] if part.axis is not None]
    if len(before.axes[axis]) != 1 or not positional:
        # Of several parts, no step is as long as the next.
        return mix(before, axis, size)
    (part,) = positional
    a, step = part.axis or 0, part.stride
    moved = _with(before, "first", a, before.first[a] + step * offset)
    moved = _with(moved, "radius", a, before.radius[a] + abs(step) * radius)
    return _with(moved, "axes", axis, (Part(part.axis, step * stride, size),))


def cut(before: Alignment, axis: int, start: int, size: int, step: int = 1) -> Alignment:
    """Return the alignment of some elements along an axis: the others are not seen any more."""
    after = move(before, axis, size, start, step)
    for part in after.axes[axis % len(before.axes)]:
        if part.axis is None:
            continue
        a = part.axis
        ends = after.first[a], after.first[a] + part.stride * (part.size - 1)
        around = abs(part.stride / step) / 2 + after.radius[a]
        low, high = after.seen[a]
        seen = max(low, min(ends) - around), min(high, max(ends) + around)
        after = _with(after, "seen", a, seen)
    return after


def flip(before: Alignment, axis: int) -> Alignment:
    """Return the alignment with an axis of the tensor in the opposite order."""
    axis %= len(before.axes)
    parts, after = [], before
    for part in before.axes[axis]:
        if part.axis is not None:
            end = after.first[part.axis] + part.stride * (part.size - 1)
            after = _with(after, "first", part.axis, end)
        parts.append(part._replace(stride=-part.stride))
    return _with(after, "axes", axis, tuple(parts))


def permute(before: Alignment, axes: Sequence[int]) -> Alignment:
    """Return the alignment with the axes of the tensor in another order."""
    return before._replace(axes=tuple(before.axes[axis] for axis in axes))


def mix(before: Alignment, axis: int, size: int) -> Alignment:
    """Return the alignment with an axis whose elements lie nowhere: each is made of all of them."""
    axis %= len(before.axes)
    after = before
    for part in before.axes[axis]:
        if part.axis is not None:
            half = part.stride * (part.size - 1) / 2
            after = _with(after, "first", part.axis, after.first[part.axis] + half)
            after = _with(after, "radius", part.axis, after.radius[part.axis] + abs(half))
    return _with(after, "axes", axis, (Part(None, 0.0, size),))


def insert(before: Alignment, axis: int, size: int = 1) -> Alignment:
    """Return the alignment with a new axis."""
    axes = list(before.axes)
    axes.insert(axis % (len(axes) + 1), (Part(None, 0.0, size),))
    return before._replace(axes=tuple(axes))


def drop(before: Alignment, axis: int) -> Alignment:
    """Return the alignment without an axis, which is averaged over or has one element."""
    after = mix(before, axis, 1)
    axis %= len(before.axes)
    return after._replace(axes=after.axes[:axis] + after.axes[axis + 1 :])


def reshape(before: Alignment, shape: Shape) -> Alignment | None:
    """Return the alignment of the tensor in another shape; None if that cuts a part in pieces."""
    rest = [part for parts in before.axes for part in parts if part.size > 1]
    axes = []
    for size in shape:
        parts: list[Part] = []
        while size > 1:
            if not rest:
                return None
            part = rest.pop(0)
            if size % part.size == 0:
                parts.append(part)
                size //= part.size
            elif part.size % size == 0:
                inner = part.size // size
                parts.append(Part(part.axis, part.stride * inner, size))
                rest.insert(0, Part(part.axis, part.stride, inner))
                size = 1
            else:
                return None
        axes.append(tuple(parts) or (Part(None, 0.0, 1),))
    return None if rest else before._replace(axes=tuple(axes))


def meet(before: Alignment, others: Sequence[Alignment], skip: int | None = None) -> Alignment:
    """Return the alignment of what several tensors make together, place by place.

    An axis along which one of them lies elsewhere lies nowhere, but for the axis `skip`. What lies
    in the output of another call cannot be compared, and counts for nothing.
    """
    after = before
    for other in others:
        if other.root != before.root:
            continue
        for back in range(1, 1 + min(len(before.axes), len(other.axes))):
            axis = len(before.axes) - back
            if axis != skip and not _lie_alike(before, other, -back):
                after = mix(after, axis, before.shape[axis])
    return after


def _lie_alike(one: Alignment, other: Alignment, axis: int) -> bool:
    """Tell whether two tensors lie at the same places along an axis, but for a cell.

    What has been through more layers may be off by half of what these look around.
    """
    ours, theirs = ([p for p in x.axes[axis] if p.axis is not None] for x in (one, other))
    if not ours or not theirs or one.shape[axis] != other.shape[axis] or one.shape[axis] == 1:
        return True
    if [(p.axis, p.size) for p in ours] != [(p.axis, p.size) for p in theirs]:
        return False
    for mine, its in zip(ours, theirs, strict=True):
        a = mine.axis or 0
        near, far = one.first[a] - other.first[a], (mine.stride - its.stride) * (mine.size - 1)
        slack = abs(mine.stride) + abs(one.radius[a] - other.radius[a]) / 2
        if max(abs(near), abs(near + far)) > slack:
            return False
    return True


def join(
    before: Alignment, pieces: Sequence[tuple[Shape, Alignment | None]], axis: int
) -> Alignment:
    """Return the alignment of tensors one behind another, `before` being the largest of them.

    Those that continue one another evenly are as one. A border, of zeros or of what is seen anyway,
    only shifts what it surrounds. Otherwise the axis lies nowhere.
    """
    *starts, size = itertools.accumulate((shape[axis] for shape, _ in pieces), initial=0)
    after = meet(before, [piece for _, piece in pieces if piece is not None], skip=axis)
    own = [
        (start, piece)
        for start, (_, piece) in zip(starts, pieces, strict=True)
        if piece is not None and _continues(before, piece, axis)
    ]
    for line in (own, [one for one in own if one[1] is before][:1]):
        kept = {start for start, _ in line}
        rest = [one for start, one in zip(starts, pieces, strict=True) if start not in kept]
        if line and _is_even(line, axis) and _is_border(rest, line, axis):
            return _with_line(after, line, axis, size)
    return mix(after, axis, size)


Line = Sequence[tuple[int, Alignment]]  # pieces, each with the index at which it begins


def _continues(before: Alignment, piece: Alignment, axis: int) -> bool:
    """Tell whether a piece runs along the same axis of the input, beside the same places."""
    ours, theirs = before.axes[axis], piece.axes[axis]
    if piece.root != before.root or len(ours) != 1 or len(theirs) != 1 or ours[0].axis is None:
        return False
    return theirs[0].axis == ours[0].axis and meet(before, [piece], skip=axis) == before


def _ends(line: Line, axis: int) -> list[tuple[int, float]]:
    """Return index and place of the first and last element of each piece."""
    ends = []
    for start, piece in line:
        part = piece.axes[axis][0]
        first = piece.first[part.axis or 0]
        ends.append((start, first))
        ends.append((start + part.size - 1, first + part.stride * (part.size - 1)))
    return ends


def _step(line: Line, axis: int) -> float:
    (start, first), *_, (end, last) = _ends(line, axis)
    return (last - first) / (end - start) if end > start else line[0][1].axes[axis][0].stride


def _is_even(line: Line, axis: int) -> bool:
    ends, step = _ends(line, axis), _step(line, axis)
    start, first = ends[0]
    return all(abs(at - first - step * (k - start)) <= abs(step) for k, at in ends)


def _is_border(pieces: Sequence[tuple[Shape, Alignment | None]], line: Line, axis: int) -> bool:
    """Tell whether pieces show nothing, or little that those of a line do not see as well."""
    n_strange = 0
    for shape, piece in pieces:
        if piece is not None and not any(p.axis is not None for q in piece.axes for p in q):
            continue  # zeros
        n_strange += shape[axis]
        if piece is None:
            continue
        if piece.root != line[0][1].root:
            return False
        for a, (low, high) in enumerate(piece.seen):
            least, most = _hull([one.seen[a] for _, one in line])
            if low < least or high > most:
                return False
    return 2 * n_strange <= sum(piece.shape[axis] for _, piece in line)


def _hull(spans: Sequence[Span]) -> Span:
    return min(low for low, _ in spans), max(high for _, high in spans)


def _with_line(before: Alignment, line: Line, axis: int, size: int) -> Alignment:
    """Return the alignment with an axis of `size` elements along a line of pieces."""
    (start, first), step = _ends(line, axis)[0], _step(line, axis)
    a = before.axes[axis][0].axis or 0
    after = _with(before, "first", a, first - step * start)
    after = _with(after, "radius", a, max(piece.radius[a] for _, piece in line))
    after = _with(after, "seen", a, _hull([piece.seen[a] for _, piece in line]))
    return _with(after, "axes", axis, (Part(a, step, size),))


def compose(inner: Alignment, root: Alignment) -> Alignment:
    """Return an alignment to a call's output as one to the input, where that output lies there.

    An axis of the output that goes along several parts cannot be split or thinned out: what is
    left of it lies nowhere.
    """
    first, radius, seen = list(root.first), list(root.radius), list(root.seen)
    substitutes: dict[int, tuple[Part, ...]] = {}
    for axis, parts in enumerate(root.axes):
        whole = [part for part in parts if part.axis is not None]
        if len(whole) == 1:
            (part,) = whole
            a = part.axis or 0
            ends = [root.first[a] + part.stride * end for end in inner.seen[axis]]
            full = inner.seen[axis] == (-0.5, part.size - 0.5)
            first[a] += part.stride * inner.first[axis]
            radius[a] += abs(part.stride) * inner.radius[axis]
            if not full:
                around = root.radius[a]
                seen[a] = (
                    max(seen[a][0], min(ends) - around),
                    min(seen[a][1], max(ends) + around),
                )
        substitutes[axis] = parts
    axes = tuple(
        tuple(new for part in parts for new in _substituted(part, substitutes))
        for parts in inner.axes
    )
    return Alignment(axes, tuple(first), tuple(radius), tuple(seen), root.root)


def _substituted(part: Part, substitutes: dict[int, tuple[Part, ...]]) -> tuple[Part, ...]:
    if part.axis is None:
        return (part,)
    parts = substitutes[part.axis]
    if len(parts) == 1:
        (only,) = parts
        return (Part(only.axis, only.stride * part.stride, part.size),)
    is_whole = part.stride == 1 and math.prod(one.size for one in parts) == part.size
    return parts if is_whole else (Part(None, 0.0, part.size),)


def _with(alignment: Alignment, field: str, index: int, value: object) -> Alignment:
    values = list(getattr(alignment, field))
    values[index] = value
    changed: Any = {field: tuple(values)}
    return alignment._replace(**changed)
