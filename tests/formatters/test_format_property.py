"""Any explanation, however odd, in every format."""

from __future__ import annotations

import json
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import eli5
from eli5.base import DocWeightedSpans, Explanation
from eli5.formatters.html import format_as_html, format_as_page
from eli5.formatters.image import format_as_image
from eli5.formatters.labels import printable_part
from eli5.formatters.notebook import mimebundle
from eli5.formatters.texts.weighted_text import texts_of
from helpers.explanations import explanations
from helpers.strict_html import Page

# Series as odd as these cannot be drawn: test_series_property.py has those that can.
SHOWN = explanations().map(lambda expl: replace(expl, series=None))


def is_drawable(expl: Explanation) -> bool:
    has_heatmaps = bool(expl.targets) and all(t.heatmap is not None for t in expl.targets or [])
    return expl.image is not None and not expl.error and has_heatmaps


def texts_in(expl: Explanation) -> list[DocWeightedSpans]:
    return [text for target in expl.targets or [] for text in texts_of(target)]


@settings(deadline=None)
@given(SHOWN)
def test_every_explanation_formats_in_every_format(expl: Explanation) -> None:
    json.dumps(eli5.format_as_dict(expl), allow_nan=False)
    text = eli5.format_as_text(expl)
    assert text.startswith("Model") or expl.estimator.strip() == ""
    text.encode("utf-8")
    for page in (format_as_html(expl), format_as_page(expl, expl.estimator)):
        assert Page(page).is_harmless()
        page.encode("utf-8")
    for one in texts_in(expl):
        assert printable_part(one.document) in Page(format_as_html(expl)).text
    json.dumps(mimebundle(expl), allow_nan=False)
    if is_drawable(expl):
        overlay = format_as_image(expl)
        assert overlay.mode == "RGBA"
        assert overlay.size == expl.image.size or len(expl.targets or []) > 1


@settings(deadline=None)
@given(st.lists(explanations(), max_size=3))
def test_every_explanation_has_its_rows_in_a_table(expls: list[Explanation]) -> None:
    pytest.importorskip("pandas")
    frame = eli5.format_as_dataframe(expls)
    targets = [target for expl in expls for target in expl.targets or [None]]
    assert len(frame) == len(targets)
    for score, target in zip(frame["score"], targets, strict=True):
        wanted = np.nan if target is None or target.score is None else float(target.score)
        assert np.array_equal(score, wanted, equal_nan=True)
    frame.to_csv().encode()
    tokens = eli5.format_as_dataframe(expls, rows="tokens")
    assert len(tokens) == sum(len(text.spans) for expl in expls for text in texts_in(expl))
    tokens.to_csv().encode()


@settings(deadline=None)
@given(explanations())
def test_every_explanation_is_loaded_as_it_was_saved(expl: Explanation) -> None:
    with tempfile.TemporaryDirectory() as folder:
        for ending in (".json", ".npz"):
            path = Path(folder, f"saved{ending}")
            expl.save(path)
            assert eli5.load(path) == expl


@settings(deadline=None, max_examples=20)
@given(SHOWN)
def test_every_explanation_is_saved_as_a_page_and_a_picture(expl: Explanation) -> None:
    endings = (".html", ".png", ".jpg", ".webp") if is_drawable(expl) else (".html",)
    with tempfile.TemporaryDirectory() as folder:
        for ending in endings:
            expl.save(Path(folder, f"saved{ending}"))
        assert len(list(Path(folder).iterdir())) == len(endings)
