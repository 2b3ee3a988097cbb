"""What the assertions say, to whom, and what is an error of another kind."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import keras
import numpy as np
import pytest

from eli5 import testing
from eli5.testing import assert_looks_at, assert_same_evidence, compare_evidence
from helpers.cli_helpers import colour_model
from helpers.strict_html import Page

Array = np.ndarray[Any, Any]

SIZE = 16
LEFT, RIGHT = (0, 0, SIZE // 2, SIZE), (SIZE // 2, 0, SIZE, SIZE)


def halves(left: tuple[int, ...], right: tuple[int, ...], size: int = SIZE) -> Array:
    """Return a doc with one colour in its left half and another in its right one."""
    doc = np.zeros((1, size, size, 3), "float32")
    doc[:, :, : size // 2], doc[:, :, size // 2 :] = left, right
    return doc


RED, BLUE = (255, 0, 0), (0, 0, 255)
# Twice red on the left, with some blue on the right; then the other way round.
DOCS = np.concatenate([halves((255, 0, 0), (0, 0, 200)), halves((0, 0, 200), (255, 0, 0))] * 2)


@pytest.fixture(scope="module")
def model() -> keras.Model:
    return colour_model(size=(SIZE, SIZE, 3))


@pytest.fixture(scope="module")
def swapped() -> keras.Model:
    """Return a model that takes red for class 2, and blue for class 0."""
    model = colour_model(size=(SIZE, SIZE, 3))
    model.name = "swapped"
    model.get_layer("classes").set_weights([10 * np.eye(3)[::-1]])
    return model


def test_what_lies_in_its_mask_passes(model: keras.Model) -> None:
    assert_looks_at(model, DOCS, [LEFT, RIGHT, LEFT, RIGHT])
    assert_looks_at(model, iter(DOCS), iter([LEFT, RIGHT, LEFT, RIGHT]), 0.9)
    assert_looks_at(model, DOCS, [RIGHT, LEFT, RIGHT, LEFT], targets=[2, 2, 2, 2])
    assert_looks_at(model, DOCS, [LEFT, RIGHT, LEFT, LEFT], allow=1)


def test_what_lies_elsewhere_fails_and_is_named(model: keras.Model) -> None:
    with pytest.raises(AssertionError) as caught:
        assert_looks_at(
            model,
            DOCS,
            [LEFT, LEFT, LEFT, LEFT],
            names=["a.png", "b.png", "c.png", "d.png"],
            class_names=["red", "green" * 20, "blue"],
        )
    first, *rest = str(caught.value).splitlines()
    assert first == (
        "Expected at least 0.6 of the evidence of each doc in its mask. Received: less in 2 of 4 "
        "docs (Grad-CAM):"
    )
    assert [line.partition(" of class red (0), predicted 0.")[0] for line in rest[:2]] == [
        "  b.png: 0.00",
        "  d.png: 0.00",
    ]
    assert rest[2] == (
        "See one: eli5.show_prediction(model, docs[1:2], method='Grad-CAM', targets=[0]); all of "
        "them: out='looks.html'"
    )


def test_only_the_worst_five_are_listed(model: keras.Model) -> None:
    docs = np.concatenate([DOCS, DOCS, DOCS, DOCS])
    with pytest.raises(AssertionError, match=r"8 of 16 docs") as caught:
        assert_looks_at(model, docs, [RIGHT] * 16, targets=[0] * 16)
    assert str(caught.value).count("of class 0") == 5
    assert "and 3 more" in str(caught.value)


def test_a_doc_without_evidence_looks_nowhere(model: keras.Model) -> None:
    blank = np.zeros((1, SIZE, SIZE, 3), "float32")
    said = "doc 0: no evidence at all, so none of class 0"
    with pytest.raises(AssertionError, match=said):
        assert_looks_at(model, blank, [LEFT], targets=[0])
    diff = compare_evidence(model, model, DOCS[:1], new_docs=blank)
    assert diff.distances == [1]
    assert "nothing speaks for it in the new model" in repr(diff)


def test_failing_docs_are_written_to_a_page(model: keras.Model, tmp_path: Path) -> None:
    for out, page in (
        (tmp_path / "a" / "page.html", tmp_path / "a" / "page.html"),
        (tmp_path / "folder", tmp_path / "folder" / "assert_looks_at.html"),
    ):
        with pytest.raises(AssertionError, match=f"Page: {page}"):
            assert_looks_at(model, DOCS, [LEFT] * 4, out=out)
        text = page.read_text(encoding="utf-8")
        assert Page(text).is_harmless()
        assert text.count('<img class="eli5-picture"') == 2
        assert "doc 1: 0.00 of class 0" in text
        # The mask's edge, which runs down the middle and around the left half.
        for picture in Page(text).pictures("eli5-picture"):
            pixels = np.asarray(picture.convert("RGB"))
            assert (pixels[:, SIZE // 2 - 1] == 255).all()
            assert (pixels[0, : SIZE // 2] == 255).all()
            assert not (pixels[:, SIZE // 2 :] == 255).all(axis=-1).any()


def test_the_same_model_has_the_same_evidence(model: keras.Model) -> None:
    assert_same_evidence(model, model, DOCS, tolerance=0)


def test_moved_evidence_fails_and_is_named(
    model: keras.Model, swapped: keras.Model, tmp_path: Path
) -> None:
    with pytest.raises(AssertionError) as caught:
        assert_same_evidence(model, swapped, DOCS, 0.2, names="abcd", out=tmp_path)
    first, *rest = str(caught.value).splitlines()
    assert first == (
        "Expected the evidence of each doc to move by at most 0.2. Received: more in 4 of 4 docs "
        "(Grad-CAM; from colour_model to swapped):"
    )
    assert [line.partition(":")[0] for line in rest[:4]] == ["  a", "  b", "  c", "  d"]
    assert "predicted was 0, now 2" in rest[0]
    assert rest[4] == "4 docs are predicted otherwise: 0, 1, 2, 3"
    assert "compare_evidence(old, new, docs).save('diff.html')" in rest[5]
    page = tmp_path / "assert_same_evidence.html"
    assert rest[6] == f"Page: {page}"
    assert Page(page.read_text(encoding="utf-8")).is_harmless()
    assert_same_evidence(model, swapped, DOCS, 0.2, allow=4)


def test_the_class_is_the_same_for_both(model: keras.Model, swapped: keras.Model) -> None:
    diff = compare_evidence(model, swapped, DOCS, class_names=["red", "green", "blue"])
    assert [one.target for one in diff.changes] == [0] * 4
    assert [one.after.top_name for one in diff.predicted_otherwise if one.after] == ["blue"] * 4
    # The evidence for class 0 has gone from the red half to the blue one: half a side.
    assert diff.distances == pytest.approx([0.5 / 2**0.5] * 4, abs=0.06)
    both = compare_evidence(swapped, swapped, DOCS, targets=[0, 2, 2, 0])
    assert [one.target for one in both.changes] == [0, 2, 2, 0]
    assert both.distances == [0] * 4


def test_models_may_differ_in_size_layer_and_preprocessing(model: keras.Model) -> None:
    small = colour_model(
        keras.layers.AveragePooling2D(2, name="pool"), size=(SIZE // 2, SIZE // 2, 3)
    )
    docs = DOCS[:, ::2, ::2] / 255
    diff = compare_evidence(model, small, DOCS, new_docs=docs, new_options={"layer": "colours"})
    assert max(diff.distances) < 0.05
    assert [one.new.layer for one in diff.changes if one.new] == ["colours"] * 4


def test_docs_may_be_a_stream_and_few_explanations_are_held(
    model: keras.Model, swapped: keras.Model
) -> None:
    docs = [halves((255 - 5 * k, 0, 0), (0, 0, 50 + 10 * k)) for k in range(12)]
    whole = compare_evidence(model, swapped, np.concatenate(docs), batch_size=12)
    diff = compare_evidence(model, swapped, iter(docs), kept=3, batch_size=5)
    assert diff.distances == pytest.approx(whole.distances, abs=1e-5)
    held = [one for one in diff.changes if one.old is not None]
    assert held == sorted(diff.ranked[:3], key=lambda one: one.number)
    assert diff.old == "colour_model"


def test_a_diff_is_saved_as_a_page_as_json_and_for_junit(
    model: keras.Model, swapped: keras.Model, tmp_path: Path
) -> None:
    diff = compare_evidence(model, swapped, DOCS[:3], 0.2, names=["a", "<b>", "c\x07"], kept=2)
    diff.changes[1].distance = 0.125
    diff.add(testing.EvidenceChange(3, "broken", error="It cannot be read"))
    for ending in ("html", "json", "xml"):
        diff.save(tmp_path / f"diff.{ending}")
    page = (tmp_path / "diff.html").read_text(encoding="utf-8")
    assert Page(page).is_harmless()
    assert "<bdi>&lt;b&gt;</bdi>" in page
    assert "2 of 3 beyond the tolerance of 0.2" in page
    document = json.loads((tmp_path / "diff.json").read_text(encoding="utf-8"))
    assert [one["name"] for one in document["docs"]][2:] == ["<b>", "broken"]
    assert (document["n_beyond"], document["n_failed"]) == (2, 1)
    (suite,) = ElementTree.parse(tmp_path / "diff.xml").getroot()
    assert {name: suite.get(name) for name in ("tests", "failures", "errors")} == {
        "tests": "4",
        "failures": "2",
        "errors": "1",
    }
    cases = suite.findall("testcase")
    assert [case.get("name") for case in cases] == ["a", "<b>", "c\ufffd", "broken"]
    assert [case[0].tag for case in cases] == ["failure", "system-out", "failure", "error"]
    assert "the tolerance is 0.2" in str(cases[0][0].get("message"))
    assert len(diff.table) == 4
    assert "beyond the tolerance of 0.2: 2" in repr(diff)
    with pytest.raises(ValueError, match=r"to end in one of \.html, \.json, \.xml"):
        diff.save(tmp_path / "diff.png")


def test_an_empty_diff_says_so() -> None:
    assert "no docs compared" in repr(testing.EvidenceDiff())


WRONG_LOOKS = [
    ({"model": 3}, TypeError, "a Keras 3 model"),
    ({"docs": 3}, TypeError, "`docs` to be an array"),
    ({"docs": DOCS[:, :3]}, ValueError, "shape"),
    ({"docs": DOCS[:0], "masks": []}, ValueError, "Expected docs, at least one. Received: none"),
    ({"masks": 3}, TypeError, "Expected `masks`"),
    ({"masks": [LEFT]}, ValueError, "one entry in `masks` per doc. Received: 1 for more docs"),
    ({"masks": [LEFT] * 5}, ValueError, "one entry in `masks` per doc. Received: more than 4"),
    ({"masks": ["left"] * 4}, TypeError, r"Received: masks\[0\]"),
    ({"masks": [np.zeros((SIZE, SIZE))] * 4}, ValueError, "with places in it"),
    ({"share": "all"}, TypeError, "Expected `share`"),
    ({"share": 60}, ValueError, "`share` from 0 to 1"),
    ({"allow": -1}, ValueError, "Expected `allow`"),
    ({"methods": ["Grad-CAM"]}, TypeError, "one map of each doc"),
    ({"names": "ab"}, ValueError, "one entry in `names`"),
    ({"out": 3}, TypeError, "Expected `out`"),
    ({"out": "looks.png"}, ValueError, "to be a page, which ends in .html, or a folder"),
]


@pytest.mark.parametrize(("given", "error", "match"), WRONG_LOOKS, ids=range(len(WRONG_LOOKS)))
def test_what_is_wrong_with_a_look_is_no_assertion_error(
    model: keras.Model, given: dict[str, Any], error: type[Exception], match: str
) -> None:
    arguments: dict[str, Any] = {"model": model, "docs": DOCS, "masks": [LEFT] * 4}
    with pytest.raises(error, match=match):
        assert_looks_at(**(arguments | given))


WRONG_DIFFS = [
    ({"old": 3}, TypeError, r"a keras\.Model"),
    ({"new": "new.keras"}, TypeError, r"a keras\.Model"),
    ({"docs": None}, TypeError, "`docs` to be an array"),
    ({"docs": DOCS[:0]}, ValueError, "Expected docs, at least one. Received: none"),
    ({"new_options": 3}, TypeError, "Expected `new_options` to be a mapping"),
    ({"tolerance": None}, TypeError, "Expected `tolerance`"),
    ({"tolerance": 2}, ValueError, "`tolerance` from 0 to 1"),
    ({"targets": [0]}, ValueError, "one entry in `targets` per doc"),
    ({"targets": [[0, 1]] * 4}, ValueError, "one class for each doc"),
    ({"names": "ab"}, ValueError, "one entry in `names` per doc. Received: 2 for more docs"),
    ({"names": "abcde"}, ValueError, "one entry in `names` per doc, 4 of them. Received: more"),
    ({"new_docs": DOCS[:2]}, ValueError, "one entry in `new_docs` per doc"),
    ({"classes": [0]}, TypeError, "one map of each doc, of one class. Received: classes"),
    ({"allow": 1.5}, TypeError, "Expected `allow`"),
    ({"out": "diff.xml"}, ValueError, "to be a page, which ends in .html"),
]


@pytest.mark.parametrize(("given", "error", "match"), WRONG_DIFFS, ids=range(len(WRONG_DIFFS)))
def test_what_is_wrong_with_a_diff_is_no_assertion_error(
    model: keras.Model, given: dict[str, Any], error: type[Exception], match: str
) -> None:
    arguments: dict[str, Any] = {"old": model, "new": model, "docs": DOCS}
    with pytest.raises(error, match=match):
        assert_same_evidence(**(arguments | given))


def test_pytest_shows_no_frame_of_the_inside(model: keras.Model) -> None:
    failing: list[Callable[[], None]] = [
        lambda: assert_looks_at(model, DOCS, [LEFT] * 4),
        lambda: assert_same_evidence(model, model, DOCS, new_docs=DOCS[::-1]),
    ]
    for fail in failing:
        with pytest.raises(AssertionError) as caught:
            fail()
        inside = [frame for frame in caught.traceback if "src/eli5" in str(frame.path)]
        assert inside
        assert all(frame.locals.get("__tracebackhide__") for frame in inside)


def test_models_of_other_classes_are_not_compared(model: keras.Model) -> None:
    five = keras.Sequential(
        [keras.Input((SIZE, SIZE, 3)), keras.layers.Flatten(), keras.layers.Dense(5)]
    )
    with pytest.raises(ValueError, match="`old` with 3 outputs and `new` with 5"):
        assert_same_evidence(model, five, DOCS)
