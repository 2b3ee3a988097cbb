"""Format explanations as a picture: the heatmap laid over the image, or behind the series."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from PIL import Image

from eli5.base import Explanation, TargetExplanation
from eli5.formatters.explanation_fields import flattened
from eli5.formatters.overlay.drawable import is_drawable
from eli5.formatters.overlay.heatmap import LANCZOS, checked_picture
from eli5.formatters.overlay.heatmap import expand_heatmap as expand_heatmap  # documented here
from eli5.formatters.overlay.heatmap import heatmap_to_image as heatmap_to_image
from eli5.formatters.overlay.layers import draw_layer
from eli5.formatters.overlay.options import DEFAULT_COLORMAP, default_percentile, make_options
from eli5.formatters.overlay.outline import draw_outline
from eli5.formatters.overlay.picture import to_png, to_rgba
from eli5.formatters.series.picture import draw_series
from eli5.formatters.sheet import to_sheet
from eli5.formatters.texts.weighted_text import has_texts

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from eli5.formatters.overlay.options import OverlayOptions


def format_as_image(
    expl: Explanation | Iterable[Explanation],
    resampling_filter: int = LANCZOS,
    colormap: str | Callable[[NDArray[Any]], Any] = DEFAULT_COLORMAP,
    alpha_limit: float | None = 0.65,
    *,
    percentile: float | None = None,
    signed: bool = False,
) -> Image.Image:
    """Lay the heatmap of an explanation over its image, or draw it behind its series.

    The heatmap is resized to the image first and coloured then, so every pixel has a colour of the
    colormap. A pixel is as opaque as its heatmap value, up to `alpha_limit`; see `percentile` for
    methods that explain the pixels of the input. The ``region`` of a target has a white border, a
    pixel a cross.

    The heatmap of a volume or a video has rank 3, ``(d, h, w)``, and its image shows ``d`` slices
    of one size side by side. Each slice of the heatmap is resized to its own part of the image.

    A series is drawn over time on white, with a colour bar: up to eight channels as lines, each in
    a panel of its own range, more as a strip with a row for each, from light for its least to dark
    for its largest value. The heatmap is the background. One of rank 1 is stretched to the steps of
    the series and stands behind all channels; one of rank 2 behind each its own. Where many steps
    share a column of pixels, the line covers all their values, and the colour is that of the
    highest heat. Missing and infinite values leave gaps.

    Parameters
    ----------
    expl : Explanation or iterable of Explanation
        An explanation with a Pillow ``image`` of any mode or a ``series``, and at least one target;
        or several, as ``methods=`` and `eli5.explain_predictions` give. The image of a target
        without a heatmap is drawn as it is, as is the image of one explanation without targets.
    resampling_filter : PIL.Image.Resampling
        How the heatmap is resized to the image; ``LANCZOS`` if not given. To a series it is
        stretched with ``BILINEAR``, which is taken if none is given, or ``NEAREST``.
    colormap : matplotlib.colors.Colormap, str or callable
        A colormap of matplotlib, its name, or a function that takes a rank-2 float array in [0, 1]
        and returns its colours, RGB or RGBA floats in [0, 1] of shape ``(H, W, 3)`` or
        ``(H, W, 4)``, whose alpha is not used; viridis if not given, for a series the other way
        round, as more heat is to be darker on white, and for ``signed=True`` one from blue
        (against) to red (for).
    alpha_limit : float or None
        The highest opacity, in [0, 1]: how much of the image always stays visible. ``None`` is no
        limit.
    percentile : float, optional
        The percentile of each resized heatmap, in (0, 100], that is shown as its maximum; of an
        attribution, the percentile of its magnitude. Below 100 a few pixels no longer outshine all
        others. If not given, 99 for methods that explain the pixels of the input, such as Saliency
        (see `eli5.formatters.overlay.options.default_percentile`), and 100 for those that explain a
        layer.
    signed : bool
        Draw each target's ``attribution``, with what speaks against the score, in the place of its
        heatmap. Its largest magnitude is at one end of the colormap, zero is transparent and in
        the middle, at 0.5.

    Returns
    -------
    PIL.Image.Image
        Mode ``RGBA``. For one target, of the image's size, or for a series 1,300 pixels wide. For
        several targets or explanations a labelled sheet; see `eli5.formatters.sheet.to_sheet`.

    Raises
    ------
    TypeError
        If `expl` holds anything but explanations, or one of a text; if an image is not a Pillow
        image, a heatmap is not a NumPy array, an option has the wrong type, or a series holds what
        is no number, time or name.
    ValueError
        If there is no explanation, image or series (the message shows the explanation's ``error``),
        a series or one of several explanations has no target, a series is not as `eli5.base.Series`
        says, a heatmap has values outside [0, 1] or is not of rank 2 or 3, an attribution is
        missing or not finite, the image's width is not divisible by the number of slices of a
        heatmap of rank 3, or an option has an unknown value.
    """
    explanations = list(flattened(expl))
    if not explanations:
        raise ValueError(f"Expected at least one Explanation. Received: expl={expl!r}")
    (first, *others) = explanations
    for one in explanations:
        _check(one)
    if not (others or first.targets or first.image is None):
        return to_rgba(first.image)
    for one in explanations:
        _check_targets(one)

    def draw(one: Explanation, target: TargetExplanation) -> Image.Image:
        shown = default_percentile(one) if percentile is None else percentile
        options = make_options(resampling_filter, colormap, alpha_limit, shown, signed)
        return _draw_overlay(one, target, options)

    if not others and len(first.targets) == 1:
        return draw(first, first.targets[0])
    return to_sheet(explanations, draw)


def overlay_png(expl: Explanation | Iterable[Explanation]) -> bytes | None:
    """Write what `format_as_image` gives as PNG, for showing; None if not all can be drawn."""
    explanations = list(flattened(expl))
    is_shown = bool(explanations) and all(map(is_drawable, explanations))
    return to_png(format_as_image(expl)) if is_shown else None


def _check(expl: Explanation) -> None:
    if expl.image is None and not expl.error and has_texts(expl):
        raise TypeError(
            "Expected an explanation of a picture. Received: one of a text, which a browser shows "
            "better than a picture could. Use format_as_html, or save it as .html; eli5.plot draws "
            "the weights of its words as bars, and format_as_text marks them. Of several, take "
            "those with a picture: eli5.Explanations(one for one in explanations if one.image)"
        )
    if expl.error or (expl.image is None and expl.series is None):
        raise ValueError(
            "Expected an explanation with an image or a series. "
            f"Received: expl.image={expl.image!r}, expl.error={expl.error}. "
            "Explain a picture or a series, or show the explanation with format_as_text. Of "
            "several, take those without error: "
            "eli5.Explanations(one for one in explanations if not one.error)"
        )
    if expl.image is not None:
        checked_picture(expl.image, "expl.image")


def _check_targets(expl: Explanation) -> None:
    if not expl.targets:
        raise ValueError(
            "Expected an explanation with at least one target. "
            f"Received: expl.targets={expl.targets!r}. There is no heatmap to lay over the image."
        )


def _draw_overlay(
    expl: Explanation, target: TargetExplanation, options: OverlayOptions
) -> Image.Image:
    if expl.image is None:
        return draw_series(expl, target, options)
    base = to_rgba(expl.image)
    if target.heatmap is not None or (options.signed and target.attribution is not None):
        layer = draw_layer(target, checked_picture(expl.image, "image"), options)
        base = _laid_over(base, layer)
    outline = draw_outline(target, base.size)
    return base if outline is None else Image.alpha_composite(base, outline)


def _laid_over(base: Image.Image, layer: Image.Image) -> Image.Image:
    if base.getchannel("A").getextrema() != (255, 255):
        return Image.alpha_composite(base, layer)
    # The same to half a level in half the time, but it would blend the opacity, too.
    base.paste(layer, mask=layer)
    base.putalpha(255)
    return base
