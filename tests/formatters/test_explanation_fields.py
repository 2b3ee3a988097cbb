"""A field of a wrong type is named, in every format, before anything is drawn, written or read."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib import pyplot

import eli5
from eli5.base import (
    DocWeightedSpans,
    Explanation,
    Grade,
    Placement,
    TargetExplanation,
    WeightedSpans,
)
from eli5.placement import stretch
from helpers.explanations import full_explanation
from helpers.saved_files import document_of, refused, write_document


@pytest.fixture(autouse=True)
def _no_figures() -> Iterator[None]:
    yield
    pyplot.close("all")


FORMATS: dict[str, Callable[[Any], Any]] = {
    "text": eli5.format_as_text,
    "html": eli5.format_as_html,
    "page": eli5.format_as_page,
    "image": eli5.format_as_image,
    "dataframe": eli5.format_as_dataframe,
    "tokens": lambda expl: eli5.format_as_dataframe(expl, rows="tokens"),
    "plot": eli5.plot,
    "on input": Explanation.heatmap_on_input,
    "notebook": Explanation._repr_mimebundle_,
}
each_format = pytest.mark.parametrize("name", FORMATS)

# Where, what, what was expected there.
WRONG: list[tuple[str, Any, str]] = [
    ("estimator", None, "a string"),
    ("description", 5, "a string or None"),
    ("error", ["no"], "a string or None"),
    ("method", np.zeros(2), "a string or None"),
    ("layer", 3, "a string or None"),
    ("is_regression", "yes", "True or False"),
    ("targets", "abc", "a list of TargetExplanation"),
    ("targets", 5, "a list of TargetExplanation"),
    ("targets", {"a": 1}, "a list of TargetExplanation"),
    ("targets[1]", None, "a TargetExplanation"),
    ("image", np.zeros((4, 4)), "a PIL.Image.Image"),
    ("series", [1.0], "an eli5.base.Series"),
    ("targets[0].target", 1.5, "a class id or name"),
    ("targets[0].proba", "high", "a number or None"),
    ("targets[1].score", [1.0], "a number or None"),
    ("targets[2].explained", True, "a number or None"),
    ("targets[0].class_name", b"tabby", "a string or None"),
    ("targets[0].explained_name", 5, "a string or None"),
    ("targets[0].heatmap", [[1.0]], "a NumPy array of numbers"),
    ("targets[0].attribution", "none", "a NumPy array of numbers"),
    ("targets[0].placement", (1, 2), "an eli5.base.Placement"),
    ("targets[0].grade", 0.5, "an eli5.base.Grade or None"),
    ("targets[0].grade.value", "high", "a number or None"),
    ("targets[0].grade.verdict", None, "a string"),
    ("targets[0].grade.parts", {"SRG": "high"}, "a dict of numbers, or None, by their names"),
    ("targets[0].grade.reason", 5, "a string"),
    ("targets[0].grade.passes", 1.5, "an integer"),
    ("targets[0].weighted_spans.docs_weighted_spans", "abc", "a list of DocWeightedSpans"),
    ("targets[0].weighted_spans.docs_weighted_spans[0]", "abc", "a DocWeightedSpans"),
    ("targets[0].weighted_spans.docs_weighted_spans[0].document", None, "a string"),
    ("targets[0].weighted_spans.docs_weighted_spans[0].spans", "abc", "a list of tuples"),
    ("targets[0].weighted_spans.docs_weighted_spans[0].vec_name", 5, "a string or None"),
]


def with_field(where: str, value: Any) -> Explanation:
    expl = full_explanation()
    if "weighted_spans" in where:
        texts = [DocWeightedSpans("a text", [("text", [(2, 6)], 0.5)])]
        expl.targets[0].weighted_spans = WeightedSpans(texts)
    expl.targets[0].grade = Grade(0.5, "weak")
    exec(f"expl.{where} = value", {"expl": expl, "value": value})
    return expl


@each_format
@pytest.mark.parametrize(("where", "value", "expected"), WRONG)
def test_a_field_of_another_type_is_named(name: str, where: str, value: Any, expected: str) -> None:
    came = repr(value) if not isinstance(value, np.ndarray) or value.size < 9 else "<ndarray of sh"
    received = f"expl.{where}={came}"
    match = (
        rf"^Expected `expl\.{re.escape(where)}` to be {expected}.*Received: {re.escape(received)}"
    )
    with pytest.raises(TypeError, match=f"(?s){match}"):
        FORMATS[name](with_field(where, value))


@pytest.mark.parametrize(("where", "value", "expected"), WRONG)
def test_it_is_not_saved(tmp_path: Path, where: str, value: Any, expected: str) -> None:
    for ending in (".json", ".npz", ".html", ".png"):
        with pytest.raises(TypeError, match=rf"`expl\.{re.escape(where)}` to be {expected}"):
            with_field(where, value).save(tmp_path / f"saved{ending}")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"estimator": None}, r"`expl\.estimator` to be a string"),
        ({"targets": "abc"}, r"`expl\.targets` to be a list of TargetExplanation"),
        ({"targets": [{"score": 1}]}, r"`expl\.targets\[0\]` to be a TargetExplanation"),
        ({"targets": [{"$": "target", "target": [0]}]}, r"targets\[0\]\.target` to be a class id"),
        ({"targets": [{"$": "target", "target": 0, "score": "1"}]}, r"\.score` to be a number"),
        ({"image": "picture"}, r"`expl\.image` to be a PIL\.Image\.Image"),
        ({"series": {"values": []}}, r"`expl\.series` to be an eli5\.base\.Series"),
    ],
)
@pytest.mark.parametrize("ending", [".json", ".npz"])
def test_it_is_not_loaded(tmp_path: Path, ending: str, change: Any, reason: str) -> None:
    path = tmp_path / f"saved{ending}"
    write_document(document_of(full_explanation(), path) | change, path)
    refused(path, rf".*TypeError: Expected {'' if reason[0] == '`' else '.*'}{reason}")


def test_it_is_written_for_other_programs_whatever_it_is() -> None:
    for where, value, _ in WRONG:
        assert isinstance(eli5.format_as_dict(with_field(where, value)), dict)


def test_a_list_of_explanations_that_holds_itself_is_refused() -> None:
    endless: list[Any] = [full_explanation()]
    endless.append([endless])
    for name in ("html", "image", "dataframe"):
        with pytest.raises(TypeError, match="Expected `expl` to be an Explanation, or several"):
            FORMATS[name](endless)


@pytest.mark.parametrize(
    "change",
    [
        {"size": (0, 4)},
        {"size": (3.5, 4)},
        {"axes": (0, 0)},
        {"axes": (0, 2)},
        {"first": (0.0,)},
        {"last": (float("nan"), 1.0)},
        {"first": ("0", "1")},
        {"seen": ((0.0, 1.0, 2.0), (0.0, 1.0))},
        {"last": (1e300, 1.0)},
    ],
)
def test_a_placement_that_says_nothing_is_refused(change: Any) -> None:
    fields = vars(stretch((3, 4), (6, 8)))
    with pytest.raises(ValueError, match=r"Expected a placement of positive .*Placement\(size="):
        Placement(**(fields | change))


@pytest.mark.parametrize(
    "placement",
    [stretch((3, 4, 5), (6, 8, 9)), Placement((6, 8), (0, 1), (1, 1), (1, 1), ((-0.5, 5.5),) * 2)],
)
def test_a_placement_of_another_heatmap_is_refused(placement: Placement) -> None:
    expl = full_explanation()
    expl.targets[0].placement = placement
    with pytest.raises(
        ValueError, match=r"`expl\.targets\[0\]\.placement` to tell where the cells"
    ):
        eli5.format_as_html(expl)


def test_a_heatmap_far_outside_of_its_picture_does_not_fill_the_memory() -> None:
    expl = full_explanation()
    far = Placement((5, 7), (0, 1), (-1e6, 0.0), (-1e6 + 1e-3, 6.0), ((-0.5, 4.5), (-0.5, 6.5)))
    expl.targets = [TargetExplanation(0, heatmap=np.ones((3, 4)), placement=far)]
    with pytest.raises(ValueError, match="Expected a placement whose cells lie in the input"):
        eli5.format_as_image(expl)


@pytest.mark.parametrize(
    ("format_", "name", "value"),
    [
        (eli5.format_as_html, "include_styles", "no"),
        (eli5.format_as_page, "title", 5),
        (eli5.format_as_text, "ansi", "no"),
        (eli5.format_as_image, "signed", "no"),
        (eli5.plot, "signed", "no"),
        (eli5.plot, "colorbar", "no"),
        (eli5.plot, "title", "no"),
        (eli5.format_as_dataframe, "rows", ["tokens"]),
    ],
)
def test_an_option_of_another_type_is_named(
    format_: Callable[..., Any], name: str, value: Any
) -> None:
    with pytest.raises(
        TypeError, match=rf"Expected `{name}` to be (True or False|a string|one of)"
    ):
        format_(full_explanation(), **{name: value})


@each_format
def test_a_number_that_no_float_can_hold_is_infinite(name: str) -> None:
    expl = full_explanation()
    expl.targets[0].score, expl.targets[0].proba, expl.targets[1].explained = 10**400, 2, -(10**400)
    FORMATS[name](expl)
    assert "inf" in eli5.format_as_text(expl)


def test_it_is_saved_and_loaded(tmp_path: Path) -> None:
    expl = full_explanation()
    expl.targets[0].score = 10**400
    for ending in (".json", ".npz"):
        expl.save(tmp_path / f"saved{ending}")
        assert eli5.load(tmp_path / f"saved{ending}") == expl


@pytest.mark.parametrize("wanted", [[1], "nonsense", None, 99, np.zeros(2)])
def test_a_filter_that_pillow_does_not_have_is_refused(wanted: Any) -> None:
    for format_ in (eli5.format_as_image, eli5.plot):
        with pytest.raises(ValueError, match=r"`resampling_filter` to be a PIL\.Image\.Resa"):
            format_(full_explanation(), resampling_filter=wanted)
