"""Draw synthetic scenes: known objects on a cluttered background, with a mask for each object.

The kinds differ in shape and texture, never in colour, place, size or rotation, so a classifier
has to look at the objects; the masks say where a good heatmap lies.
"""

from __future__ import annotations

import colorsys
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from eli5.demo import Scene

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    Floats = NDArray[np.floating[Any]]
    Bools = NDArray[np.bool_]

SIZE = 128
"""Height and width of a scene in pixels."""

AREA = (0.06, 0.11)
"""Smallest and largest share of the picture that one object covers."""

_GAP = 4  # pixels left free between two objects and along the edge
_SUBPIXELS = 3  # an object's pixel is the mean of 3 x 3 samples, which smooths its edges


def draw_scenes(seed: int, n: int, n_objects: int = 1) -> list[Scene]:
    """Draw `n` scenes, each with `n_objects` objects of different, randomly chosen kinds.

    The same arguments give the same scenes. See `draw_scene` for the errors.
    """
    rng = np.random.default_rng(seed)
    choices = [rng.permutation(len(KINDS))[:n_objects] for _ in range(n)]
    return [draw_scene(rng, [int(kind) for kind in kinds]) for kinds in choices]


def draw_scene(rng: np.random.Generator, kinds: Sequence[int]) -> Scene:
    """Draw one scene.

    Parameters
    ----------
    rng : numpy.random.Generator
        Where the randomness comes from; the same state gives the same scene.
    kinds : sequence of int
        The class ids of the objects to draw, at most two; none leaves the background alone.

    Raises
    ------
    ValueError
        If there are more than two kinds, or one is not an index into `KINDS`.
    """
    if len(kinds) > 2 or not all(0 <= kind < len(KINDS) for kind in kinds):
        raise ValueError(
            f"Expected at most two class ids from 0 to {len(KINDS) - 1} ({', '.join(KINDS)}). "
            f"Received: kinds={list(kinds)}"
        )
    canvas = _background(rng)
    masks = np.zeros((len(kinds), SIZE, SIZE), bool)
    for mask, kind, place in zip(masks, kinds, _places(rng, kinds), strict=True):
        mask[:] = _paint_object(canvas, rng, _OBJECTS[kind], *place)
    return Scene(np.round(canvas * 255).astype(np.uint8), tuple(kinds), masks)


# ---- objects -------------------------------------------------------------------------------------


def _places(rng: np.random.Generator, kinds: Sequence[int]) -> list[tuple[Floats, float]]:
    """Choose centre and radius of each object so that their bounding circles keep apart."""
    while True:
        areas = rng.uniform(*AREA, len(kinds)) * SIZE**2
        radii = [
            float(np.sqrt(area / _OBJECTS[kind].area))
            for area, kind in zip(areas, kinds, strict=True)
        ]
        centres = [rng.uniform(r + _GAP, SIZE - r - _GAP, 2) for r in radii]
        if len(kinds) < 2 or np.linalg.norm(centres[0] - centres[1]) > sum(radii) + _GAP:
            return list(zip(centres, radii, strict=True))


def _paint_object(
    canvas: Floats, rng: np.random.Generator, kind: _Object, centre: Floats, radius: float
) -> Bools:
    """Paint one object onto the canvas; return the pixels that it covers by half or more."""
    light = _colour(rng, saturation=(0.1, 0.6), value=(0.85, 1.0))
    dark = _colour(rng, saturation=(0.5, 1.0), value=(0.2, 0.6))
    left, top = np.floor(centre - radius).astype(int)
    side = int(2 * radius) + 2  # a window around the object, which is much faster than the canvas
    window = slice(top, top + side), slice(left, left + side)
    u, v = _object_coordinates(centre - (left, top), radius, rng.uniform(0, 2 * np.pi), side)
    inside, texture = (where[..., None] for where in kind.draw(u, v))
    coverage = _mean_subpixels(inside)
    paint = _mean_subpixels(inside * np.where(texture, dark, light))
    canvas[window] = (1 - coverage) * canvas[window] + paint
    mask = np.zeros((SIZE, SIZE), bool)
    mask[window] = coverage[..., 0] >= 0.5
    return mask


def _object_coordinates(
    centre: Floats, radius: float, angle: float, side: int
) -> tuple[Floats, Floats]:
    """Map subpixels to the turned frame in which the object's bounding circle has radius 1."""
    along = (np.arange(side * _SUBPIXELS) + 0.5) / _SUBPIXELS
    x, y = (along - centre[0])[None, :] / radius, (along - centre[1])[:, None] / radius
    return x * np.cos(angle) + y * np.sin(angle), y * np.cos(angle) - x * np.sin(angle)


def _mean_subpixels(samples: NDArray[Any]) -> Floats:
    side = len(samples) // _SUBPIXELS
    blocks = samples.reshape(side, _SUBPIXELS, side, _SUBPIXELS, -1)
    means: Floats = blocks.mean(axis=(1, 3))
    return means


class _Object(NamedTuple):
    """A kind of object, given (u, v) in which it just fits into the unit circle, v downwards.

    `draw` tells where the object is and where its texture is dark; `area` is its area.
    """

    name: str
    draw: Callable[[Floats, Floats], tuple[Bools, Bools]]
    area: float


