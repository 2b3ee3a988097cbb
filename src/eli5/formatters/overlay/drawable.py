"""Tell whether there is anything to draw of an explanation, before a picture library is loaded."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from eli5.base import Explanation


def has_canvas(expl: Explanation) -> bool:
    """Tell whether there is an image or a series that heatmaps can be laid on."""
    return expl.image is not None or expl.series is not None


def is_drawable(expl: Explanation) -> bool:
    """Tell whether `eli5.format_as_image` has all that it draws."""
    targets = expl.targets or []
    has_heatmaps = bool(targets) and all(target.heatmap is not None for target in targets)
    return not expl.error and has_canvas(expl) and has_heatmaps
