"""Any series, however odd, in every format."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from matplotlib.figure import Figure

import eli5
from eli5.base import Explanation
from eli5.formatters.html import format_as_html
from eli5.formatters.notebook import mimebundle
from helpers.series_cases import series_explanations
from helpers.strict_html import Page


@settings(deadline=None, max_examples=8)
@given(series_explanations())
def test_every_series_is_drawn(expl: Explanation) -> None:
    for signed in (False, True):
        picture = eli5.format_as_image(expl, signed=signed)
        assert picture.mode == "RGBA"
        assert picture.getchannel("A").getextrema() == (255, 255)
    ax = Figure().add_subplot()
    assert eli5.plot(expl, ax, target=0) is ax
    ax.figure.canvas.draw()


@settings(deadline=None, max_examples=8)
@given(series_explanations())
def test_every_series_is_told_in_words_and_on_pages(expl: Explanation) -> None:
    page = Page(format_as_html(expl))
    assert page.is_harmless()
    n_layers = sum(bool(target.heatmap.any()) for target in expl.targets)
    assert len(page.pictures("eli5-layer")) == n_layers
    assert ("Peak" in eli5.format_as_text(expl)) == bool(n_layers)
    json.dumps(mimebundle(expl), allow_nan=False)


@settings(deadline=None, max_examples=25)
@given(series_explanations())
def test_every_series_has_its_row_in_a_table(expl: Explanation) -> None:
    pytest.importorskip("pandas")
    frame = eli5.format_as_dataframe(expl)
    for target, x in zip(expl.targets, frame["peak_x"], strict=True):
        if not target.heatmap.any():
            assert np.isnan(x)
            continue
        step = int(x * len(target.heatmap))
        assert target.heatmap[step].max() == target.heatmap.max()