def _striped_disc(u: Floats, v: Floats) -> tuple[Bools, Bools]:
    return u**2 + v**2 < 1, (u * 3.5) % 2 < 1


def _checkered_square(u: Floats, v: Floats) -> tuple[Bools, Bools]:
    column, row = np.floor(u * np.sqrt(8)), np.floor(v * np.sqrt(8))
    return np.maximum(abs(u), abs(v)) < np.sqrt(0.5), (column + row) % 2 < 1


def _dotted_triangle(u: Floats, v: Floats) -> tuple[Bools, Bools]:
    row = np.floor(v * 3.6)
    x, y = (u * 3.1 + row / 2) % 1 - 0.5, v * 3.6 - row - 0.5
    return np.maximum(-v, abs(u) * np.sqrt(0.75) + v / 2) < 0.5, x**2 + y**2 < 0.1


def _faceted_star(u: Floats, v: Floats) -> tuple[Bools, Bools]:
    radius, tenths = np.hypot(u, v), _turns(u, v) * 5 % 1
    # Folded into one tenth of a turn, the star ends at the line from a notch to a tip.
    angle = abs(tenths - 0.5) * np.pi / 2.5
    notch_x, notch_y = 0.5 * np.cos(np.pi / 5), 0.5 * np.sin(np.pi / 5)
    edge = radius * np.cos(angle) * notch_y + radius * np.sin(angle) * (1 - notch_x)
    return edge < notch_y, tenths < 0.5


def _segmented_ring(u: Floats, v: Floats) -> tuple[Bools, Bools]:
    return abs(np.hypot(u, v) - 0.75) < 0.25, _turns(u, v) * 6 % 1 < 0.5


def _rimmed_cross(u: Floats, v: Floats) -> tuple[Bools, Bools]:
    across, along = np.minimum(abs(u), abs(v)), np.maximum(abs(u), abs(v))
    return (across < 0.34) & (along < 0.94), (across > 0.18) | (along > 0.78)


def _turns(u: Floats, v: Floats) -> Floats:
    turns: Floats = np.arctan2(v, u) / (2 * np.pi)
    return turns


_OBJECTS = (
    _Object("disc", _striped_disc, area=3.142),
    _Object("square", _checkered_square, area=2.0),
    _Object("triangle", _dotted_triangle, area=1.299),
    _Object("star", _faceted_star, area=1.469),
    _Object("ring", _segmented_ring, area=2.356),
    _Object("cross", _rimmed_cross, area=2.094),
)

KINDS = tuple(kind.name for kind in _OBJECTS)
"""The name of each kind of object, by class id."""


# ---- background ----------------------------------------------------------------------------------


def _background(rng: np.random.Generator) -> Floats:
    """Draw a gradient with soft patches and grain, and lines and dots in the objects' colours."""
    first, second = (_colour(rng, saturation=(0.2, 0.6), value=(0.3, 0.9)) for _ in range(2))
    x, y = np.meshgrid(*2 * [np.linspace(-0.5, 0.5, SIZE)])
    angle = rng.uniform(0, 2 * np.pi)
    blend = 0.5 + x * np.cos(angle) + y * np.sin(angle) + _patches(rng)
    canvas = first + np.clip(blend, 0, 1)[..., None] * (second - first)
    for _ in range(rng.integers(8, 20)):
        _paint_stroke(canvas, rng)
    return np.clip(canvas + rng.normal(0, 0.03, canvas.shape), 0, 1)


def _patches(rng: np.random.Generator) -> Floats:
    """Interpolate a coarse grid of random values over the picture, linearly along both axes."""
    grid = rng.normal(0, 0.25, (7, 7))
    at = np.linspace(0, 6, SIZE)
    weights = np.clip(1 - abs(at[:, None] - np.arange(7)), 0, 1)
    patches: Floats = weights @ grid @ weights.T
    return patches


def _paint_stroke(canvas: Floats, rng: np.random.Generator) -> None:
    """Paint one round-ended line; a short, thick one is a blob."""
    start, angle = rng.uniform(0, SIZE, 2), rng.uniform(0, 2 * np.pi)
    length = rng.choice([0.0, rng.uniform(5, 90)])
    width = rng.uniform(1, 5) if length else rng.uniform(3, 12)
    colour = _colour(rng, saturation=(0.1, 1.0), value=(0.2, 1.0))
    x, y = np.meshgrid(*2 * [np.arange(SIZE) + 0.5])
    x, y = x - start[0], y - start[1]
    along = np.clip(x * np.cos(angle) + y * np.sin(angle), 0, length)
    distance = np.hypot(x - along * np.cos(angle), y - along * np.sin(angle))
    coverage = np.clip(width / 2 - distance + 0.5, 0, 1)[..., None]
    canvas += coverage * (colour - canvas)


def _colour(
    rng: np.random.Generator, saturation: tuple[float, float], value: tuple[float, float]
) -> Floats:
    return np.array(
        colorsys.hsv_to_rgb(rng.uniform(), rng.uniform(*saturation), rng.uniform(*value))
    )
