"""Format explanations as a picture: the heatmap laid over the image."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from PIL import Image

from eli5.base import Explanation, TargetExplanation
from eli5.formatters.heatmap import LANCZOS, checked_picture, expand_heatmap, heatmap_to_image
from eli5.formatters.layer import draw_layer
from eli5.formatters.look import VIRIDIS, default_percentile, make_look
from eli5.formatters.picture import to_png, to_rgba
from eli5.formatters.sheet import to_sheet

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from eli5.formatters.look import Look

__all__ = [
    "expand_heatmap",
    "format_as_image",
    "heatmap_to_image",
    "overlay_png",
]


def format_as_image(
    expl: Explanation | Iterable[Explanation],
    resampling_filter: int = LANCZOS,
    colormap: str | Callable[[NDArray[Any]], Any] = VIRIDIS,
    alpha_limit: float | None = 0.65,
    *,
    percentile: float | None = None,
    signed: bool = False,
) -> Image.Image:
    """Lay the heatmap of an explanation over its image.

    The heatmap is resized to the image first and coloured then, so every pixel has a colour of the
    colormap. A pixel is as opaque as its heatmap value, up to `alpha_limit`; see `percentile` for
    methods that explain the pixels of the input.

    The heatmap of a volume or a video has rank 3, ``(d, h, w)``, and its image shows ``d`` slices
    of one size side by side. Each slice of the heatmap is resized to its own part of the image.

    Parameters
    ----------
    expl : Explanation or iterable of Explanation
        An explanation with a Pillow ``image`` of any mode and at least one target with a heatmap;
        or several, as ``methods=`` and `eli5.explain_predictions` give.
    resampling_filter : PIL.Image.Resampling
        How the heatmap is resized to the image; ``LANCZOS`` if not given.
    colormap : matplotlib.colors.Colormap, str or callable
        A colormap of matplotlib, its name, or a function that takes a rank-2 float array in [0, 1]
        and returns its colours, RGB or RGBA floats in [0, 1] of shape ``(H, W, 3)`` or
        ``(H, W, 4)``, whose alpha is not used; viridis if not given, and for ``signed=True`` one
        from blue (against) to red (for).
    alpha_limit : float or None
        The highest opacity, in [0, 1]: how much of the image always stays visible. ``None`` is no
        limit.
    percentile : float, optional
        The percentile of each resized heatmap, in (0, 100], that is shown as its maximum; of an
        attribution, the percentile of its magnitude. Below 100 a few pixels no longer outshine all
        others. If not given, 99 for methods that explain the pixels of the input, such as Saliency
        (see `eli5.formatters.look.default_percentile`), and 100 for those that explain a layer.
    signed : bool
        Draw each target's ``attribution``, with what speaks against the score, in the place of its
        heatmap. Its largest magnitude is at one end of the colormap, zero is transparent and in
        the middle, at 0.5.

    Returns
    -------
    PIL.Image.Image
        Mode ``RGBA``. For one target, of the image's size. For several targets or explanations a
        labelled sheet; see `eli5.formatters.sheet.to_sheet`.

    Raises
    ------
    TypeError
        If `expl` holds anything but explanations, an image is not a Pillow image, a heatmap is not
        a NumPy array, or an option has the wrong type.
    ValueError
        If there is no explanation, image or target (the message shows the explanation's ``error``),
        a heatmap has values outside [0, 1] or is not of rank 2 or 3, an attribution is missing or
        not finite, the image's width is not divisible by the number of slices of a heatmap of
        rank 3, or an option has an unknown value.
    """
    explanations = [expl] if isinstance(expl, Explanation) else _listed(expl)
    for one in explanations:
        _check(one)

    def overlay(one: Explanation, target: TargetExplanation, image: Image.Image) -> Image.Image:
        shown = default_percentile(one) if percentile is None else percentile
        look = make_look(resampling_filter, colormap, alpha_limit, shown, signed)
        return _overlay(target, image, look)

    if len(explanations) == len(explanations[0].targets) == 1:
        return overlay(explanations[0], explanations[0].targets[0], explanations[0].image)
    return to_sheet(explanations, overlay)


def overlay_png(expl: Explanation) -> bytes | None:
    """Write what `format_as_image` gives as PNG, for showing; see `to_png`.

    Returns
    -------
    bytes or None
        ``None`` if the explanation has an error, or no picture to show.
    """
    if expl.error or expl.image is None or not expl.targets:
        return None
    if any(target.heatmap is None for target in expl.targets):
        return None
    return to_png(format_as_image(expl))


def _listed(expl: Any) -> list[Explanation]:
    explanations = list(_taken_apart(expl))
    if not explanations:
        raise ValueError(f"Expected at least one Explanation. Received: expl={expl!r}")
    return explanations


def _taken_apart(expl: Any) -> Iterator[Explanation]:
    """Yield explanations, also those of lists in lists, as `methods=` gives for many docs."""
    if isinstance(expl, Explanation):
        yield expl
    elif isinstance(expl, Iterable) and not isinstance(expl, str | bytes):
        for one in expl:
            yield from _taken_apart(one)
    else:
        raise TypeError(
            "Expected an Explanation, or several of them. "
            f"Received: {expl!r} of type {type(expl).__name__}. "
            "eli5.explain_prediction gives an Explanation."
        )


def _check(expl: Explanation) -> None:
    if expl.error or expl.image is None:
        raise ValueError(
            "Expected an explanation with an image. "
            f"Received: expl.image={expl.image!r}, expl.error={expl.error}. "
            "Explain a picture, or show the explanation with format_as_text."
        )
    checked_picture(expl.image, "expl.image")
    if not expl.targets:
        raise ValueError(
            "Expected an explanation with at least one target. "
            f"Received: expl.targets={expl.targets!r}. There is no heatmap to lay over the image."
        )


def _overlay(target: TargetExplanation, image: Image.Image, look: Look) -> Image.Image:
    layer = draw_layer(target, checked_picture(image, "image"), look)
    base = to_rgba(image)
    if base.getchannel("A").getextrema() != (255, 255):
        return Image.alpha_composite(base, layer)
    # The same to half a level in half the time, but it would blend the opacity, too.
    base.paste(layer, mask=layer)
    base.putalpha(255)
    return base
