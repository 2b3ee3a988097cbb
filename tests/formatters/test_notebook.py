"""What a notebook shows of an explanation."""

from __future__ import annotations

import base64
import io
import json
import sys
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from PIL import Image

import eli5
from eli5.base import Explanation, TargetExplanation
from eli5.formatters.notebook import mimebundle
from helpers.photos import photo

ALL = ["text/html", "image/png", "text/plain"]


@pytest.fixture
def expl() -> Explanation:
    return Explanation(
        "net", image=photo(30, 20), targets=[TargetExplanation(281, heatmap=np.eye(3))]
    )


def drawn(bundle: dict[str, Any]) -> Image.Image:
    return Image.open(io.BytesIO(base64.b64decode(bundle["image/png"], validate=True)))


def test_every_front_end_finds_a_form_that_it_knows(expl: Explanation) -> None:
    bundle = expl._repr_mimebundle_()
    assert list(bundle) == ALL
    assert bundle["text/html"] == eli5.format_as_html(expl) == expl._repr_html_()
    assert bundle["text/plain"] == eli5.format_as_text(expl)
    assert drawn(bundle).convert("RGBA") == eli5.format_as_image(expl)
    assert json.loads(json.dumps(bundle)) == bundle  # as a notebook's file stores it


def test_the_picture_does_not_make_the_notebook_large(expl: Explanation) -> None:
    expl.image = photo(2000, 1000)
    assert drawn(mimebundle(expl)).size == (800, 400)


@pytest.mark.parametrize(
    ("include", "exclude", "expected"),
    [
        (None, None, ALL),
        ([], (), ALL),
        ({"text/html"}, None, ["text/html"]),
        (["text/plain", "image/svg+xml"], None, ["text/plain"]),
        (None, {"text/html"}, ["image/png", "text/plain"]),
        ({"text/html", "image/png"}, {"image/png"}, ["text/html"]),
        ({"text/latex"}, None, []),
    ],
)
def test_gives_what_is_asked_for(
    include: Any, exclude: Any, expected: list[str], expl: Explanation
) -> None:
    assert list(expl._repr_mimebundle_(include=include, exclude=exclude)) == expected


def test_draws_only_what_is_asked_for(expl: Explanation) -> None:
    expl.targets[0].heatmap[0, 0] = 7  # which cannot be drawn
    assert list(mimebundle(expl, include=["text/plain"])) == ["text/plain"]


@pytest.mark.parametrize(
    "change", [{"error": "failed"}, {"image": None}, {"targets": None}, {"targets": []}]
)
def test_without_an_overlay_there_is_no_picture(change: dict[str, Any], expl: Explanation) -> None:
    for name, value in change.items():
        setattr(expl, name, value)
    assert list(mimebundle(expl)) == ["text/html", "text/plain"]
    expl.targets = [TargetExplanation(0)]
    assert list(mimebundle(expl)) == ["text/html", "text/plain"]


@pytest.mark.parametrize("module", ["PIL", "matplotlib"])
def test_without_picture_libraries_there_is_text(
    module: str, expl: Explanation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    assert mimebundle(expl) == {"text/plain": eli5.format_as_text(expl)}


def test_several_are_a_gallery(expl: Explanation) -> None:
    pair = [replace(expl, method="Grad-CAM"), replace(expl, method="Saliency")]
    bundle = mimebundle(pair)
    assert list(bundle) == ALL
    assert "eli5-gallery" in bundle["text/html"]
    assert bundle["text/plain"] == "\n\n".join(map(eli5.format_as_text, pair))
    sheet = eli5.format_as_image(pair)
    sheet.thumbnail((800, 800))
    assert drawn(bundle).size == sheet.size
    assert list(mimebundle([*pair, Explanation("m", error="no")])) == ["text/html", "text/plain"]
