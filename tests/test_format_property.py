"""Any explanation, however odd, in every format."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image

import eli5
from eli5.base import Explanation, TargetExplanation
from eli5.formatters.html import format_as_html, format_as_page
from eli5.formatters.image import format_as_image
from strict_html import HOSTILE, Page

MODES = ["1", "L", "LA", "P", "PA", "RGB", "RGBA", "RGBX", "CMYK", "YCbCr", "HSV", "I", "F", "I;16"]
TEXTS = st.text(st.characters(), max_size=20) | st.sampled_from(HOSTILE)
NUMBERS = st.none() | st.floats() | st.integers(-1000, 1000) | st.floats(width=32).map(np.float32)
SIZES = st.tuples(st.integers(1, 12), st.integers(1, 12))
FLOATS = st.sampled_from([np.float32, np.float64])


@st.composite
def pictures(draw: st.DrawFn) -> Image.Image:
    mode, size = draw(st.sampled_from(MODES)), draw(SIZES)
    levels = st.integers(0, 255)
    bands = [draw(levels) for _ in Image.new(mode, size).getbands()]
    return Image.new(mode, size, bands[0] if len(bands) == 1 else tuple(bands))


def heatmaps(image: Image.Image | None) -> st.SearchStrategy[Any]:
    """Draw heatmaps of rank 2, and those of rank 3 whose slices fit side by side into the image."""
    width = 12 if image is None else image.width
    depths = st.sampled_from([d for d in range(1, width + 1) if width % d == 0])
    shapes = SIZES | st.tuples(depths, st.integers(1, 5), st.integers(1, 5))
    return arrays(FLOATS, shapes, elements=st.floats(0, 1, width=32))


def targets(image: Image.Image | None) -> st.SearchStrategy[TargetExplanation]:
    return st.builds(
        TargetExplanation,
        target=st.integers(-1, 2000) | st.integers(0, 9).map(np.int64) | TEXTS,
        proba=NUMBERS,
        score=NUMBERS,
        heatmap=st.none() | heatmaps(image),
        class_name=st.none() | TEXTS,
    )


@st.composite
def explanations(draw: st.DrawFn) -> Explanation:
    image = draw(st.none() | pictures())
    return Explanation(
        estimator=draw(TEXTS),
        description=draw(st.none() | TEXTS),
        error=draw(st.none() | TEXTS),
        method=draw(st.none() | TEXTS),
        is_regression=draw(st.booleans()),
        layer=draw(st.none() | TEXTS),
        image=image,
        feature_importances=draw(st.none() | st.dictionaries(TEXTS, st.floats(), max_size=3)),
        targets=draw(st.none() | st.lists(targets(image), max_size=6)),
    )


@settings(deadline=None)
@given(explanations())
def test_every_explanation_formats_in_every_format(expl: Explanation) -> None:
    json.dumps(eli5.format_as_dict(expl), allow_nan=False)
    text = eli5.format_as_text(expl)
    assert text.startswith("Model") or expl.estimator.strip() == ""
    text.encode("utf-8")
    for page in (format_as_html(expl), format_as_page(expl, expl.estimator)):
        assert Page(page).is_harmless()
        page.encode("utf-8")
    drawable = bool(expl.targets) and all(t.heatmap is not None for t in expl.targets or [])
    if expl.image is not None and not expl.error and drawable:
        overlay = format_as_image(expl)
        assert overlay.mode == "RGBA"
        assert overlay.size == expl.image.size or len(expl.targets or []) > 1
        assert (expl._repr_png_() or b"").startswith(b"\x89PNG")
    else:
        assert expl._repr_png_() is None
