"""Format an explanation as HTML: a fragment for a notebook cell, or a whole page."""

from __future__ import annotations

from base64 import b64encode
from html import escape
from typing import TYPE_CHECKING

from eli5.base import Explanation, check_single
from eli5.formatters.image import overlay_heatmap
from eli5.formatters.picture import to_png
from eli5.formatters.sheet import is_wide
from eli5.formatters.text import number, one_line, printable, target_label, target_name

if TYPE_CHECKING:
    from collections.abc import Iterable

    from PIL.Image import Image

    from eli5.base import TargetExplanation

__all__ = ["format_as_html", "format_as_page"]

# Text takes the colour of its surroundings and lines are half-transparent grey, so that one set of
# rules serves light and dark themes.
_STYLES = """<style>
.eli5-explanation { font-family: system-ui, sans-serif; font-size: 14px; line-height: 1.45; }
.eli5-explanation p { margin: 0 0 12px; max-width: 75ch; white-space: pre-line; }
.eli5-explanation .eli5-facts { font-size: 15px; }
.eli5-explanation .eli5-error { padding: 8px 12px; border-left: 4px solid #d33; }
.eli5-explanation .eli5-targets { display: flex; flex-wrap: wrap; gap: 16px; margin: 0 0 12px; }
.eli5-explanation figure { margin: 0; padding: 8px; min-width: 216px; max-width: 100%;
  box-sizing: border-box; border: 1px solid rgba(127, 127, 127, 0.4); border-radius: 6px; }
.eli5-explanation .eli5-wide { min-width: min(720px, 100%); }
.eli5-explanation .eli5-wide img { width: 100%; }
.eli5-explanation img { display: block; margin: 0 0 8px; min-width: 200px; max-width: 100%;
  max-height: 640px; object-fit: contain; border-radius: 3px; }
.eli5-explanation figcaption { width: 0; min-width: 100%; overflow-wrap: anywhere; }
.eli5-explanation dl { display: grid; grid-template-columns: max-content max-content;
  gap: 0 12px; margin: 4px 0 0; font-variant-numeric: tabular-nums; }
.eli5-explanation dt { margin: 0; font-weight: normal; opacity: 0.75; }
.eli5-explanation dd { margin: 0; text-align: right; }
</style>"""

_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy"
 content="default-src 'none'; img-src data:; style-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{title}</title>
{styles}
</head>
<body>
<h1>{title}</h1>
{fragments}
</body>
</html>
"""

_PAGE_STYLES = """<style>
body { margin: 24px auto; padding: 0 24px; max-width: 1200px; }
h1 { margin: 0 0 16px; font: 600 22px/1.3 system-ui, sans-serif; overflow-wrap: anywhere; }
.eli5-explanation + .eli5-explanation { margin-top: 24px; padding-top: 24px;
  border-top: 1px solid rgba(127, 127, 127, 0.4); }
</style>"""


def format_as_html(expl: Explanation, include_styles: bool = True) -> str:
    """Format an explanation as an HTML fragment that needs nothing else.

    Parameters
    ----------
    expl : Explanation
        An explanation, with or without targets, a picture or an error.
    include_styles : bool
        Whether the fragment starts with its ``<style>`` block. All its rules are about the class
        ``eli5-explanation``. Once per page is enough.

    Returns
    -------
    str
        Model, method and layer; for each target its overlay as a PNG data URI, class, score and
        probability; the description. No script, no reference to anything outside, and all text
        escaped.

    Raises
    ------
    TypeError, ValueError
        If the image or a heatmap cannot be drawn; see `eli5.format_as_image`.
    """
    check_single(expl)
    parts = [
        _STYLES if include_styles else "",
        '<section class="eli5-explanation">',
        _facts(expl),
        f'<p class="eli5-error"><b>Error</b>: {_text(expl.error)}</p>' if expl.error else "",
        _targets(expl),
        f"<p>{_text(expl.description)}</p>" if expl.description else "",
        "</section>",
    ]
    return "\n".join(part for part in parts if part)


def format_as_page(
    expl: Explanation | Iterable[Explanation], title: str = "What the model looked at"
) -> str:
    """Format one or several explanations as a complete HTML document.

    Parameters
    ----------
    expl : Explanation or iterable of Explanation
        What to show, from top to bottom; see `format_as_html`.
    title : str
        Title of the document, and its headline.

    Returns
    -------
    str
        A document in one piece that works from a file; write it with ``encoding="utf-8"``. Its
        Content-Security-Policy forbids scripts and any request.
    """
    explanations = [expl] if isinstance(expl, Explanation) else expl
    return _PAGE.format(
        title=_name(title),
        styles=f"{_PAGE_STYLES}\n{_STYLES}",
        fragments="\n".join(format_as_html(one, include_styles=False) for one in explanations),
    )


def _facts(expl: Explanation) -> str:
    facts = [
        f"<b>{_name(expl.method)}</b>" if expl.method else "",
        f"model <bdi>{_name(expl.estimator)}</bdi>",
        f"layer <bdi>{_name(expl.layer)}</bdi>" if expl.layer else "",
    ]
    return f'<p class="eli5-facts">{" · ".join(fact for fact in facts if fact)}</p>'


def _targets(expl: Explanation) -> str:
    if not expl.targets:
        return ""
    figures = "\n".join(_figure(expl, target) for target in expl.targets)
    return f'<div class="eli5-targets">\n{figures}\n</div>'


def _figure(expl: Explanation, target: TargetExplanation) -> str:
    kind = "Output" if expl.is_regression else "Class"
    class_id, name = one_line(target.target), target_name(target)
    is_named = name != class_id or isinstance(target.target, str)
    title = name if is_named else f"{kind} {class_id}"
    facts = {
        kind: class_id if name != class_id else "",
        "Score": number(target.score),
        "Probability": number(target.proba),
    }
    rows = "".join(f"<dt>{key}</dt><dd>{_name(fact)}</dd>" for key, fact in facts.items() if fact)
    caption = f"<figcaption><b><bdi>{_name(title)}</bdi></b><dl>{rows}</dl></figcaption>"
    picture = _overlay(expl, target)
    if picture is None:
        return f"<figure>{caption}</figure>"
    method = f"{expl.method} heatmap" if expl.method else "Heatmap"
    alt = _name(f"{method} of {target_label(target)}, laid over the picture")
    # A strip of many small slices would be too low to be seen.
    size = ' class="eli5-wide"' if is_wide(picture) else ""
    return f'<figure{size}><img alt="{alt}" src="{_data_uri(picture)}">{caption}</figure>'


def _overlay(expl: Explanation, target: TargetExplanation) -> Image | None:
    if expl.image is None or target.heatmap is None:
        return None
    return overlay_heatmap(target.heatmap, expl.image)


def _data_uri(picture: Image) -> str:
    return f"data:image/png;base64,{b64encode(to_png(picture)).decode('ascii')}"


def _name(text: object) -> str:
    return escape(one_line(text), quote=True)


def _text(text: object) -> str:
    return escape(printable(text), quote=True)
