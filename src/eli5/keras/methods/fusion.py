"""Maps of several layers, fused into one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from eli5.keras.methods.resize import resize
from eli5.placement import Placement, at_cells

Array = np.ndarray[Any, Any]

FUSIONS: dict[str, Any] = {"mean": np.mean, "max": np.max}


def fuse(
    per_layer: Sequence[Array], placements: Sequence[Placement], fusion: str
) -> tuple[Array, Placement]:
    """Fuse K maps of each of several layers; return them with the placement of their cells.

    Each map is divided by its largest absolute value, so that no layer outweighs another by its
    scale alone, and brought to the cells of the finest one.

    The maps of one layer, shape (K, *grid), come back as they are. ValueError if the maps of some
    layers have two axes and those of others three.
    """
    if len(per_layer) == 1:
        return per_layer[0], placements[0]
    shapes = [maps.shape[1:] for maps in per_layer]
    if len(set(map(len, shapes))) > 1:
        raise ValueError(
            "Expected layers whose maps have the same number of axes. Received: maps of shapes "
            f"{shapes}"
        )
    finest = max(range(len(shapes)), key=lambda k: np.prod(shapes[k]))
    wanted, cells = placements[finest], shapes[finest]
    cover_all = all(p.is_stretch(shape) for p, shape in zip(placements, shapes, strict=True))
    scaled = np.stack(
        [
            resize(maps, cells) if cover_all else at_cells(maps, placement, wanted, cells)
            for maps, placement in zip(map(_scaled, per_layer), placements, strict=True)
        ]
    )
    return FUSIONS[fusion](scaled, axis=0).astype("float32"), wanted


def _scaled(maps: Array) -> Array:
    peaks = np.abs(maps).reshape(len(maps), -1).max(axis=1)
    return maps / np.where(peaks == 0, 1, peaks).reshape(-1, *[1] * (maps.ndim - 1))
