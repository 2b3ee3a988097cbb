"""What a notebook shows of an explanation: each front end takes the richest form that it knows."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from eli5.base import missing_picture_libraries
from eli5.formatters.html import format_as_html
from eli5.formatters.overlay.drawable import has_canvas, is_drawable
from eli5.formatters.text import format_as_text

if TYPE_CHECKING:
    from collections.abc import Callable, Container

    from eli5.base import Explanation

# The picture stands in where HTML is not shown, so it need not make the notebook's file large.
_LARGEST_PICTURE = (800, 800)


def mimebundle(
    expl: Explanation | Sequence[Explanation],
    include: Container[str] | None = None,
    exclude: Container[str] | None = None,
    **look: Any,
) -> dict[str, Any]:
    """Format an explanation, or several as a gallery, for a notebook.

    There is ``"text/html"``, what `eli5.format_as_html` gives; ``"image/png"``, what
    `eli5.format_as_image` gives, made smaller and in base64, if there is something to draw;
    ``"text/plain"``, what `eli5.format_as_text` gives. Of a picture or a series, where Pillow or
    matplotlib is missing, the last alone. `include` and `exclude` are MIME types, `look` is how the
    heatmaps are to look, in options of `eli5.format_as_image`.
    """
    explanations = expl if isinstance(expl, Sequence) else [expl]
    forms: dict[str, Callable[[Sequence[Explanation]], str | None]]
    html, png = partial(format_as_html, **look), partial(_png, look=look)
    forms = {"text/html": html, "image/png": png, "text/plain": _text}
    if any(map(has_canvas, explanations)) and missing_picture_libraries():
        forms = {"text/plain": _text}
    bundle = {
        mime: form(explanations)
        for mime, form in forms.items()
        if (not include or mime in include) and not (exclude and mime in exclude)
    }
    return {mime: shown for mime, shown in bundle.items() if shown is not None}


def _text(explanations: Sequence[Explanation]) -> str:
    return format_as_text(explanations)


def _png(explanations: Sequence[Explanation], look: dict[str, Any]) -> str | None:
    if not explanations or not all(map(is_drawable, explanations)):
        return None

    from eli5.formatters.image import format_as_image  # needs Pillow and matplotlib
    from eli5.formatters.overlay.picture import to_png

    picture = format_as_image(explanations, **look)
    picture.thumbnail(_LARGEST_PICTURE)
    return b64encode(to_png(picture)).decode("ascii")
